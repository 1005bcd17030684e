#include "table/classify.h"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "sluice/protocol.h"

#if defined(__SSE4_2__)
#include <immintrin.h>
#endif

namespace sluice {
namespace {

std::uint32_t Packed(const Decision& decision) { return decision.rule << 1 | (decision.allow ? 1u : 0u); }
Decision Unpacked(std::uint32_t packed) { return {packed >> 1, (packed & 1) != 0}; }

// Remembers two words for three words, as many entries as fit a cache line; the oldest entry
// makes way. An entry holds only in tables with one number of answers. Entries of another
// number are forgotten when the line is next used, so that a new number costs nothing at once.
class alignas(64) Line {
 public:
  static constexpr std::uint32_t kWays = 3;
  static constexpr std::uint32_t kNone = kWays;

  // The way that has this key, or kNone. In the key's third word, only the bits of `mask` count.
  std::uint32_t Find(std::uint32_t answers, std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t mask) {
    if (answers_ != answers) [[unlikely]] {
      words_ = {};
      answers_ = answers;
    }
    return static_cast<std::uint32_t>(std::countr_zero(Matches(a, b, c, mask) | 1u << kNone));
  }
  std::uint32_t word(std::uint32_t way, std::uint32_t index) const { return words_[index][way]; }
  // Adds an entry as way 0.
  void Add(const std::array<std::uint32_t, 5>& words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      std::shift_right(words_[i].begin(), words_[i].end(), 1);
      words_[i][0] = words[i];
    }
  }

 private:
  // Bit i is set if way i matches.
  std::uint32_t Matches(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t mask) const {
#if defined(__SSE4_2__)
    const auto load = [&](std::size_t i) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(words_[i].data()));
    };
    const auto all = [](std::uint32_t word) { return _mm_set1_epi32(static_cast<int>(word)); };
    const __m128i equal =
        _mm_and_si128(_mm_and_si128(_mm_cmpeq_epi32(load(0), all(a)), _mm_cmpeq_epi32(load(1), all(b))),
                      _mm_cmpeq_epi32(_mm_and_si128(load(2), all(mask)), all(c)));
    return static_cast<std::uint32_t>(_mm_movemask_ps(_mm_castsi128_ps(equal))) & ((1u << kWays) - 1);
#else
    std::uint32_t matches = 0;
    for (std::uint32_t way = 0; way < kWays; ++way) {
      const std::uint32_t differs = (words_[0][way] ^ a) | (words_[1][way] ^ b) | ((words_[2][way] & mask) ^ c);
      matches |= (differs == 0 ? 1u : 0u) << way;
    }
    return matches;
#endif
  }

  // By word, then by way. A load of four words may run into the words behind them.
  std::array<std::array<std::uint32_t, kWays>, 5> words_{};
  std::uint32_t answers_ = 0;  // the lower half of Table::answers
};
static_assert(sizeof(Line) == 64);

// The result for two identities, a protocol and a port, in both directions.
// All zeros is right for two identities that no policy concerns.
struct Answer {
  // Flags of an end, in the upper bits: this bit for the source, the next higher bit for the destination.
  static constexpr std::uint32_t kManaged = 1u << 24;
  static constexpr std::uint32_t kUnclaimed = 1u << 26;  // in a pod CIDR, and no endpoint has it; a node may have it
  static constexpr std::uint32_t kProtocolPort = kManaged - 1;

  std::uint32_t flags = 0;
  std::uint32_t egress = 0;  // packed
  std::uint32_t ingress = 0;
};

std::uint64_t Mix(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  std::uint64_t hash = (std::uint64_t{a} << 32 | b) * 0x9e3779b97f4a7c15u;
  hash = (hash ^ (hash >> 32) ^ c) * 0xff51afd7ed558ccdu;
  return hash ^ (hash >> 32);
}

std::uint32_t AnswersOf(const Table& table) { return static_cast<std::uint32_t>(table.answers()); }

std::uint32_t FlagsOf(const Identity& identity) {
  return ((identity.flags & Identity::kManaged) != 0 ? Answer::kManaged : 0) |
         (identity.flags == Identity::kInPodCidr ? Answer::kUnclaimed : 0);
}

}  // namespace

struct Classifier::Memory {
  explicit Memory(std::size_t lines)
      : answers(std::bit_ceil(lines)), sides(std::max<std::size_t>(answers.size() / 4, 1)) {}

  // From source, destination, flags, protocol and port to egress and ingress.
  std::vector<Line> answers;
  // Parts of decisions. From sections (never kEmptyIdSet: a side that no policy binds asks
  // nothing), peer class and port class to the decision. Or from bundles with kBundles, peer
  // class and their port class to the Admin tier's and Baseline's decision, 0 for none. Asked if
  // no remembered answer includes the part: there are far fewer parts than pairs of identities.
  std::vector<Line> sides;
  std::uint64_t worked_out = 0;
  std::vector<std::uint32_t> name_bits;  // of one address; grows to the largest number that one address has

  Line& AnswersAt(std::uint64_t hash) { return answers[hash & (answers.size() - 1)]; }

  // If a port class holds at most this many rules that name no port, and at
  // most one port set, finding the rules costs less than remembering them.
  static constexpr std::uint32_t kFew = 4;
  static constexpr std::uint32_t kBundles = 1u << 31;

  static std::uint32_t PackedTier(const Decision& decision) { return decision.rule == kNoRule ? 0 : Packed(decision); }

  Line& SideAt(std::uint32_t a, std::uint32_t b, std::uint32_t c) { return sides[Mix(a, b, c) & (sides.size() - 1)]; }

  std::uint32_t DecideBySections(const Table& table, IdSetId sections, IdSetId peer_class, IdSetId port_class) {
    if (sections == kEmptyIdSet) return Packed({});
    Line& line = SideAt(sections, peer_class, port_class);
    const std::uint32_t way = line.Find(AnswersOf(table), sections, peer_class, port_class, ~std::uint32_t{0});
    if (way != Line::kNone) return line.word(way, 3);
    ++worked_out;
    const std::uint32_t decision = Packed(table.DecideBySections(sections, PeerView{peer_class}, port_class));
    line.Add({sections, peer_class, port_class, decision, 0});
    return decision;
  }

  // The decisions of the Admin tier and Baseline, packed; 0: the tier says nothing.
  std::array<std::uint32_t, 2> DecideByBundles(const Table& table, IdSetId bundles, IdSetId peer_class,
                                               TierPortClass port_class) {
    const auto work_out = [&] {
      ++worked_out;
      const TierDecisions made = table.DecideByBundles(bundles, PeerView{peer_class}, port_class);
      return std::array{PackedTier(made.admin), PackedTier(made.baseline)};
    };
    if (!IsOfSeveral(port_class) && table.any_port_bundled() <= kFew) return work_out();
    Line& line = SideAt(bundles | kBundles, peer_class, port_class);
    const std::uint32_t way =
        line.Find(AnswersOf(table), bundles | kBundles, peer_class, port_class, ~std::uint32_t{0});
    if (way != Line::kNone) return {line.word(way, 3), line.word(way, 4)};
    const auto made = work_out();
    line.Add({bundles | kBundles, peer_class, port_class, made[0], made[1]});
    return made;
  }

  // As Table::Decide, if bundles may have a say.
  std::uint32_t DecideByBoth(const Table& table, const Identity& subject, Direction direction, const Identity& peer,
                             const PortClass& ports) {
    const IdSetId bundles = table.TiersOf(subject).in(direction);
    std::uint32_t baseline = 0;
    if (bundles != kEmptyIdSet) {
      const auto tiers = DecideByBundles(table, bundles, table.TiersOf(peer).peer_class, ports.bundles);
      if (tiers[0] != 0) return tiers[0];
      baseline = tiers[1];
    }
    const std::uint32_t own = DecideBySections(table, subject.sections(direction), peer.peer_class, ports.sections);
    return baseline == 0 || Unpacked(own).rule != kNoRule ? own : baseline;
  }

  static PortClass PortsOf(const Table& table, std::uint32_t protocol_port) {
    return table.PortClassOf(static_cast<std::uint8_t>(protocol_port >> 16), static_cast<std::uint16_t>(protocol_port));
  }

  // The egress side of a packet whose destination satisfies the rules by name of name_bits.
  Decision DecideByName(const Table& table, IdentityId from, IdentityId to, std::uint32_t protocol_port) const {
    return table.Decide(table.identity(from), Direction::kEgress, table.identity(to), name_bits,
                        PortsOf(table, protocol_port));
  }

  // Works out the answer, and remembers it in `line`.
  Answer Work(const Table& table, IdentityId from, IdentityId to, std::uint32_t protocol_port, Line& line) {
    const Identity& source = table.identity(from);
    const Identity& destination = table.identity(to);
    const PortClass ports = PortsOf(table, protocol_port);
    Answer answer{FlagsOf(source) | FlagsOf(destination) << 1};
    if (ports.bundles != kNoTierPort || table.any_port_bundled() != 0) {
      answer.egress = DecideByBoth(table, source, Direction::kEgress, destination, ports);
      answer.ingress = DecideByBoth(table, destination, Direction::kIngress, source, ports);
    } else {  // most ports are in no cluster policy
      answer.egress = DecideBySections(table, source.egress, destination.peer_class, ports.sections);
      answer.ingress = DecideBySections(table, destination.ingress, source.peer_class, ports.sections);
    }
    line.Add({from, to, answer.flags | protocol_port, answer.egress, answer.ingress});
    return answer;
  }
};

namespace {

// Finds the bits of the rules by name that the query's destination satisfies, ascending.
void FindNameBits(const NameRules& rules, const ClassifyQuery& query, const NamesNow& names,
                  std::vector<std::uint32_t>& bits) {
  bits.clear();
  const DomainPatterns* began_by = query.began_by;
  const auto* learnt = names.learnt == nullptr ? nullptr : names.learnt->Find(query.destination);
  if (learnt != nullptr) {
    for (const LearntName& each : *learnt) {
      if (each.until_ns > names.now_ns || (began_by != nullptr && began_by->Match(each.name))) {
        rules.AppendBits(each.name, bits);
      }
    }
  }
  // It may be forgotten by now which of these names it was: a rule that asks for all of them also asks for that one.
  if (began_by != nullptr) rules.AppendBitsOfAll(*began_by, bits);
  std::sort(bits.begin(), bits.end());
  bits.erase(std::unique(bits.begin(), bits.end()), bits.end());
}

}  // namespace

Classifier::Classifier(std::size_t lines) : memory_(std::make_unique<Memory>(lines)) {}
Classifier::~Classifier() = default;
std::uint64_t Classifier::worked_out() const { return memory_->worked_out; }

void Classifier::Classify(const Table& table, std::span<const ClassifyQuery> queries, Classification* out,
                          bool exemptions, const NamesNow& names) {
  Memory& memory = *memory_;
  const bool has_name_rules = !table.name_rules().empty();
  const std::uint32_t answers = AnswersOf(table);
  std::array<const IpAddress*, 2 * kMaxBurst> ends;
  std::array<AddressEntry, 2 * kMaxBurst> entries;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    ends[2 * i] = &queries[i].source;
    ends[2 * i + 1] = &queries[i].destination;
  }
  table.addresses().LookupBurst(std::span(ends).first(2 * queries.size()), entries.data());

  std::array<Line*, kMaxBurst> lines;
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
    Line& line = *lines[i];
    const std::uint32_t way = line.Find(answers, from.identity, to.identity, ports[i], Answer::kProtocolPort);
    const Answer answer = way != Line::kNone ? Answer{line.word(way, 2), line.word(way, 3), line.word(way, 4)}
                                             : memory.Work(table, from.identity, to.identity, ports[i], line);
    Classification& result = out[i];
    result = {};
    const bool source_managed = (answer.flags & Answer::kManaged) != 0;
    const bool destination_managed = (answer.flags & Answer::kManaged << 1) != 0;
    result.unknown_endpoint = ((answer.flags & Answer::kUnclaimed) != 0 && from.node == kNoNode) ||
                              ((answer.flags & Answer::kUnclaimed << 1) != 0 && to.node == kNoNode);
    if (!source_managed && !destination_managed) {
      result.between_nodes = from.node != to.node && !result.unknown_endpoint;
      continue;
    }
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
    if (has_name_rules && source_managed) [[unlikely]] {
      FindNameBits(table.name_rules(), queries[i], names, memory.name_bits);
      if (!memory.name_bits.empty()) result.egress = memory.DecideByName(table, from.identity, to.identity, ports[i]);
    }
    result.allow = result.egress.allow && result.ingress.allow;
    if (result.allow) continue;
    if (!result.egress.allow) result.egress_sections = table.identity(from.identity).egress;
    if (!result.ingress.allow) result.ingress_sections = table.identity(to.identity).ingress;
  }
}

}  // namespace sluice
