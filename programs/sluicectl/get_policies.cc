// Lists of policy: endpoints, policies and rules in force.
#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "sluice/policy_terms.h"
#include "sluicectl/get.h"
#include "sluicectl/labels.h"
#include "sluicectl/selector.h"

namespace sluice {
namespace {

SideAnswer RuleOf(const v1::PolicyInfo& info, const v1::RuleInfo& rule) {
  return {rule.action() != v1::ACTION_DENY, true, TierText(info.tier()), info.policy(), rule.index(), rule.name()};
}

v1::ListPoliciesRequest PoliciesRequest(const GetOptions& options) {
  v1::ListPoliciesRequest request;
  request.set_namespace_(options.Namespace());
  if (options.names.size() == 1 && options.names[0].find('/') != std::string::npos) {
    request.set_policy(options.names[0]);
  }
  return request;
}

// Returns what is staged for which policy, "set" or "delete"; nothing if sluiced does not know of staging. If sluiced
// does not answer, the call that lists reports it.
std::map<std::string, const char*> AskStaged(const GetOptions& options, Stub& stub) {
  std::map<std::string, const char*> staged;
  v1::ListStagedRequest request;
  request.set_summary_only(true);
  Call call(options.live);
  const auto reader = call.Open([&](Call* opened) { return stub.ListStaged(opened, request); });
  v1::ListStagedResponse message;
  while (call.Read(*reader, &message)) {
    for (const v1::StagedPolicy& policy : message.summary().policies()) {
      staged.emplace(policy.policy(), policy.deletes() ? "delete" : "set");
    }
  }
  call.Finish(*reader);
  return staged;
}

// Reports staged policies whose names no policy in force has.
void TellOfNew(const std::map<std::string, const char*>& staged, const std::set<std::string>& listed,
               const std::string& namespace_name) {
  constexpr std::size_t kMostNamed = 10;
  std::string names;
  std::size_t count = 0;
  for (const auto& [policy, action] : staged) {
    if (listed.contains(policy)) continue;
    if (!namespace_name.empty() && !policy.starts_with(namespace_name + '/')) continue;
    if (++count <= kMostNamed) names += (count == 1 ? "" : ", ") + policy;
  }
  if (count == 0) return;
  if (count > kMostNamed) names += " and " + std::to_string(count - kMostNamed) + " more";
  std::fprintf(stderr, "note: staged and not in force: %s (sluicectl staged)\n", Printable(names).c_str());
}

int ListRules(const GetOptions& options, Stub& stub, const v1::ListPoliciesRequest& request, const char* nouns) {
  NameFilter names(options);
  const bool for_people = IsForPeople(options.live);
  const auto add = [&](auto show, const v1::PolicyInfo& info) {
    if (!names.Matches(info.policy())) return;
    for (const v1::RuleInfo& rule : info.rules()) {
      Json row = {{"tier", TierText(info.tier())},
                  {"policy", info.policy()},
                  {"direction", Name(DirectionOf(rule.direction()))},
                  {"rule", rule.index()}};
      if (!rule.name().empty()) row["rule_name"] = rule.name();
      row["action"] = ActionText(rule.action());
      row["peers"] = rule.peers();
      row["ports"] = rule.ports();
      row["packets"] = rule.packets();
      row["bytes"] = rule.bytes();
      row["last_hit"] = TimeJson(rule.last_hit_unix_ns());
      if (for_people) {
        row["rule_text"] = RuleText(RuleOf(info, rule), DirectionOf(rule.direction()));
        row["last_hit_text"] = AgoText(rule.last_hit_unix_ns());
      }
      show(row);
    }
  };
  const int code = List<v1::PolicyInfo>(
      options, nouns,
      {{"RULE", "rule_text", false, 40},
       {"ACTION", "action"},
       {"PORTS", "ports"},
       {"PACKETS", "packets", false, 10},
       {"LAST HIT", "last_hit_text", false, 12},
       {"BYTES", "bytes", true},
       {"PEERS", "peers", true}},
      [&](Call* call) { return stub.ListPolicies(call, request); }, add);
  return code == kExitFine ? names.Finish("policy") : code;
}

}  // namespace

int GetEndpoints(const GetOptions& options, Stub& stub) {
  const auto selector = Selector::Parse(options.selector);
  if (!selector) return Fail("--selector '" + options.selector + "': " + std::string(Selector::kForms));
  const bool for_people = IsForPeople(options.live);
  v1::ListEndpointsRequest request;
  request.set_namespace_(options.Namespace());
  if (options.names.size() == 1) {
    const std::string& name = options.names[0];
    const std::size_t slash = name.find('/');
    if (slash != name.npos) request.set_namespace_(name.substr(0, slash));
    request.set_name(slash == name.npos ? name : name.substr(slash + 1));
  }
  NameFilter names(options);
  const auto add = [&](auto show, const v1::EndpointInfo& info) {
    const std::string full_name = info.namespace_() + '/' + info.name();
    if (!names.Matches(full_name) || !selector->Matches(ParseLabels(info.labels()))) return;
    Json addresses = Json::array();
    for (const std::string& address : info.addresses()) addresses.push_back(AddressText(address));
    Json row = {{"namespace", info.namespace_()},
                {"name", info.name()},
                {"addresses", addresses},
                {"node", info.node()},
                {"labels", LabelsJson(info.labels())},
                {"identity", info.identity()},
                {"egress_policies", std::vector(info.egress_policies().begin(), info.egress_policies().end())},
                {"ingress_policies", std::vector(info.ingress_policies().begin(), info.ingress_policies().end())}};
    if (for_people) row["labels_text"] = info.labels();
    if (for_people) row["full_name"] = full_name;
    show(row);
  };
  const int code = List<v1::EndpointInfo>(
      options, "endpoints",
      {{"NAMESPACE", "namespace"},
       {"NAME", "name"},
       {"ADDRESSES", "addresses"},
       {"NODE", "node"},
       {"EGRESS", "egress_policies"},
       {"INGRESS", "ingress_policies"},
       {"IDENTITY", "identity", true},
       {"LABELS", "labels_text", true}},
      [&](Call* call) { return stub.ListEndpoints(call, request); }, add);
  return code == kExitFine ? names.Finish("endpoint") : code;
}

int GetPolicies(const GetOptions& options, Stub& stub) {
  const v1::ListPoliciesRequest request = PoliciesRequest(options);
  const bool for_people = IsForPeople(options.live);
  NameFilter names(options);
  std::map<std::string, const char*> staged;
  std::set<std::string> listed;  // of the staged policies
  // For the present policy, which may come in several messages.
  std::uint64_t packets = 0;
  std::uint64_t last_hit = 0;
  std::uint64_t rules = 0;
  Json isolates = Json::array();
  const auto add = [&](auto show, const v1::PolicyInfo& info) {
    if (!names.Matches(info.policy())) return;
    for (const v1::RuleInfo& rule : info.rules()) {
      packets += rule.packets();
      last_hit = std::max(last_hit, rule.last_hit_unix_ns());
      if (rule.index() < 0) {
        isolates.push_back(Name(DirectionOf(rule.direction())));
      } else {
        ++rules;
      }
    }
    if (info.more()) return;
    Json row = {{"policy", info.policy()},
                {"tier", TierText(info.tier())},
                {"priority", info.priority()},
                {"subjects", info.subjects()},
                {"isolates", isolates},
                {"selected", info.selected()},
                {"rules", rules},
                {"packets", packets},
                {"last_hit", TimeJson(last_hit)},
                {"held", info.held()},
                {"warnings", std::vector(info.warnings().begin(), info.warnings().end())}};
    if (const auto change = staged.find(info.policy()); change != staged.end()) {
      row["staged"] = change->second;
      listed.insert(info.policy());
    }
    if (for_people) row["last_hit_text"] = AgoText(last_hit);
    if (for_people) row["full_name"] = info.policy();
    show(row);
    packets = last_hit = rules = 0;
    isolates = Json::array();
  };
  const int code = List<v1::PolicyInfo>(
      options, "policies",
      {{"POLICY", "policy"},
       {"PODS", "selected"},
       {"ISOLATES", "isolates"},
       {"RULES", "rules"},
       {"PACKETS", "packets", false, 10},
       {"LAST HIT", "last_hit_text", false, 12},
       {"TIER", "tier", true},
       {"PRIORITY", "priority", true},
       {"SUBJECTS", "subjects", true},
       {"STAGED", "staged"},
       {"HELD BACK", "held"},
       {"WARNINGS", "warnings"}},
      [&](Call* call) {
        staged = AskStaged(options, stub);
        return stub.ListPolicies(call, request);
      },
      add);
  if (code == kExitFine && for_people && options.names.empty()) TellOfNew(staged, listed, options.Namespace());
  return code == kExitFine ? names.Finish("policy") : code;
}

int GetRules(const GetOptions& options, Stub& stub) {
  return ListRules(options, stub, PoliciesRequest(options), "rules");
}

int GetUnused(const GetOptions& options, Stub& stub) {
  v1::ListPoliciesRequest request = PoliciesRequest(options);
  request.set_unused_only(true);
  return ListRules(options, stub, request, "unused rules");
}

}  // namespace sluice
