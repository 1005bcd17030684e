#include "lint/tiers.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "lint/cover.h"

namespace sluice {
namespace {

struct Side {
  std::vector<ClusterPolicyRule> ClusterPolicy::*rules;
  std::string_view path;
};

constexpr std::array<Side, 2> kSides = {
    Side{&ClusterPolicy::ingress, "spec.ingress"},
    Side{&ClusterPolicy::egress, "spec.egress"},
};

bool HaveEqualPlaces(const ClusterPolicy& a, const ClusterPolicy& b) {
  return a.tier == b.tier && a.priority == b.priority;
}

class TierLook {
 public:
  TierLook(const std::vector<ClusterPolicy>& policies, const Meeting& meeting)
      : meeting_(meeting), order_(AskedInOrder(policies)) {}

  std::vector<TierFinding> Run() {
    for (std::size_t i = 0; i < order_.size(); ++i) {
      for (const Side& side : kSides) LookForHidden(side, i);
      for (std::size_t before = i; before-- > 0 && HaveEqualPlaces(*order_[before], *order_[i]);) {
        if (!meeting_.subjects(order_[before]->subject, order_[i]->subject)) continue;
        for (const Side& side : kSides) LookForQuarrel(side, *order_[before], *order_[i]);
      }
    }
    return std::move(findings_);
  }

 private:
  void LookForHidden(const Side& side, std::size_t place) {
    const ClusterPolicy& policy = *order_[place];
    const std::vector<ClusterPolicyRule>& rules = policy.*side.rules;
    std::vector<bool> told(rules.size(), false);
    for (std::size_t before = 0; before <= place; ++before) {
      const ClusterPolicy& earlier = *order_[before];
      if (earlier.tier != policy.tier || !IsCoveredBy(policy.subject, earlier.subject)) continue;
      const std::vector<ClusterPolicyRule>& others = earlier.*side.rules;
      for (std::size_t i = 0; i < rules.size(); ++i) {
        if (told[i] || rules[i].matches_nothing()) continue;
        const auto end = before == place ? others.begin() + static_cast<std::ptrdiff_t>(i) : others.end();
        const auto hiding = std::find_if(others.begin(), end,
                                         [&](const ClusterPolicyRule& other) { return IsCoveredBy(rules[i], other); });
        if (hiding == end) continue;
        told[i] = true;
        TellOfHidden(policy, RuleField(side.path, i), earlier, *hiding,
                     RuleField(side.path, static_cast<std::size_t>(hiding - others.begin())));
      }
    }
  }

  void TellOfHidden(const ClusterPolicy& policy, const std::string& field, const ClusterPolicy& earlier,
                    const ClusterPolicyRule& hiding, const std::string& hiding_field) {
    const std::string of = &earlier == &policy ? "" : " of " + TitleOf(earlier);
    findings_.push_back({TierFault::kNeverDecides, &policy, field,
                         RuleText(hiding, hiding_field) + of + " (" + std::string(ActionText(earlier, hiding.action)) +
                             ") comes first and matches all that this rule matches, so this one never decides; put it "
                             "before that one, or remove it"});
  }

  void LookForQuarrel(const Side& side, const ClusterPolicy& first, const ClusterPolicy& second) {
    const std::vector<ClusterPolicyRule>& others = first.*side.rules;
    const std::vector<ClusterPolicyRule>& rules = second.*side.rules;
    for (std::size_t i = 0; i < rules.size(); ++i) {
      const auto other = std::find_if(others.begin(), others.end(), [&](const ClusterPolicyRule& one) {
        return one.action != rules[i].action && PortsMeet(one, rules[i]) && PeersMeet(one, rules[i]);
      });
      if (other == others.end()) continue;
      findings_.push_back(
          {TierFault::kEqualPriority, &second, RuleField(side.path, i),
           std::string(ActionText(second, rules[i].action)) + ", and " + TitleOf(first) + " says " +
               std::string(ActionText(first, other->action)) + " by " +
               RuleText(*other, RuleField(side.path, static_cast<std::size_t>(other - others.begin()))) +
               " to some of the same connections at the same priority (" + std::to_string(second.priority) +
               "). Here the policy that is first by name decides, elsewhere maybe the other; give them different "
               "priorities"});
      return;
    }
  }

  bool PeersMeet(const ClusterPolicyRule& one, const ClusterPolicyRule& two) const {
    if (one.matches_nothing() || two.matches_nothing()) return false;
    if (one.everyone || two.everyone) return true;
    return std::any_of(one.peers.begin(), one.peers.end(), [&](const ClusterPolicyPeer& a) {
      return std::any_of(two.peers.begin(), two.peers.end(),
                         [&](const ClusterPolicyPeer& b) { return meeting_.peers(a, b); });
    });
  }

  const Meeting& meeting_;
  std::vector<const ClusterPolicy*> order_;
  std::vector<TierFinding> findings_;
};

}  // namespace

std::string TitleOf(const ClusterPolicy& policy) { return std::string(Name(policy.kind)) + ' ' + policy.name; }

std::string_view ActionText(const ClusterPolicy& policy, Action action) {
  if (action == Action::kDeny) return "Deny";
  if (action == Action::kPass) return "Pass";
  return policy.kind == ClusterPolicyKind::kClusterNetworkPolicy ? "Accept" : "Allow";
}

std::vector<const ClusterPolicy*> AskedInOrder(const std::vector<ClusterPolicy>& policies) {
  std::vector<const ClusterPolicy*> order;
  for (const ClusterPolicy& policy : policies) {
    if (!policy.refused) order.push_back(&policy);
  }
  std::sort(order.begin(), order.end(), [](const ClusterPolicy* a, const ClusterPolicy* b) {
    return std::tie(a->tier, a->priority, a->name, a->kind) < std::tie(b->tier, b->priority, b->name, b->kind);
  });
  return order;
}

std::string RuleField(std::string_view path, std::size_t index) {
  return std::string(path) + '[' + std::to_string(index) + ']';
}

std::string RuleText(const ClusterPolicyRule& rule, const std::string& field) {
  return rule.name.empty() ? field : field + " '" + rule.name + '\'';
}

std::vector<TierFinding> LookAtTiers(const std::vector<ClusterPolicy>& policies, const Meeting& meeting) {
  return TierLook(policies, meeting).Run();
}

}  // namespace sluice
