// The policy in force: one writer, any number of readers.
//
// A batch applies whole or not at all. What is refused leaves everything as it was: the policy, the table, the numbers.
// Replace, Update, NumbersAreUsedUp: the writer's thread only. All else: any thread.
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

// What a full state takes away of the policies in force.
struct PolicyRemoval {
  std::size_t in_force = 0;
  std::size_t removed = 0;
  bool is_large() const { return removed > in_force / 2; }  // more than half, or all
};

class PolicyStore {
 public:
  // Makes a table the one that workers use; returns once they can. Called by the writer's thread, in order. A
  // generation may come twice: then the second table is the same in other numbers (Compiler::Renew).
  using Publish = std::function<void(std::shared_ptr<const Table>)>;

  // Publishes the empty table at once: before any policy the workers fail closed. The first policy is the generation
  // after `last_generation`.
  PolicyStore(CompileLimits limits, Publish publish, std::uint64_t last_generation = 0);

  // A full state: what it does not name is gone once it is applied. One that is equal to the state in force changes
  // nothing, and no table is published. Returns why it was refused, or nothing.
  std::optional<Diagnostic> Replace(ResolvedPolicy policy);
  // A change of the state in force.
  std::optional<Diagnostic> Update(PolicyUpdate update);
  // What Replace would take away. The writer's thread.
  PolicyRemoval RemovedBy(const ResolvedPolicy& policy) const;

  // So many numbers of the last full state's numbering went to what is gone that another full state is due: what is
  // kept for them would outweigh the policy.
  bool NumbersAreUsedUp() const;

  // Calls `read(policy, table)` with the two that belong together. The writer waits meanwhile: copy what takes time.
  template <typename Reader>
  auto Read(Reader read) const {
    const std::shared_lock lock(mutex_);
    return read(policy_, *table_);
  }
  std::shared_ptr<const Table> table() const;
  // The policies for which something is staged, and whether they would be deleted.
  std::vector<std::pair<std::string, bool>> Staged() const;
  std::size_t StagedCount() const;
  // Why what is staged is not judged by; nothing: it is, or nothing is staged.
  std::optional<Diagnostic> staged_refused() const;
  PolicySize size() const;

  // Calls visit(i, endpoint, node's name) for each of `addresses` that an endpoint has. As Read: keep it short.
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

  // The whole policy as of one moment. Takes its time and never makes the writer wait for long.
  ResolvedPolicy Copy() const;

 private:
  // Where it is due: what is in force no more is dropped, and a table in other numbers takes the place of this one.
  void RenewIfDue();

  mutable std::shared_mutex mutex_;
  PolicyIndex index_;
  mutable std::vector<PolicyCopier*> copiers_;
  ResolvedPolicy policy_;               // written under the lock, by the writer alone, which reads it without
  std::shared_ptr<const Table> table_;  // likewise
  UpdateIndex update_index_;            // of policy_; the writer's own
  std::size_t numbers_of_full_ = 0;     // used by the last full state; likewise
  Compiler compiler_;
  StagedPlane staged_;                        // the writer's own
  std::optional<Diagnostic> staged_refused_;  // written under the lock
  Publish publish_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_STORE_POLICY_STORE_H_
