#include "table/bundle.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <span>
#include <utility>

namespace sluice {
namespace {

std::vector<SectionId> Difference(const std::vector<SectionId>& of, const std::vector<SectionId>& without) {
  std::vector<SectionId> left;
  std::set_difference(of.begin(), of.end(), without.begin(), without.end(), std::back_inserter(left));
  return left;
}

std::vector<RuleMatch> RulesOf(const InternedPolicy& interned, const std::vector<SectionId>& sections) {
  std::vector<RuleMatch> rules;
  for (const SectionId id : sections) {
    const TableSection& section = interned.sections[id];
    rules.insert(rules.end(), section.rules, section.rules + section.count);
  }
  return rules;
}

// `slots`: a power of two, at least 2. Consecutive ids, such as those of a policy's rules, get slots far apart.
std::size_t SlotOf(std::uint32_t port_set, std::size_t slots) {
  return std::size_t{port_set} * 0x9e3779b97f4a7c15u >> (std::countl_zero(slots) + 1);
}

void Index(Bundle& bundle) {
  const std::vector<RuleMatch>& rules = bundle.rules;
  std::uint32_t port_sets = 0;
  for (std::uint32_t i = 0; i < rules.size() && rules[i].port_set != RuleMatch::kAnyPortSet; ++i) {
    if (i == 0 || rules[i].port_set != rules[i - 1].port_set) ++port_sets;
    bundle.any_port = i + 1;
  }
  if (port_sets == 0) return;
  bundle.starts.resize(std::bit_ceil(std::size_t{port_sets} * 3 / 2 + 1));
  for (std::uint32_t i = 0; i < bundle.any_port; ++i) {
    if (i > 0 && rules[i].port_set == rules[i - 1].port_set) continue;
    std::size_t slot = SlotOf(rules[i].port_set, bundle.starts.size());
    while (bundle.starts[slot] != 0) slot = (slot + 1) & (bundle.starts.size() - 1);
    bundle.starts[slot] = i + 1;
  }
}

}  // namespace

std::shared_ptr<const Bundle> MakeBundle(const InternedPolicy& interned, std::vector<SectionId> sections,
                                         const Bundle& base) {
  const auto comes_before = [&interned](const RuleMatch& a, const RuleMatch& b) {
    if (a.port_set != b.port_set) return a.port_set < b.port_set;
    if (a.tier != b.tier) return a.tier < b.tier;
    return Precedes((*interned.rules)[a.rule], (*interned.rules)[b.rule]);
  };
  auto bundle = std::make_shared<Bundle>();
  std::vector<RuleMatch> came = RulesOf(interned, Difference(sections, base.sections));
  std::sort(came.begin(), came.end(), comes_before);
  std::vector<RuleId> left;
  for (const RuleMatch& match : RulesOf(interned, Difference(base.sections, sections))) left.push_back(match.rule);
  std::sort(left.begin(), left.end());
  const auto stays = [&left](const RuleMatch& match) {
    return left.empty() || match.rule < left.front() || match.rule > left.back() ||
           !std::binary_search(left.begin(), left.end(), match.rule);
  };
  bundle->rules.reserve(base.rules.size() + came.size() - left.size());
  auto next = came.begin();
  for (const RuleMatch& match : base.rules) {
    if (!stays(match)) continue;
    while (next != came.end() && comes_before(*next, match)) bundle->rules.push_back(*next++);
    bundle->rules.push_back(match);
  }
  bundle->rules.insert(bundle->rules.end(), next, came.end());
  bundle->sections = std::move(sections);
  Index(*bundle);
  return bundle;
}

namespace {

// Offers the best rule of each tier from `match` on, as long as the rules are of one port set.
void MatchRun(const InternedPolicy& interned, const PeerView& peer, const RuleMatch* match, const RuleMatch* end,
              BestMatches& best) {
  if (match == end) return;
  const std::uint32_t port_set = match->port_set;
  while (match != end && match->port_set == port_set) {
    const Tier tier = match->tier;
    const bool holds = peer.IsHeldBy(interned, *match);
    if (holds) best.Offer(interned, *match);
    ++match;
    // The rest of this tier is not better.
    while (holds && match != end && match->port_set == port_set && match->tier == tier) ++match;
  }
}

}  // namespace

void Bundle::Match(const InternedPolicy& interned, const PeerView& peer, TierPortClass port_class,
                   BestMatches& best) const {
  const RuleMatch* const end = rules.data() + rules.size();
  const auto of_port_set = [&](std::uint32_t port_set) {
    if (starts.empty()) return;
    for (std::size_t slot = SlotOf(port_set, starts.size()); starts[slot] != 0;
         slot = (slot + 1) & (starts.size() - 1)) {
      const RuleMatch* first = rules.data() + starts[slot] - 1;
      if (first->port_set == port_set) return MatchRun(interned, peer, first, end, best);
    }
  };
  // If a port is in very many sets, it is quicker to look at all rules.
  constexpr std::size_t kSearch = 8;
  if (!IsOfSeveral(port_class)) {
    if (port_class != kNoTierPort) of_port_set(port_class & ~kOnePortSet);
  } else if (interned.tier_port_classes.Size(port_class) * kSearch <= any_port) {
    interned.tier_port_classes.ForEach(port_class, of_port_set);
  } else {
    for (const RuleMatch& match : std::span(rules).first(any_port)) {
      if (interned.tier_port_classes.Contains(port_class, match.port_set) && peer.IsHeldBy(interned, match)) {
        best.Offer(interned, match);
      }
    }
  }
  MatchRun(interned, peer, rules.data() + any_port, end, best);
}

}  // namespace sluice
