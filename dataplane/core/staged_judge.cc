#include "core/staged_judge.h"

#include <span>

#include "core/fold_hash.h"

namespace sluice {
namespace {

// Differences are few, and the classifier of the table in force
// remembers identities that differ: so a smaller memory is enough.
constexpr std::size_t kClassifierLines = 32 * 1024;

std::uint64_t Hash(std::uint64_t seed, const IpAddress& address) {
  return FoldHash(seed ^ address.hi, address.lo + static_cast<std::uint64_t>(address.family));
}

// The rules follow from the other fields, as long as the tables are the same.
std::uint64_t Hash(std::uint64_t seed, const StagedJudge::Key& key) {
  const std::uint64_t small =
      std::uint64_t{key.destination_port} << 16 | std::uint64_t{key.protocol} << 1 | (key.would_allow ? 1u : 0u);
  return FoldHash(Hash(Hash(seed, key.source), key.destination), small);
}

}  // namespace

StagedJudge::StagedJudge(std::uint64_t seed, std::uint32_t ipv4_flows, std::uint32_t ipv6_flows,
                         bool drop_unknown_endpoint, std::uint32_t most)
    : seed_(seed),
      drop_unknown_endpoint_(drop_unknown_endpoint),
      classifier_(kClassifierLines),
      differs_{std::vector<std::uint64_t>(ipv4_flows / 64 + 1), std::vector<std::uint64_t>(ipv6_flows / 64 + 1)},
      halves_(most) {}

void StagedJudge::Mark(FlowName flow, bool differs) {
  if (!flow.is_flow()) return;
  std::uint64_t& word = differs_[flow.family == Family::kIpv6][flow.flow / 64];
  const std::uint64_t bit = std::uint64_t{1} << (flow.flow % 64);
  word = differs ? word | bit : word & ~bit;
}

void StagedJudge::CountParty(const IpAddress& address, const Table& table, std::uint64_t now_ns, Half& half) {
  Party* party = half.parties.Find(Hash(seed_, address), address);
  if (party == nullptr) return;
  party->last_ns = now_ns;
  party->staging = table.staging();
}

void StagedJudge::CountPair(const Key& key, const Noted& noted, std::uint64_t now_ns, Half& half) {
  Entry* entry = half.pairs.Find(Hash(seed_, key), key);
  if (entry == nullptr) {
    half.not_kept += noted.connections;
    return;
  }
  if (entry->last_ns == 0) entry->first_ns = now_ns;
  entry->last_ns = now_ns;
  entry->connections += noted.connections;
  entry->packets += noted.packets;
}

void StagedJudge::Flush(const Table& table, std::uint64_t now_ns, const NamesNow& names) {
  if (count_ == 0) return;
  const Table& staged = *table.staged();
  Half& half = halves_.half();
  classifier_.Classify(staged, std::span(queries_).first(count_), answers_.data(), true, names);
  for (std::size_t i = 0; i < count_; ++i) {
    const ClassifyQuery& query = queries_[i];
    const Noted& noted = noted_[i];
    const Classification& answer = answers_[i];
    if (noted.connections != 0) {
      half.judged += noted.connections;
      CountParty(query.source, table, now_ns, half);
      if (noted.allowed) CountParty(query.destination, table, now_ns, half);
    }
    const bool would_allow = !IsDenied(answer);
    Mark(noted.flow, noted.allowed && !would_allow);
    if (would_allow == noted.allowed) continue;
    CountPair({.source = query.source,
               .destination = query.destination,
               .destination_port = query.destination_port,
               .protocol = query.protocol,
               .would_allow = would_allow,
               .egress_rule = noted.egress_rule,
               .ingress_rule = noted.ingress_rule,
               .staged_egress_rule = RuleOf(answer.egress, would_allow),
               .staged_ingress_rule = RuleOf(answer.ingress, would_allow),
               .epoch = table.epoch(),
               .staged_epoch = staged.epoch(),
               .staging = table.staging()},
              noted, now_ns, half);
  }
  count_ = 0;
}

}  // namespace sluice
