#include "store/policy_copier.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace sluice {
namespace {

// The cost of copying an object, where an endpoint costs 1: every slice should take about the same time.
std::size_t Cost(const Node& node) { return 1 + node.addresses.size() / 16; }
std::size_t Cost(const Group& group) { return 1 + group.blocks.size() / 8; }
std::size_t Cost(const Endpoint&) { return 1; }
std::size_t Cost(const Section& section) { return 1 + section.rules.size() / 4; }

void Spend(std::size_t& budget, std::size_t cost) { budget -= std::min(budget, cost); }

// Appends the part of `from` that `to` lacks, as far as the budget goes.
template <typename T, typename Copy>
void Append(const std::vector<T>& from, std::vector<T>& to, std::size_t& budget, Copy copy) {
  // Leaves room for objects that come meanwhile: moving everything would take longer than a slice may.
  if (to.capacity() < from.size()) to.reserve(from.size() + from.size() / 8 + 64);
  while (budget != 0 && to.size() < from.size()) {
    to.push_back(copy(from[to.size()]));
    Spend(budget, Cost(to.back()));
  }
}

template <typename Id, typename T, typename Copy>
void CopyAgain(std::set<Id>& ids, const std::vector<T>& from, std::vector<T>& to, std::size_t& budget, Copy copy) {
  while (!ids.empty() && budget != 0) {
    const Id id = *ids.begin();
    ids.erase(ids.begin());
    to[id] = copy(from[id]);
    Spend(budget, Cost(to[id]));
  }
}

template <typename T>
const T& Same(const T& object) {
  return object;
}

}  // namespace

void PolicyCopier::OnReplace() {
  if (complete_) return;
  const int tries = tries_ + kTries / 2;
  *this = PolicyCopier();
  tries_ = tries;
}

void PolicyCopier::OnUpdate(const PolicyChange& change) {
  for (const auto& [id, node] : change.nodes_left) nodes_.insert(id);
  for (const auto& [id, group] : change.groups_left) groups_.insert(id);
  groups_.insert(change.groups_came.begin(), change.groups_came.end());
  for (const auto& [id, endpoint] : change.endpoints_left) endpoints_.insert(id);
  for (const auto& [id, members] : change.members_left) endpoints_.insert(id);
  for (const Section& section : change.sections_left) policies_.insert(section.policy);
  for (const Section& section : change.sections_came) policies_.insert(section.policy);
}

// Copies a set by content: the copy has its own numbers, and no set that nothing uses.
IdSetId PolicyCopier::CopySet(const ResolvedPolicy& policy, IdSetId set, std::size_t& budget) {
  if (set >= set_numbers_.size()) set_numbers_.resize(policy.member_sets.SetCount(), kNotCopied);
  IdSetId& number = set_numbers_[set];
  if (number == kNotCopied) {
    const std::vector<std::uint32_t> members = policy.member_sets.ToVector(set);
    number = copy_.member_sets.Intern(members);
    Spend(budget, 1 + members.size() / 64);
  }
  return number;
}

bool PolicyCopier::CopyNext(const ResolvedPolicy& policy, std::size_t budget) {
  Append(policy.nodes, copy_.nodes, budget, Same<Node>);
  Append(policy.groups, copy_.groups, budget, Same<Group>);
  Append(policy.endpoints, copy_.endpoints, budget, [&](Endpoint endpoint) {
    endpoint.members = CopySet(policy, endpoint.members, budget);
    return endpoint;
  });
  if (!all_sections_) {
    auto section = policy.sections.After(last_policy_);
    // All sections of a policy are copied together, however many there are.
    while (section != policy.sections.end() && (budget != 0 || section->policy == last_policy_)) {
      last_policy_ = section->policy;
      copy_.sections.push_back(*section++);
      Spend(budget, Cost(copy_.sections.back()));
    }
    all_sections_ = section == policy.sections.end();
  }
  return budget != 0;
}

bool PolicyCopier::CopyChanged(const ResolvedPolicy& policy, std::size_t budget) {
  CopyAgain(nodes_, policy.nodes, copy_.nodes, budget, Same<Node>);
  CopyAgain(groups_, policy.groups, copy_.groups, budget, Same<Group>);
  CopyAgain(endpoints_, policy.endpoints, copy_.endpoints, budget, [&](Endpoint endpoint) {
    endpoint.members = CopySet(policy, endpoint.members, budget);
    return endpoint;
  });
  while (!policies_.empty() && budget != 0) {
    const std::string name = *policies_.begin();
    policies_.erase(policies_.begin());
    const auto sections = policy.sections.Find(name);
    changed_sections_[name].assign(sections.begin(), sections.end());
    Spend(budget, 1 + sections.size());
  }
  return budget != 0;
}

bool PolicyCopier::Step(const ResolvedPolicy& policy) {
  const std::size_t budget = tries_ < kTries ? kSlice : std::numeric_limits<std::size_t>::max();
  if (!CopyNext(policy, budget)) return false;
  complete_ = CopyChanged(policy, budget);
  // These are few as a rule, and all from one moment.
  if (complete_) copy_.staged = policy.staged;
  if (!complete_) ++tries_;
  return complete_;
}

ResolvedPolicy PolicyCopier::Take() {
  for (auto& [name, sections] : changed_sections_) {
    copy_.sections.Remove(name);
    copy_.sections.Insert(std::move(sections));
  }
  return std::move(copy_);
}

}  // namespace sluice
