#include "core/deny_table.h"

#include <algorithm>
#include <bit>

namespace sluice {
namespace {

// Both halves of a product, as wyhash folds them.
std::uint64_t Fold(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a ^ 0x9e3779b97f4a7c15) * (b ^ 0xbf58476d1ce4e5b9);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t Hash(std::uint64_t seed, const DenyTable::Key& key) {
  std::uint64_t hash = seed;
  for (const IpAddress* address : {&key.source, &key.destination}) {
    hash = Fold(hash ^ address->hi, address->lo + static_cast<std::uint64_t>(address->family));
  }
  const std::uint64_t small = std::uint64_t{key.destination_port} << 32 | std::uint64_t{key.protocol} << 16 |
                              std::uint64_t{static_cast<std::uint8_t>(key.reason)} << 8 |
                              static_cast<std::uint8_t>(key.verdict);
  hash = Fold(hash ^ small, std::uint64_t{key.egress_rule} << 32 | key.ingress_rule);
  return Fold(hash, key.epoch);
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
    : seed_(seed), halves_{Half(most_pairs, most_rules), Half(most_pairs, most_rules)} {}

std::size_t DenyTable::List::SlotsFor(std::uint32_t most) { return std::bit_ceil(std::size_t{2} * most + 2); }

DenyTable::Entry* DenyTable::List::Find(std::uint64_t hash, const Key& key) {
  const std::size_t mask = slots_.size() - 1;  // never more than half of the slots are taken
  std::size_t slot = hash & mask;
  while (slots_[slot] != 0) {
    Entry& entry = entries_[slots_[slot] - 1];
    if (entry.key == key) return &entry;
    slot = (slot + 1) & mask;
  }
  if (count_ == entries_.size()) return nullptr;
  Entry& entry = entries_[count_++];
  slots_[slot] = count_;
  entry = Entry();
  entry.key = key;
  return &entry;
}

void DenyTable::List::Clear() {
  if (count_ != 0) std::fill(slots_.begin(), slots_.end(), 0);
  count_ = 0;
}

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
