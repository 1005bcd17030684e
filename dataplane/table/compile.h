// Compile: from resolved policy to a Table.
//
// One thread owns a Compiler and calls it; any thread may read the tables that it returns. It keeps what it
// interned and the policy in force, so an update costs what it touches: for a pod, its own sets and one page
// of the address map; for a policy, the pods that it selects. Groups, rules, sections, sets and identities
// that stay keep their ids. Only addresses for which something changed are noted as changed (AddressChanges).
//
// What is no longer in force stays in memory until it outweighs the rest. Then Renew gives new numbers to
// all but the rules, and no flow is judged again; workers forget what they remember under old numbers. Flows
// and counters remember rules, so rules are dropped only with their epoch: once there were twice as many as
// are in force and 262,144 more, the next compilation begins a new epoch, and all flows are judged again.
#ifndef SLUICE_DATAPLANE_TABLE_COMPILE_H_
#define SLUICE_DATAPLANE_TABLE_COMPILE_H_

#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "sluice/diagnostic.h"
#include "sluice/policy_update.h"
#include "sluice/resolved_policy.h"
#include "table/table.h"

namespace sluice {

// What a table may hold at most. A larger policy is refused whole; the error names the object that crossed the limit.
struct CompileLimits {
  std::uint64_t rules = 4'000'000;
  std::uint64_t identities = 4'000'000;
  std::uint64_t table_bytes = std::uint64_t{2} << 30;
};

// The staged table beside a table (Compiler::Stage).
struct StagedTable {
  enum class Changed : std::uint8_t {
    kNothing,  // since the table was last staged
    kSome,     // only what its AddressChanges say
    kAll,      // everything: it was not staged before
  };

  std::shared_ptr<const Table> table;  // null: nothing is staged
  std::uint64_t staging = 0;           // names what is staged
  Changed changed = Changed::kNothing;
};

class Compiler {
 public:
  using Result = std::variant<std::shared_ptr<const Table>, Diagnostic>;

  // The first table has the generation after `last_generation`.
  explicit Compiler(CompileLimits limits = {}, std::uint64_t last_generation = 0);
  ~Compiler();
  Compiler(const Compiler&) = delete;
  Compiler& operator=(const Compiler&) = delete;

  // The table in force before any policy: generation 0, has_policy() false, every address unmanaged.
  std::shared_ptr<const Table> EmptyTable();

  // The table of `policy` as the next generation, or why it is refused. After a refusal, the Compiler is unchanged.
  Result Compile(const ResolvedPolicy& policy);

  // The same, if `policy` is the last compiled (or updated)
  // policy with `change` applied to it. Costs only what changed.
  Result Update(const ResolvedPolicy& policy, const PolicyChange& change);

  // Whether so much is left of what is no longer in force that Renew is due. Ask it after
  // each of the above calls, even if policy was refused. `policy`: the one in force.
  bool IsRenewalDue(const ResolvedPolicy& policy) const;
  // Makes the table of the policy in force again: same generation, same rules, same changes, all else in new
  // numbers. This costs about as much as a whole compilation; the many changes before it cost far more. `policy`
  // may have got other numbers for its member sets since (CompactMemberSets). Requires that a policy was compiled.
  std::shared_ptr<const Table> Renew(const ResolvedPolicy& policy);

  // Lets `staged` judge traffic, too, beginning with the last table returned,
  // which nobody may read yet. Flows whose ends `staged` changed are judged again.
  void Stage(StagedTable staged);

  // The memory that is kept for the next update, and that of the tables, old and new.
  std::uint64_t MemoryBytes() const;

 private:
  friend class CompilePass;
  struct State;

  // Whether the rules of this epoch that are no longer in force outweigh the others.
  bool RulesAreMostlyGone() const;
  std::uint64_t NextGeneration() const;
  Result CompileInto(State& state, const ResolvedPolicy& policy);

  std::unique_ptr<State> state_;
  CompileLimits limits_;
  std::uint64_t generation_;  // of the last table returned
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_COMPILE_H_
