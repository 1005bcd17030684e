// ObserveService::ListPolicies: policies as people know them, out of the sections that they became.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "api/observe_service.h"
#include "api/rule_hits.h"
#include "api/rule_names.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

using grpc::Status;

constexpr std::size_t kPoliciesASlice = 100;

std::string ProtocolText(std::uint8_t protocol) {
  return protocol == kProtoTcp ? "tcp" : protocol == kProtoUdp ? "udp" : "sctp";  // what rules may name (NP-50)
}

// Another part of a list, once.
void AddText(const std::string& part, std::string* text) {
  if (*text == part) return;
  if (!text->empty()) *text += "; ";
  *text += part;
}

std::string PortsText(const Rule& rule) {
  if (rule.any_port) return "any";
  std::string text;
  for (const PortRange& range : rule.ports) {
    if (!text.empty()) text += ',';
    text += ProtocolText(range.protocol);
    if (range.first == 0 && range.last == 65535) continue;
    text += '/' + std::to_string(range.first);
    if (range.last != range.first) text += '-' + std::to_string(range.last);
  }
  return text.empty() ? "none" : text;
}

// Rules by direction and index, each once: named ports may have made several of one.
void AddSection(const ResolvedPolicy& policy, const Section& section, v1::PolicyInfo* info) {
  info->set_policy(section.policy);
  info->set_tier(EncodeTier(section.tier));
  info->set_priority(section.priority);
  if (section.isolates || info->subjects().empty())
    AddText(policy.groups[section.subjects].key, info->mutable_subjects());
  const auto add = [&](std::int32_t index) -> v1::RuleInfo* {
    const v1::Direction direction =
        section.direction == Direction::kEgress ? v1::DIRECTION_EGRESS : v1::DIRECTION_INGRESS;
    for (v1::RuleInfo& rule : *info->mutable_rules()) {
      if (rule.direction() == direction && rule.index() == index) return &rule;
    }
    v1::RuleInfo* rule = info->add_rules();
    rule->set_direction(direction);
    rule->set_index(index);
    return rule;
  };
  for (const Rule& rule : section.rules) {
    v1::RuleInfo* added = add(rule.index);
    added->set_action(static_cast<v1::Action>(static_cast<int>(rule.action) + 1));
    AddText(rule.peers == kAnyPeer ? "any" : policy.groups[rule.peers].key, added->mutable_peers());
    AddText(PortsText(rule), added->mutable_ports());
  }
  if (!section.isolates) return;
  v1::RuleInfo* deny = add(-1);
  deny->set_action(v1::ACTION_DENY);
  deny->set_peers("any");
  deny->set_ports("any");
}

// The policies that come after `last` by name.
void SlicePolicies(const ResolvedPolicy& policy, const std::string& last, std::vector<v1::PolicyInfo>& slice) {
  auto section = policy.sections.After(last);
  while (section != policy.sections.end()) {
    if (slice.empty() || slice.back().policy() != section->policy) {
      if (slice.size() == kPoliciesASlice) return;
      slice.emplace_back();
    }
    AddSection(policy, *section++, &slice.back());
  }
}

// Egress first, rules in the order of their list, the default deny last.
void SortRules(v1::PolicyInfo* info) {
  const auto key = [](const v1::RuleInfo& rule) {
    return std::pair(rule.direction(), static_cast<std::uint32_t>(rule.index()));
  };
  std::sort(info->mutable_rules()->begin(), info->mutable_rules()->end(),
            [&](const v1::RuleInfo& a, const v1::RuleInfo& b) { return key(a) < key(b); });
}

void SetHits(const RuleHits& hits, bool unused_only, v1::PolicyInfo* info) {
  auto* rules = info->mutable_rules();
  for (v1::RuleInfo& rule : *rules) {
    const Direction direction = rule.direction() == v1::DIRECTION_EGRESS ? Direction::kEgress : Direction::kIngress;
    const RuleCount count = hits.Of(info->policy(), direction, rule.index());
    rule.set_packets(count.packets);
    rule.set_bytes(count.bytes);
    rule.set_last_hit_unix_ns(count.last_hit_ns);
  }
  if (!unused_only) return;
  const auto used = [](const v1::RuleInfo& rule) { return rule.packets() > 0 || rule.index() < 0; };
  rules->erase(std::remove_if(rules->begin(), rules->end(), used), rules->end());
}

}  // namespace

Status ObserveService::ListPolicies(grpc::ServerContext*, const v1::ListPoliciesRequest* request,
                                    grpc::ServerWriter<v1::PolicyInfo>* writer) {
  const RuleHits hits(*intake_.store().table(), plane_.Workers());
  const std::string prefix = request->namespace_().empty() ? "" : request->namespace_() + '/';
  std::vector<v1::PolicyInfo> slice;
  std::string last;  // the policy that the slice before ended with
  do {
    slice.clear();
    intake_.store().Read([&](const ResolvedPolicy& policy, const Table&) { SlicePolicies(policy, last, slice); });
    if (!slice.empty()) last = slice.back().policy();
    for (v1::PolicyInfo& info : slice) {
      if (!info.policy().starts_with(prefix)) continue;
      if (!request->policy().empty() && info.policy() != request->policy()) continue;
      SortRules(&info);
      SetHits(hits, request->unused_only(), &info);
      if (request->unused_only() && info.rules().empty()) continue;
      if (!writer->Write(info)) return Status::CANCELLED;
    }
  } while (!slice.empty());
  return Status::OK;
}

}  // namespace sluice
