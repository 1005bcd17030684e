#include "page/page_json.h"

#include <algorithm>
#include <utility>

#include "codec/codec.h"
#include "sluice/policy_terms.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

constexpr std::uint64_t kNsInMs = 1'000'000;
constexpr int kProblemsShown = 20;
constexpr int kNamesShown = 20;  // for one address

std::string TextOfAddress(std::string_view bytes) {
  const auto address = DecodeAddress(bytes);
  return address ? address->ToString() : "";
}

std::string_view TextOfTier(v1::Tier tier) {
  return tier < v1::TIER_ADMIN || tier > v1::TIER_BASELINE ? "" : Name(static_cast<Tier>(tier - 1));
}

std::string_view TextOfAction(v1::Action action) {
  return action < v1::ACTION_ALLOW || action > v1::ACTION_PASS ? "" : Name(static_cast<Action>(action - 1));
}

std::string_view TextOfDirection(v1::Direction direction) {
  return Name(direction == v1::DIRECTION_EGRESS ? Direction::kEgress : Direction::kIngress);
}

PageJson ProblemsJson(const google::protobuf::RepeatedPtrField<v1::Problem>& problems) {
  PageJson json = PageJson::array();
  for (const v1::Problem& problem : problems) {
    if (json.size() == kProblemsShown) break;
    std::string text = problem.object();
    for (const std::string& part : {problem.field(), problem.reason()}) text += part.empty() ? "" : ": " + part;
    json.push_back(text);
  }
  return json;
}

PageJson EndJson(const std::string& address, std::uint32_t port, bool has_ports, const std::string& pod) {
  PageJson json = {{"address", TextOfAddress(address)}};
  if (has_ports) json["port"] = port;
  if (!pod.empty()) json["pod"] = pod;
  return json;
}

PageJson SideJson(const v1::Explanation::Side& side, Direction direction) {
  PageJson json = {{"verdict", side.verdict()}, {"isolated", side.isolated()}};
  json["rule"] = RuleJson(side.rule(), direction);
  json["isolated_by"] = PageJson::array();
  for (const std::string& policy : side.isolated_by()) json["isolated_by"].push_back(policy);
  return json;
}

PageJson NamesJson(const google::protobuf::RepeatedPtrField<v1::LearntName>& names) {
  PageJson json = PageJson::array();
  for (const v1::LearntName& name : names) {
    if (json.size() == kNamesShown) break;
    json.push_back({{"name", name.name()},
                    {"learnt_ms", name.learnt_unix_ns() / kNsInMs},
                    {"until_ms", name.until_unix_ns() / kNsInMs},
                    {"source", name.source()},
                    {"lapsed", name.lapsed()}});
  }
  return json;
}

// Merges rules of the same place into one.
void MergeRules(const v1::PolicyInfo& from, v1::PolicyInfo* into) {
  for (const v1::RuleInfo& rule : from.rules()) {
    const auto is_same = [&](const v1::RuleInfo& one) {
      return one.direction() == rule.direction() && one.index() == rule.index();
    };
    const auto known = std::find_if(into->mutable_rules()->begin(), into->mutable_rules()->end(), is_same);
    if (known == into->mutable_rules()->end()) {
      *into->add_rules() = rule;
      continue;
    }
    known->set_packets(known->packets() + rule.packets());
    known->set_bytes(known->bytes() + rule.bytes());
    known->set_last_hit_unix_ns(std::max(known->last_hit_unix_ns(), rule.last_hit_unix_ns()));
  }
}

bool IsHit(const v1::RuleInfo& rule) { return rule.packets() != 0; }
bool IsUnused(const v1::RuleInfo& rule) { return rule.packets() == 0 && rule.index() >= 0; }

RulePlace PlaceOf(const std::string& policy, const v1::RuleInfo& rule) {
  const bool is_egress = rule.direction() == v1::DIRECTION_EGRESS;
  return {policy, is_egress ? Direction::kEgress : Direction::kIngress, rule.index()};
}

}  // namespace

std::string TextOfProtocol(std::uint32_t protocol) {
  const std::string_view name = ToolNameOf(static_cast<std::uint8_t>(protocol));
  return name.empty() ? std::to_string(protocol) : std::string(name);
}

PageJson RuleJson(const v1::RuleName& rule, Direction direction) {
  if (rule.policy().empty()) return nullptr;
  PageJson json = {{"policy", rule.policy()},
                   {"tier", TextOfTier(rule.tier())},
                   {"direction", Name(direction)},
                   {"index", rule.index()}};
  if (!rule.name().empty()) json["name"] = rule.name();
  return json;
}

std::string ToText(const PageJson& json) { return json.dump(-1, ' ', false, PageJson::error_handler_t::replace); }

PageJson ToPage(const v1::Status& status) {
  return {{"version", status.version()},
          {"started_ms", status.start_unix_ns() / kNsInMs},
          {"source", status.source()},
          {"generation", status.generation()},
          {"published_ms", status.published_unix_ns() / kNsInMs},
          {"sender", status.sender()},
          {"sender_connected", status.sender_connected()},
          {"sender_heard_ms", status.sender_heard_unix_ns() / kNsInMs},
          {"fail_closed", status.fail_closed()},
          {"in_force_p50_ms", static_cast<double>(status.in_force_p50_ns()) / kNsInMs},
          {"in_force_p99_ms", static_cast<double>(status.in_force_p99_ns()) / kNsInMs},
          {"endpoints", status.endpoints()},
          {"policies", status.policies()},
          {"rules", status.rules()},
          {"flows", status.flows()},
          {"flow_capacity", status.flow_capacity()},
          {"flows_cut", status.flows_cut()},
          {"workers", status.workers()},
          {"forwarded", status.forwarded()},
          {"dropped", status.dropped()},
          {"rejected", status.rejected()},
          {"not_kept", status.not_kept()},
          {"last_refusal", ProblemsJson(status.last_refusal())},
          {"held_policies", status.held_policies()},
          {"held", ProblemsJson(status.held())},
          {"warning_count", status.warning_count()},
          {"warnings", ProblemsJson(status.warnings())}};
}

PageJson ToPage(const v1::DropEvent& drop, std::size_t dataplane) {
  const bool has_ports = HasPorts(static_cast<std::uint8_t>(drop.protocol()));
  PageJson json = {{"dataplane", dataplane},
                   {"time_ms", drop.unix_ns() / kNsInMs},
                   {"reason", drop.reason()},
                   {"verdict", drop.verdict()}};
  if (!drop.source().empty()) {
    json["proto"] = TextOfProtocol(drop.protocol());
    json["src"] = EndJson(drop.source(), drop.source_port(), has_ports, drop.source_pod());
    json["dst"] = EndJson(drop.destination(), drop.destination_port(), has_ports, drop.destination_pod());
  }
  json["rules"] = PageJson::array();
  const std::pair<const v1::RuleName*, Direction> sides[] = {{&drop.egress(), Direction::kEgress},
                                                             {&drop.ingress(), Direction::kIngress}};
  for (const auto& [rule, direction] : sides) {
    if (!rule->policy().empty()) json["rules"].push_back(RuleJson(*rule, direction));
  }
  json["generation"] = drop.generation();
  json["device"] = drop.device();
  json["length"] = drop.length();
  return json;
}

PageJson ToPage(const v1::Explanation& explanation) {
  return {{"verdict", explanation.verdict()},
          {"exempt", explanation.exempt()},
          {"reason", explanation.reason()},
          {"generation", explanation.generation()},
          {"source", explanation.source()},
          {"destination", explanation.destination()},
          {"destination_names", NamesJson(explanation.destination_names())},
          {"egress", SideJson(explanation.egress(), Direction::kEgress)},
          {"ingress", SideJson(explanation.ingress(), Direction::kIngress)}};
}

void PolicyList::Add(const PageTarget::PoliciesAnswer& answer) {
  for (const v1::PolicyInfo& policy : answer.policies) {
    const auto [known, is_new] = policies_.try_emplace(policy.policy(), policy);
    if (is_new) continue;
    known->second.set_selected(std::max(known->second.selected(), policy.selected()));
    MergeRules(policy, &known->second);
  }
  for (const auto& [policy, rate] : answer.packets_per_second) packets_per_second_[policy] += rate;
  covered_.insert(answer.covered.begin(), answer.covered.end());
}

bool PolicyList::HasCovered(const v1::PolicyInfo& policy) const {
  return std::any_of(policy.rules().begin(), policy.rules().end(),
                     [&](const v1::RuleInfo& rule) { return covered_.contains(PlaceOf(policy.policy(), rule)); });
}

PageJson PolicyList::Json(const v1::PolicyInfo& policy) const {
  PageJson json = {{"policy", policy.policy()},     {"tier", TextOfTier(policy.tier())},
                   {"priority", policy.priority()}, {"subjects", policy.subjects()},
                   {"selected", policy.selected()}, {"held", policy.held()}};
  const auto rate = packets_per_second_.find(policy.policy());
  json["packets_per_second"] = rate == packets_per_second_.end() ? 0 : rate->second;
  json["warnings"] = PageJson::array();
  for (const std::string& warning : policy.warnings()) json["warnings"].push_back(warning);
  json["rules"] = PageJson::array();
  for (const v1::RuleInfo& rule : policy.rules()) {
    if (json["rules"].size() == kRulesShown) break;
    PageJson& shown = json["rules"].emplace_back(PageJson{{"direction", TextOfDirection(rule.direction())},
                                                          {"index", rule.index()},
                                                          {"action", TextOfAction(rule.action())},
                                                          {"peers", rule.peers()},
                                                          {"ports", rule.ports()},
                                                          {"packets", rule.packets()},
                                                          {"bytes", rule.bytes()},
                                                          {"last_hit_ms", rule.last_hit_unix_ns() / kNsInMs}});
    if (!rule.name().empty()) shown["name"] = rule.name();
    const auto covered = covered_.find(PlaceOf(policy.policy(), rule));
    if (covered == covered_.end()) continue;
    shown["covered_by"] = covered->second.index;
    if (covered->second.of_pods_now) shown["covered_now"] = true;
  }
  json["rules_not_shown"] = policy.rules_size() - static_cast<int>(json["rules"].size());
  return json;
}

PageJson PolicyList::Shown(std::string_view text, Show show) const {
  PageJson shown = PageJson::array();
  std::size_t matching = 0;
  for (const auto& [name, policy] : policies_) {
    if (name.find(text) == name.npos) continue;
    const auto& rules = policy.rules();
    if (show == Show::kHit && std::none_of(rules.begin(), rules.end(), IsHit)) continue;
    if (show == Show::kUnused && std::none_of(rules.begin(), rules.end(), IsUnused)) continue;
    if (show == Show::kCovered && !HasCovered(policy)) continue;
    if (++matching <= kShown) shown.push_back(Json(policy));
  }
  return {{"total", policies_.size()}, {"matching", matching}, {"policies", std::move(shown)}};
}

}  // namespace sluice
