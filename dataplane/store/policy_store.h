// The policy in force: one writer, any number of readers.
//
// A batch applies whole or not at all. A refused batch changes nothing: policy, table and numbers stay as they were.
// Replace, Update, NumbersAreUsedUp: only the writer's thread. All other functions: any thread.
#ifndef SLUICE_DATAPLANE_STORE_POLICY_STORE_H_
#define SLUICE_DATAPLANE_STORE_POLICY_STORE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sluice/diagnostic.h"
#include "sluice/policy_update.h"
#include "sluice/resolved_policy.h"
#include "store/policy_copier.h"
#include "store/policy_index.h"
#include "store/staged_plane.h"
#include "table/compile.h"

namespace sluice {

struct PolicySize {
  std::size_t endpoints = 0;
  std::size_t policies = 0;
};

// Which of the policies in force a full state removes.
struct PolicyRemoval {
  std::size_t in_force = 0;
  std::size_t removed = 0;
  bool is_large() const { return removed > in_force / 2; }  // more than half, or all
};

class PolicyStore {
 public:
  // Makes a table the one that workers use, and returns once they can. The writer's thread calls it, in order. A
  // generation may come twice: then the second table is the same in other numbers (Compiler::Renew).
  using Publish = std::function<void(std::shared_ptr<const Table>)>;

  // Publishes the empty table at once, so workers fail closed before the first policy. The first policy gets the
  // generation after `last_generation`.
  PolicyStore(CompileLimits limits, Publish publish, std::uint64_t last_generation = 0);

  // Applies a full state: everything that it does not name is removed. If it equals the state in force, nothing
  // changes, and no table is published. Returns why it was refused, or nothing.
  std::optional<Diagnostic> Replace(ResolvedPolicy policy);
  // Applies a change to the state in force.
  std::optional<Diagnostic> Update(PolicyUpdate update);
  // Returns what Replace would remove. The writer's thread.
  PolicyRemoval RemovedBy(const ResolvedPolicy& policy) const;

  // Whether another full state is due, because so many numbers of the last full state's numbering belong to removed
  // objects: what is kept for them would outweigh the policy.
  bool NumbersAreUsedUp() const;

  // Calls `read(policy, table)` with a policy and its table. The writer waits meanwhile: copy what takes time.
  template <typename Reader>
  auto Read(Reader read) const {
    const std::shared_lock lock(mutex_);
    return read(policy_, *table_);
  }
  std::shared_ptr<const Table> table() const;
  // Returns the policies for which something is staged, and whether they would be deleted.
  std::vector<std::pair<std::string, bool>> Staged() const;
  std::size_t StagedCount() const;
  // Why staged policies are not judged by. Nothing if they are, or if nothing is staged.
  std::optional<Diagnostic> staged_refused() const;
  PolicySize size() const;

  // Calls visit(i, endpoint, node's name) for each of `addresses` that an endpoint has. As with Read: keep it short.
  template <typename Visit>
  void VisitOwners(std::span<const IpAddress> addresses, Visit visit) const {
    const std::shared_lock lock(mutex_);
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      const auto owner = index_.OwnerOf(addresses[i]);
      if (!owner) continue;
      const Endpoint& endpoint = policy_.endpoints[*owner];
      visit(i, endpoint, endpoint.node == kNoNode ? std::string_view() : policy_.nodes[endpoint.node].name);
    }
  }

  // Returns the whole policy of one moment. It takes time, but never makes the writer wait for long.
  ResolvedPolicy Copy() const;

 private:
  // If it is due, drops what is no longer in force, and replaces the table by one in other numbers.
  void RenewIfDue();

  mutable std::shared_mutex mutex_;
  PolicyIndex index_;
  mutable std::vector<PolicyCopier*> copiers_;
  ResolvedPolicy policy_;               // only the writer writes it, under the lock; it reads it without
  std::shared_ptr<const Table> table_;  // as for policy_
  UpdateIndex update_index_;            // of policy_; only the writer uses it
  std::size_t numbers_of_full_ = 0;     // used by the last full state; only the writer uses it
  Compiler compiler_;
  StagedPlane staged_;                        // only the writer uses it
  std::optional<Diagnostic> staged_refused_;  // written under the lock
  Publish publish_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_STORE_POLICY_STORE_H_
