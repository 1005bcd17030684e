// ObserveService::ListPolicies: policies as people know them, put together from their sections.
#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/limits.h"
#include "api/observe_service.h"
#include "api/rule_hits.h"
#include "api/rule_names.h"
#include "sluice/port_ranges.h"
#include "sluice/printable.h"
#include "sluice/unanswered.h"

namespace sluice {
namespace {

using grpc::Status;

constexpr std::size_t kPoliciesASlice = 100;
constexpr std::size_t kMostInfoBytes = std::size_t{1} << 20;  // of one message; older callers take 4 MB
constexpr std::size_t kTextBytes = 4096;                      // of a list of peers, ports or subjects
constexpr int kMostWarnings = 100;                            // of a policy

// A policy, with an index of its rules, since there may be a hundred thousand of them.
struct NamedPolicy {
  std::string name;  // complete; the name in info may be shortened
  v1::PolicyInfo info;
  std::map<std::pair<v1::Direction, std::int32_t>, int> places;
};

// Adds an item to a list, if it is not in it yet. A list that is too long says so at its end.
void AddText(const std::string& part, std::string* text) {
  constexpr std::string_view kMore = "; ...";
  if (*text == part || text->ends_with(kMore)) return;
  if (!text->empty() && text->size() + part.size() > kTextBytes) {
    *text += kMore;
    return;
  }
  if (!text->empty()) *text += "; ";
  *text += part.size() <= kTextBytes ? part : Printable(part, kTextBytes);
}

std::string PortsText(const Rule& rule) {
  if (rule.any_port) return "any";
  std::string text;
  for (const PortRange& range : rule.ports) {
    if (text.size() > kTextBytes) return text + ",...";
    if (!text.empty()) text += ',';
    text += ToText(range);
  }
  return text.empty() ? "none" : text;
}

// Adds rules by direction and index, each once: a rule with named ports may have become several.
void AddSection(const ResolvedPolicy& policy, const Section& section, NamedPolicy* named) {
  v1::PolicyInfo* info = &named->info;
  named->name = section.policy;
  info->set_policy(ShownName(section.policy));
  info->set_tier(EncodeTier(section.tier));
  info->set_priority(section.priority);
  if (section.isolates || info->subjects().empty())
    AddText(policy.groups[section.subjects].key, info->mutable_subjects());
  const auto add = [&](std::int32_t index) -> v1::RuleInfo* {
    const v1::Direction direction =
        section.direction == Direction::kEgress ? v1::DIRECTION_EGRESS : v1::DIRECTION_INGRESS;
    const auto [place, added] = named->places.try_emplace({direction, index}, info->rules_size());
    if (!added) return info->mutable_rules(place->second);
    v1::RuleInfo* rule = info->add_rules();
    rule->set_direction(direction);
    rule->set_index(index);
    return rule;
  };
  for (const Rule& rule : section.rules) {
    v1::RuleInfo* added = add(rule.index);
    added->set_action(static_cast<v1::Action>(static_cast<int>(rule.action) + 1));
    if (!rule.name.empty()) added->set_name(ShownName(rule.name.text()));
    AddText(!rule.domain_names.empty() ? rule.domain_names.ToString()
            : rule.peers == kAnyPeer   ? "any"
                                       : policy.groups[rule.peers].key,
            added->mutable_peers());
    AddText(PortsText(rule), added->mutable_ports());
  }
  if (!section.isolates) return;
  v1::RuleInfo* deny = add(-1);
  deny->set_action(v1::ACTION_DENY);
  deny->set_peers("any");
  deny->set_ports("any");
}

// Adds the facts about the policy as a whole.
void AddSummary(const ResolvedPolicy& policy, std::span<const Section> sections, const GroupSizes& sizes,
                v1::PolicyInfo* info) {
  std::uint64_t selected = 0;  // the section of all the policy's subjects selects the most
  for (const Section& section : sections) selected = std::max(selected, sizes.Of(section.subjects));
  info->set_selected(selected);
  if (!sections.empty()) info->set_held(ShownName(sections.front().held));
  for (const Unanswered& unanswered : FindUnanswered(sections, policy, sizes)) {
    if (info->warnings_size() == kMostWarnings) break;
    info->add_warnings(unanswered.field.empty() ? unanswered.text : unanswered.field + ' ' + unanswered.text);
  }
}

// Fills the slice with the policies that come after `last` by name.
void SlicePolicies(const ResolvedPolicy& policy, const GroupSizes& sizes, const std::string& last,
                   std::vector<NamedPolicy>& slice) {
  for (auto section = policy.sections.After(last); section != policy.sections.end();) {
    if (slice.size() == kPoliciesASlice) return;
    NamedPolicy& named = slice.emplace_back();
    const std::span<const Section> sections = policy.sections.Find(section->policy);
    for (const Section& one : sections) AddSection(policy, one, &named);
    AddSummary(policy, sections, sizes, &named.info);
    for (std::size_t i = 0; i < sections.size(); ++i) ++section;
  }
}

// Sorts egress first, rules in the order of their list, the default deny last.
void SortRules(v1::PolicyInfo* info) {
  const auto key = [](const v1::RuleInfo& rule) {
    return std::pair(rule.direction(), static_cast<std::uint32_t>(rule.index()));
  };
  std::sort(info->mutable_rules()->begin(), info->mutable_rules()->end(),
            [&](const v1::RuleInfo& a, const v1::RuleInfo& b) { return key(a) < key(b); });
}

void SetHits(const RuleHits& hits, bool unused_only, NamedPolicy* named) {
  auto* rules = named->info.mutable_rules();
  for (v1::RuleInfo& rule : *rules) {
    const Direction direction = rule.direction() == v1::DIRECTION_EGRESS ? Direction::kEgress : Direction::kIngress;
    const RuleCount count = hits.Of(named->name, direction, rule.index());
    rule.set_packets(count.packets);
    rule.set_bytes(count.bytes);
    rule.set_last_hit_unix_ns(count.last_hit_ns);
  }
  if (!unused_only) return;
  const auto used = [](const v1::RuleInfo& rule) { return rule.packets() > 0 || rule.index() < 0; };
  rules->erase(std::remove_if(rules->begin(), rules->end(), used), rules->end());
}

// Sends a policy, in several messages if it has too many rules for one.
bool Send(v1::PolicyInfo info, AnswerWriter& writer) {
  if (info.ByteSizeLong() <= kMostInfoBytes) return writer.Write(info);
  v1::PolicyInfo piece = info;
  std::size_t bytes = 0;
  piece.clear_rules();
  for (int i = 0; i < info.rules_size(); ++i) {
    bytes += info.rules(i).ByteSizeLong();
    piece.add_rules()->Swap(info.mutable_rules(i));
    piece.set_more(i + 1 < info.rules_size());
    if (piece.more() && bytes < kChunkBytes) continue;
    if (!writer.Write(piece)) return false;
    piece.clear_rules();
    bytes = 0;
  }
  return true;
}

}  // namespace

Status ObserveService::ListPolicies(const v1::ListPoliciesRequest& request, AnswerWriter& writer) {
  const RuleHits hits(*intake_.store().table(), plane_.Workers());
  const std::string prefix = request.namespace_().empty() ? "" : request.namespace_() + '/';
  std::vector<NamedPolicy> slice;
  std::optional<std::pair<std::uint64_t, GroupSizes>> sizes;  // with the generation that they belong to
  std::string last;                                           // the last policy of the slice before
  do {
    slice.clear();
    intake_.store().Read([&](const ResolvedPolicy& policy, const Table& table) {
      // Sizes of the slice before, unless the policy changed since.
      if (!sizes || sizes->first != table.generation()) sizes.emplace(table.generation(), GroupSizes(policy));
      SlicePolicies(policy, sizes->second, last, slice);
    });
    if (!slice.empty()) last = slice.back().name;
    for (NamedPolicy& named : slice) {
      if (!named.name.starts_with(prefix)) continue;
      if (!request.policy().empty() && named.name != request.policy()) continue;
      SortRules(&named.info);
      SetHits(hits, request.unused_only(), &named);
      if (request.unused_only() && named.info.rules().empty()) continue;
      if (!Send(std::move(named.info), writer)) return Status::CANCELLED;
    }
  } while (!slice.empty());
  return Status::OK;
}

}  // namespace sluice
