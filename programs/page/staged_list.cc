#include "page/staged_list.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

namespace sluice {
namespace {

constexpr std::uint64_t kNsPerMs = 1'000'000;

PageJson NodeJson(const MapEnd& end) { return {{"namespace", end.namespace_name}, {"workload", end.workload}}; }

PageJson RulesJson(const v1::RuleName& egress, const v1::RuleName& ingress) {
  PageJson rules = PageJson::array();
  for (const auto& [rule, direction] :
       {std::pair(&egress, Direction::kEgress), std::pair(&ingress, Direction::kIngress)}) {
    if (!rule->policy().empty()) rules.push_back(RuleJson(*rule, direction));
  }
  return rules;
}

}  // namespace

void StagedList::Add(PageTarget& target, const PageTarget::StagedAnswer& answer) {
  Add([&](const v1::StagedPod& pod) { return target.EndOf(pod); }, answer);
}

void StagedList::Add(const EndOf& end_of, const PageTarget::StagedAnswer& answer) {
  const v1::StagedSummary& summary = answer.summary;
  if (summary.since_unix_ns() != 0) {
    since_unix_ns_ = since_unix_ns_ == 0 ? summary.since_unix_ns() : std::min(since_unix_ns_, summary.since_unix_ns());
  }
  judged_ += summary.judged();
  not_kept_ += summary.not_kept();
  pods_ = std::max(pods_, summary.pods());
  for (const v1::StagedPolicy& policy : summary.policies()) policies_[policy.policy()] = policy.deletes();
  if (summary.has_refused()) refused_.insert(summary.refused().object() + ": " + summary.refused().reason());
  silent_.insert(answer.silent.begin(), answer.silent.end());
  for (const v1::StagedDifference& difference : answer.differences) {
    PageJson shown = {{"would_allow", difference.would_allow()},
                      {"from", NodeJson(end_of(difference.source_pod()))},
                      {"to", NodeJson(end_of(difference.destination_pod()))},
                      {"proto", TextOfProtocol(difference.protocol())},
                      {"port", difference.destination_port()},
                      {"in_force", RulesJson(difference.in_force_egress(), difference.in_force_ingress())},
                      {"staged", RulesJson(difference.staged_egress(), difference.staged_ingress())}};
    Row& row = rows_[ToText(shown)];
    row.shown = std::move(shown);
    row.would_allow = difference.would_allow();
    row.connections += difference.connections();
    row.packets += difference.packets();
    row.first_unix_ns = row.first_unix_ns == 0 ? difference.first_unix_ns()
                                               : std::min<std::uint64_t>(row.first_unix_ns, difference.first_unix_ns());
    row.last_unix_ns = std::max<std::uint64_t>(row.last_unix_ns, difference.last_unix_ns());
  }
}

PageJson StagedList::Shown(std::string_view text) const {
  std::vector<const Row*> rows;
  std::uint64_t would_deny = 0, would_allow = 0;
  for (const auto& [key, row] : rows_) {
    (row.would_allow ? would_allow : would_deny) += row.would_allow ? row.packets : row.connections;
    if (key.find(text) != key.npos) rows.push_back(&row);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row* a, const Row* b) {
    return std::tuple(a->would_allow, b->packets) < std::tuple(b->would_allow, a->packets);
  });
  PageJson json = {{"since_ms", since_unix_ns_ / kNsPerMs},
                   {"judged", judged_},
                   {"not_kept", not_kept_},
                   {"pods", pods_},
                   {"would_deny", would_deny},
                   {"would_allow", would_allow}};
  json["policies"] = PageJson::array();
  for (const auto& [policy, deletes] : policies_)
    json["policies"].push_back({{"policy", policy}, {"deletes", deletes}});
  json["refused"] = refused_;
  json["silent_count"] = silent_.size();
  json["silent"] = PageJson::array();
  for (const std::string& pod : silent_) {
    if (json["silent"].size() == kSilentShown) break;
    json["silent"].push_back(pod);
  }
  json["matching"] = rows.size();
  json["rows"] = PageJson::array();
  for (const Row* row : rows) {
    if (json["rows"].size() == kShown) break;
    PageJson& shown = json["rows"].emplace_back(row->shown);
    shown["connections"] = row->connections;
    shown["packets"] = row->packets;
    shown["first_ms"] = row->first_unix_ns / kNsPerMs;
    shown["last_ms"] = row->last_unix_ns / kNsPerMs;
  }
  return json;
}

}  // namespace sluice
