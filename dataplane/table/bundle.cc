#include "table/bundle.h"

#include <algorithm>
#include <iterator>
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
  return bundle;
}

void Bundle::Match(const InternedPolicy& interned, const PeerView& peer, PortClassId port_class,
                   BestMatches& best) const {
  // Where a port is in very many sets, it is quicker to look at all rules.
  constexpr std::size_t kSearch = 8;
  if (interned.port_classes.Size(port_class) * kSearch > rules.size()) {
    for (const RuleMatch& match : rules) {
      if ((match.port_set == RuleMatch::kAnyPortSet || interned.port_classes.Contains(port_class, match.port_set)) &&
          peer.IsHeldBy(interned, match)) {
        best.Offer(interned, match);
      }
    }
    return;
  }
  const auto of_port_set = [&](std::uint32_t port_set) {
    auto match = std::lower_bound(rules.begin(), rules.end(), port_set,
                                  [](const RuleMatch& each, std::uint32_t wanted) { return each.port_set < wanted; });
    while (match != rules.end() && match->port_set == port_set) {
      const Tier tier = match->tier;
      const bool holds = peer.IsHeldBy(interned, *match);
      if (holds) best.Offer(interned, *match);
      ++match;
      // Of this tier, none is better.
      while (holds && match != rules.end() && match->port_set == port_set && match->tier == tier) ++match;
    }
  };
  interned.port_classes.ForEach(port_class, of_port_set);
  of_port_set(RuleMatch::kAnyPortSet);
}

}  // namespace sluice
