// What is staged, compiled: the policy in force with the staged changes applied, as a table of its own.
//
// It follows the policy in force update by update, at the price of what an update touches. What is staged and cannot be
// compiled is refused here alone: the policy in force never changes for it. Both tables are published together, so that
// a change takes two compilations while anything is staged. Memory: another copy of the resolved policy and another
// table.
//
// The writer's thread only.
#ifndef SLUICE_DATAPLANE_STORE_STAGED_PLANE_H_
#define SLUICE_DATAPLANE_STORE_STAGED_PLANE_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "sluice/diagnostic.h"
#include "sluice/policy_update.h"
#include "sluice/resolved_policy.h"
#include "table/compile.h"

namespace sluice {

// `policy` as it would be with what is staged in force, and nothing staged.
ResolvedPolicy WithStaged(const ResolvedPolicy& policy);

class StagedPlane {
 public:
  explicit StagedPlane(CompileLimits limits) : limits_(limits) {}

  // `policy` and `table` are in force from now on.
  void Replace(const ResolvedPolicy& policy, const Table& table);
  // The same, where `policy` is the one before after `update`.
  void Update(const PolicyUpdate& update, const ResolvedPolicy& policy, const Table& table);
  // Gives the table that Compiler::Stage needs; `table` in it is null where nothing is staged, or it is refused.
  StagedTable TakeTable();
  // Where it is due, the table is made anew in other numbers. True: it was, and TakeTable gives it.
  bool RenewIfDue();

  // Whether an Update may concern it.
  bool Concerns(const PolicyUpdate& update) const { return is_staged_ || !update.staged.empty(); }
  // Why what is staged is not judged by.
  const std::optional<Diagnostic>& refused() const { return refused_; }

 private:
  struct Plane {
    explicit Plane(CompileLimits limits) : compiler(limits) {}

    ResolvedPolicy policy;
    UpdateIndex index;
    Compiler compiler;
    std::shared_ptr<const Table> table;
  };

  void Build(const ResolvedPolicy& policy, const Table& table);
  // Takes the result over, or gives the plane up.
  void Accept(Compiler::Result result, const Table& in_force);

  const CompileLimits limits_;
  bool is_staged_ = false;
  std::uint64_t staging_ = 0;     // names what is staged
  std::unique_ptr<Plane> plane_;  // null: nothing is staged, or it was refused
  StagedTable::Changed changed_ = StagedTable::Changed::kNothing;
  std::optional<Diagnostic> refused_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_STORE_STAGED_PLANE_H_
