#include "core/deny_table.h"

#include "core/fold_hash.h"

namespace sluice {
namespace {

std::uint64_t Hash(std::uint64_t seed, const DenyTable::Key& key) {
  std::uint64_t hash = seed;
  for (const IpAddress* address : {&key.source, &key.destination}) {
    hash = FoldHash(hash ^ address->hi, address->lo + static_cast<std::uint64_t>(address->family));
  }
  const std::uint64_t small = std::uint64_t{key.destination_port} << 32 | std::uint64_t{key.protocol} << 16 |
                              std::uint64_t{static_cast<std::uint8_t>(key.reason)} << 8 |
                              static_cast<std::uint8_t>(key.verdict);
  hash = FoldHash(hash ^ small, std::uint64_t{key.egress_rule} << 32 | key.ingress_rule);
  return FoldHash(hash, key.epoch);
}

void Count(const DropRecord& record, DenyTable::Entry& entry) {
  if (entry.packets == 0) entry.first_ns = record.time_ns;
  entry.last_ns = record.time_ns;
  entry.generation = record.generation;
  entry.sections = record.sections;
  ++entry.packets;
  entry.bytes += record.frame_length;
}

}  // namespace

DenyTable::DenyTable(std::uint64_t seed, std::uint32_t most_pairs, std::uint32_t most_rules)
    : seed_(seed), halves_(most_pairs, most_rules) {}

void DenyTable::Half::Add(std::uint64_t seed, const DropRecord& record) {
  Key key{.source = record.source,
          .destination = record.destination,
          .destination_port = record.destination_port,
          .protocol = record.protocol,
          .reason = record.reason,
          .verdict = record.verdict,
          .egress_rule = record.egress_rule,
          .ingress_rule = record.ingress_rule,
          .epoch = record.epoch};
  if (Entry* pair = pairs.Find(Hash(seed, key), key)) {
    if (pair->packets == 0) pair->source_port = record.source_port;
    return Count(record, *pair);
  }
  key.source = key.destination = IpAddress();
  key.destination_port = 0;
  key.protocol = 0;
  if (Entry* rule = rules.Find(Hash(seed, key), key)) {
    rule->scope = Entry::Scope::kRule;
    return Count(record, *rule);
  }
  rest.scope = Entry::Scope::kRest;
  Count(record, rest);
}

}  // namespace sluice
