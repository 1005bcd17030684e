// Compiles what is staged: the policy in force with the staged changes applied, as a table of its own.
//
// It follows the policy in force update by update, at a cost of what an update touches. If staged changes cannot be
// compiled, only they are refused: the policy in force never changes for that. Both tables are published together, so a
// change takes two compilations while anything is staged. It needs memory for another copy of the resolved policy and
// another table.
//
// Only the writer's thread uses it.
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

// Returns `policy` as it would be if the staged changes were in force, with nothing staged.
ResolvedPolicy WithStaged(const ResolvedPolicy& policy);

class StagedPlane {
 public:
  explicit StagedPlane(CompileLimits limits) : limits_(limits) {}

  // `policy` and `table` are in force from now on.
  void Replace(const ResolvedPolicy& policy, const Table& table);
  // The same, if `policy` is the last one with `update` applied.
  void Update(const PolicyUpdate& update, const ResolvedPolicy& policy, const Table& table);
  // Returns the table that Compiler::Stage needs. Its `table` is null if nothing is staged, or it is refused.
  StagedTable TakeTable();
  // If it is due, makes the table anew in other numbers. True: TakeTable returns the new one.
  bool RenewIfDue();

  // Whether this update may concern staged changes.
  bool Concerns(const PolicyUpdate& update) const { return is_staged_ || !update.staged.empty(); }
  // Why staged changes are not judged by.
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
  // Takes the result, or gives the plane up.
  void Accept(Compiler::Result result, const Table& in_force);

  const CompileLimits limits_;
  bool is_staged_ = false;
  std::uint64_t staging_ = 0;     // identifies what is staged
  std::unique_ptr<Plane> plane_;  // null: nothing is staged, or it was refused
  StagedTable::Changed changed_ = StagedTable::Changed::kNothing;
  std::optional<Diagnostic> refused_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_STORE_STAGED_PLANE_H_
