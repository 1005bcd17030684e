#include "table/classify.h"

#include <algorithm>
#include <array>
#include <bit>
#include <tuple>
#include <vector>

#include "sluice/protocol.h"

namespace sluice {
namespace {

std::uint32_t Packed(const Decision& decision) { return decision.rule << 1 | (decision.allow ? 1u : 0u); }
Decision Unpacked(std::uint32_t packed) { return {packed >> 1, (packed & 1) != 0}; }

// What two identities, a protocol and a port come to, both directions. All zeros is true of two identities that no
// policy concerns.
struct Answer {
  IdentityId source = 0;
  IdentityId destination = 0;
  std::uint32_t protocol_port = 0;
  std::uint32_t flags = 0;
  std::uint32_t egress = 0;  // packed
  std::uint32_t ingress = 0;

  // Of an end: the bit for the source, twice it for the destination.
  static constexpr std::uint32_t kManaged = 1;
  static constexpr std::uint32_t kUnclaimed = 4;  // in a pod CIDR, and no endpoint has it

  bool IsFor(IdentityId from, IdentityId to, std::uint32_t port) const {
    return ((source ^ from) | (destination ^ to) | (protocol_port ^ port)) == 0;
  }
};

// What sections say of a peer class and a port class, where no answer is remembered that would include it: there are
// far fewer of these than of pairs of identities.
struct SideDecision {
  std::uint32_t sections = 0;  // never kEmptyIdSet: a side that no policy binds asks nothing
  std::uint32_t peer_class = 0;
  std::uint32_t port_class = 0;
  std::uint32_t decision = 0;  // packed
};

// As many as fill a line; the oldest makes way.
template <typename T, std::size_t kWays>
struct alignas(64) Line {
  std::array<T, kWays> ways;

  void Add(const T& value) {
    std::shift_right(ways.begin(), ways.end(), 1);
    ways[0] = value;
  }
};
using AnswerLine = Line<Answer, 2>;
using SideLine = Line<SideDecision, 4>;
static_assert(sizeof(AnswerLine) == 64 && sizeof(SideLine) == 64);

std::uint64_t Mix(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  std::uint64_t hash = (std::uint64_t{a} << 32 | b) * 0x9e3779b97f4a7c15u;
  hash = (hash ^ (hash >> 32) ^ c) * 0xff51afd7ed558ccdu;
  return hash ^ (hash >> 32);
}

template <typename T>
std::size_t LinesFor(std::size_t entries) {
  return std::bit_ceil(std::max<std::size_t>(entries / std::tuple_size_v<decltype(T::ways)>, 1));
}

std::uint32_t FlagsOf(const Identity& identity) {
  return ((identity.flags & Identity::kManaged) != 0 ? Answer::kManaged : 0) |
         (identity.flags == Identity::kInPodCidr ? Answer::kUnclaimed : 0);
}

}  // namespace

struct Classifier::Memory {
  explicit Memory(std::size_t entries)
      : answers(LinesFor<AnswerLine>(entries / 2)), sides(LinesFor<SideLine>(entries)) {}

  std::vector<AnswerLine> answers;
  std::vector<SideLine> sides;
  std::uint64_t epoch = 0;
  std::uint64_t worked_out = 0;

  AnswerLine& AnswersAt(std::uint64_t hash) { return answers[hash & (answers.size() - 1)]; }

  Decision DecideSide(const Table& table, IdSetId sections, IdSetId peer_class, PortClassId port_class) {
    if (sections == kEmptyIdSet) return {};
    SideLine& line = sides[Mix(sections, peer_class, port_class) & (sides.size() - 1)];
    for (const SideDecision& way : line.ways) {
      if (way.sections == sections && way.peer_class == peer_class && way.port_class == port_class) {
        return Unpacked(way.decision);
      }
    }
    ++worked_out;
    const Decision decision = table.Decide(sections, peer_class, port_class);
    line.Add({sections, peer_class, port_class, Packed(decision)});
    return decision;
  }

  // Works the answer out, and remembers it in `line`.
  Answer Work(const Table& table, IdentityId from, IdentityId to, std::uint32_t protocol_port, AnswerLine& line) {
    const Identity& source = table.identity(from);
    const Identity& destination = table.identity(to);
    const PortClassId port_class =
        table.PortClass(static_cast<std::uint8_t>(protocol_port >> 16), static_cast<std::uint16_t>(protocol_port));
    const Answer answer{from,
                        to,
                        protocol_port,
                        FlagsOf(source) | FlagsOf(destination) << 1,
                        Packed(DecideSide(table, source.egress, destination.peer_class, port_class)),
                        Packed(DecideSide(table, destination.ingress, source.peer_class, port_class))};
    line.Add(answer);
    return answer;
  }
};

Classifier::Classifier(std::size_t entries) : memory_(std::make_unique<Memory>(entries)) {}
Classifier::~Classifier() = default;
std::uint64_t Classifier::worked_out() const { return memory_->worked_out; }

void Classifier::Classify(const Table& table, std::span<const ClassifyQuery> queries, Classification* out,
                          bool exemptions) {
  Memory& memory = *memory_;
  if (memory.epoch != table.epoch()) {
    std::ranges::fill(memory.answers, AnswerLine{});
    std::ranges::fill(memory.sides, SideLine{});
    memory.epoch = table.epoch();
  }

  std::array<const IpAddress*, 2 * kMaxBurst> ends;
  std::array<AddressEntry, 2 * kMaxBurst> entries;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    ends[2 * i] = &queries[i].source;
    ends[2 * i + 1] = &queries[i].destination;
  }
  table.addresses().LookupBurst(std::span(ends).first(2 * queries.size()), entries.data());

  std::array<AnswerLine*, kMaxBurst> lines;
  std::array<std::uint32_t, kMaxBurst> ports;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const ClassifyQuery& query = queries[i];
    ports[i] = std::uint32_t{query.protocol} << 16 | (HasPorts(query.protocol) ? query.destination_port : 0u);
    lines[i] = &memory.AnswersAt(Mix(entries[2 * i].identity, entries[2 * i + 1].identity, ports[i]));
    __builtin_prefetch(lines[i], 1, 3);
  }

  for (std::size_t i = 0; i < queries.size(); ++i) {
    const AddressEntry& from = entries[2 * i];
    const AddressEntry& to = entries[2 * i + 1];
    const auto& ways = lines[i]->ways;
    const Answer answer = ways[0].IsFor(from.identity, to.identity, ports[i]) ? ways[0]
                          : ways[1].IsFor(from.identity, to.identity, ports[i])
                              ? ways[1]
                              : memory.Work(table, from.identity, to.identity, ports[i], *lines[i]);
    Classification& result = out[i];
    result = {};
    const bool source_managed = (answer.flags & Answer::kManaged) != 0;
    const bool destination_managed = (answer.flags & Answer::kManaged << 1) != 0;
    result.unknown_endpoint = ((answer.flags & Answer::kUnclaimed) != 0 && from.node == kNoNode) ||
                              ((answer.flags & Answer::kUnclaimed << 1) != 0 && to.node == kNoNode);
    if (!source_managed && !destination_managed) continue;
    if (exemptions) {
      if (queries[i].source == queries[i].destination) {
        result.exemption = Exemption::kSelf;
        continue;
      }
      if (source_managed != destination_managed && from.node == to.node && from.node != kNoNode) {
        result.exemption = Exemption::kNode;
        continue;
      }
    }
    result.concerned = true;
    result.egress = Unpacked(answer.egress);
    result.ingress = Unpacked(answer.ingress);
    result.allow = result.egress.allow && result.ingress.allow;
  }
}

}  // namespace sluice
