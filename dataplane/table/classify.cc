#include "table/classify.h"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

namespace sluice {
namespace {

// One remembered decision. `sections` is never kEmptyIdSet: a side that no policy binds asks nothing.
struct Remembered {
  std::uint32_t sections = 0;
  std::uint32_t peer_class = 0;
  std::uint32_t port_class = 0;
  std::uint32_t decision = 0;  // rule << 1 | allow
};

constexpr std::size_t kWays = 4;

struct alignas(64) Set {
  std::array<Remembered, kWays> ways;
};
static_assert(sizeof(Set) == 64);

std::uint64_t Mix(std::uint32_t sections, std::uint32_t peer_class, std::uint32_t port_class) {
  std::uint64_t hash = (std::uint64_t{sections} << 32 | peer_class) * 0x9e3779b97f4a7c15u;
  hash = (hash ^ (hash >> 32) ^ port_class) * 0xff51afd7ed558ccdu;
  return hash ^ (hash >> 32);
}

}  // namespace

struct Classifier::Memory {
  explicit Memory(std::size_t entries) : sets(std::bit_ceil(std::max(entries, kWays) / kWays)), mask(sets.size() - 1) {}

  std::vector<Set> sets;
  std::size_t mask;
  std::uint64_t epoch = 0;
  std::uint32_t next_victim = 0;
  std::uint64_t remembered = 0;
  std::uint64_t worked_out = 0;

  Decision Decide(const Table& table, std::uint64_t hash, IdSetId sections, IdSetId peer_class,
                  PortClassId port_class) {
    Set& set = sets[hash & mask];
    for (const Remembered& way : set.ways) {
      if (way.sections == sections && way.peer_class == peer_class && way.port_class == port_class) {
        ++remembered;
        return {way.decision >> 1, (way.decision & 1) != 0};
      }
    }
    ++worked_out;
    const Decision decision = table.Decide(sections, peer_class, port_class);
    set.ways[next_victim++ % kWays] = {sections, peer_class, port_class,
                                       decision.rule << 1 | (decision.allow ? 1u : 0u)};
    return decision;
  }
};

Classifier::Classifier(std::size_t entries) : memory_(std::make_unique<Memory>(entries)) {}
Classifier::~Classifier() = default;
std::uint64_t Classifier::remembered() const { return memory_->remembered; }
std::uint64_t Classifier::worked_out() const { return memory_->worked_out; }

void Classifier::Classify(const Table& table, std::span<const ClassifyQuery> queries, Classification* out,
                          bool exemptions) {
  if (memory_->epoch != table.epoch()) {
    std::fill(memory_->sets.begin(), memory_->sets.end(), Set{});
    memory_->epoch = table.epoch();
  }

  std::array<const IpAddress*, 2 * kMaxBurst> ends;
  std::array<AddressEntry, 2 * kMaxBurst> entries;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    ends[2 * i] = &queries[i].source;
    ends[2 * i + 1] = &queries[i].destination;
  }
  table.addresses().LookupBurst(std::span(ends).first(2 * queries.size()), entries.data());

  // What is left to ask: one probe for each side that a policy binds.
  struct Probe {
    std::uint64_t hash;
    IdSetId sections;
    IdSetId peer_class;
    PortClassId port_class;
    Decision* decision;
  };
  std::array<Probe, 2 * kMaxBurst> probes;
  std::size_t probe_count = 0;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const ClassifyQuery& query = queries[i];
    const AddressEntry source_entry = entries[2 * i];
    const AddressEntry destination_entry = entries[2 * i + 1];
    const Identity& source = table.identity(source_entry.identity);
    const Identity& destination = table.identity(destination_entry.identity);
    const bool source_managed = (source.flags & Identity::kManaged) != 0;
    const bool destination_managed = (destination.flags & Identity::kManaged) != 0;
    Classification& result = out[i];
    result = {};
    const auto unknown = [](const Identity& identity, const AddressEntry& entry) {
      return identity.flags == Identity::kInPodCidr && entry.node == kNoNode;
    };
    result.unknown_endpoint = unknown(source, source_entry) || unknown(destination, destination_entry);
    if (!source_managed && !destination_managed) continue;
    if (exemptions) {
      if (query.source == query.destination) {
        result.exemption = Exemption::kSelf;
        continue;
      }
      if (source_managed != destination_managed && source_entry.node == destination_entry.node &&
          source_entry.node != kNoNode) {
        result.exemption = Exemption::kNode;
        continue;
      }
    }
    result.concerned = true;
    const PortClassId port_class = table.PortClass(query.protocol, query.destination_port);
    const auto ask = [&](IdSetId sections, IdSetId peer_class, Decision* decision) {
      if (sections == kEmptyIdSet) return;
      const std::uint64_t hash = Mix(sections, peer_class, port_class);
      __builtin_prefetch(&memory_->sets[hash & memory_->mask]);
      probes[probe_count++] = {hash, sections, peer_class, port_class, decision};
    };
    ask(source.egress, destination.peer_class, &result.egress);
    ask(destination.ingress, source.peer_class, &result.ingress);
  }
  for (std::size_t i = 0; i < probe_count; ++i) {
    const Probe& probe = probes[i];
    *probe.decision = memory_->Decide(table, probe.hash, probe.sections, probe.peer_class, probe.port_class);
  }
  for (std::size_t i = 0; i < queries.size(); ++i) out[i].allow = out[i].egress.allow && out[i].ingress.allow;
}

}  // namespace sluice
