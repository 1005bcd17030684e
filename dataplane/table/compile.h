// Compile: from resolved policy to a Table.
//
// One thread owns a Compiler and calls it; the tables it returns are read by any. It keeps what it interned and what is
// in force, so an update costs what it touches: a pod its own sets and one page of the address map, a policy the pods
// that it selects. Groups, rules, sections, sets and identities that were there keep their ids, and only addresses for
// which something changed are said to have (AddressChanges).
//
// What is in force no more is left where it is until it outweighs the rest. Then Renew numbers all anew but the rules,
// for which no flow is judged again; workers forget what they remember of the old numbers. Rules, which flows and
// counters remember, are dropped only with their epoch: once there were twice as many as are in force and 262,144 more,
// the next compilation begins another, and all flows are judged again.
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

// What a table may hold at most. A policy beyond it is refused whole, naming the object that crossed the line.
struct CompileLimits {
  std::uint64_t rules = 4'000'000;
  std::uint64_t identities = 4'000'000;
  std::uint64_t table_bytes = std::uint64_t{2} << 30;
};

// What is staged beside a table (Compiler::Stage).
struct StagedTable {
  enum class Changed : std::uint8_t {
    kNothing,  // since the table was last staged
    kSome,     // what its AddressChanges say
    kAll,      // everything: it was not staged before
  };

  std::shared_ptr<const Table> table;  // null: nothing is staged
  std::uint64_t staging = 0;           // names what is staged
  Changed changed = Changed::kNothing;
};

class Compiler {
 public:
  using Result = std::variant<std::shared_ptr<const Table>, Diagnostic>;

  // The first table is the generation after `last_generation`.
  explicit Compiler(CompileLimits limits = {}, std::uint64_t last_generation = 0);
  ~Compiler();
  Compiler(const Compiler&) = delete;
  Compiler& operator=(const Compiler&) = delete;

  // The table in force before any policy: generation 0, has_policy() false, every address unmanaged.
  std::shared_ptr<const Table> EmptyTable();

  // The table of `policy` as the next generation, or why it is refused; then the Compiler is as it was before.
  Result Compile(const ResolvedPolicy& policy);

  // The same, where `policy` is the one last compiled (or updated) after `change` was applied to it: costs what
  // changed.
  Result Update(const ResolvedPolicy& policy, const PolicyChange& change);

  // Whether there is so much left of what is in force no more that Renew is due; to be asked after each of the above,
  // refused or not. `policy`: the one in force.
  bool IsRenewalDue(const ResolvedPolicy& policy) const;
  // The table of the policy in force once more: same generation, same rules, same changes, all else in new numbers.
  // Costs about as much as compiling it whole; as many changes came before that they cost more by far. `policy` may
  // have got other numbers for its member sets meanwhile (CompactMemberSets). Requires that one was compiled.
  std::shared_ptr<const Table> Renew(const ResolvedPolicy& policy);

  // Traffic is to be judged by `staged`, too, from the table on that was returned last and that nobody reads yet. Flows
  // whose ends it changed are judged again.
  void Stage(StagedTable staged);

  // What is held for the next update, and what the table takes, old and new.
  std::uint64_t MemoryBytes() const;

 private:
  friend class CompilePass;
  struct State;

  // Rules of this epoch that are in force no more outweigh the others.
  bool RulesAreMostlyGone() const;
  std::uint64_t NextGeneration() const;
  Result CompileInto(State& state, const ResolvedPolicy& policy);

  std::unique_ptr<State> state_;
  CompileLimits limits_;
  std::uint64_t generation_;  // of the last table returned
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_COMPILE_H_
