// A receiver of a view's states and updates, as sluiced is one; and resolved policy in names rather than numbers.
#ifndef SLUICE_TESTS_CONTROL_FOLLOWER_H_
#define SLUICE_TESTS_CONTROL_FOLLOWER_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>

#include "resolve/cluster_resolver.h"
#include "resolve/policy_view.h"
#include "sluice/policy_update.h"
#include "table/compile.h"

namespace sluice::test {

class Follower {
 public:
  // Begins with a full state. With a node's name: a view of that node.
  explicit Follower(ClusterResolver* resolver, std::string node = "");

  // Takes another full state.
  void StartOver();
  // Takes the changes, checks that they may be applied, applies and compiles them. The result fails where one of these
  // does.
  testing::AssertionResult Follow();
  // As the store does it, when it is due and here at any time: new numbers for what is in force.
  void Renew();

  const ResolvedPolicy& policy() const { return policy_; }
  const Table& table() const { return *table_; }
  // The last one that was followed.
  const PolicyUpdate& update() const { return update_; }
  const PolicyView& view() const { return *view_; }
  // What is held of the policy and for its next update, in bytes.
  std::uint64_t HeldBytes() const { return compiler_->MemoryBytes() + policy_.member_sets.MemoryBytes(); }
  int renewals() const { return renewals_; }

 private:
  std::unique_ptr<PolicyView> view_;
  ResolvedPolicy policy_;
  PolicyUpdate update_;
  std::unique_ptr<Compiler> compiler_;
  std::shared_ptr<const Table> table_;
  int renewals_ = 0;
};

// What is in force, in an order of its own: equal for policies that mean the same and name their groups alike, whatever
// their numbers.
std::string InNames(const ResolvedPolicy& policy);

}  // namespace sluice::test

#endif  // SLUICE_TESTS_CONTROL_FOLLOWER_H_
