#include "table/compile.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <unordered_set>
#include <utility>

#include "table/compile_pass.h"

namespace sluice {

// The state of one numbering.
struct Compiler::State {
  explicit State(std::shared_ptr<RuleInterner> rules = std::make_shared<RuleInterner>()) : interner(std::move(rules)) {}

  std::uint64_t MemoryBytes() const {
    std::uint64_t bytes = interner.TableBytes() + interner.IndexBytes() + interner.rules().IndexBytes();
    if (current != nullptr) {
      bytes += current->BundleBytes() + current->addresses().MemoryBytes() + current->ports().MemoryBytes();
    }
    return bytes + in_force.MemoryBytes();
  }

  Interner interner;
  InForce in_force;
  std::shared_ptr<Table> current;  // immutable, except for Stage
  // Sizes when the numbering began, and nothing in it was left over.
  std::uint64_t bytes_at_first = 0;  // including the policy's member sets
  std::uint64_t table_bytes_at_first = 0;
  std::uint64_t identities_at_first = 0;

  void BeginFrom(const ResolvedPolicy& policy) {
    bytes_at_first = MemoryBytes() + policy.member_sets.MemoryBytes();
    table_bytes_at_first = interner.TableBytes();
    identities_at_first = interner.policy().identities.size();
  }
};

namespace {

// How much may be left of what is no longer in force, in addition to a share of what is in force.
constexpr std::uint64_t kSpareBytes = std::uint64_t{4} << 20;
constexpr std::uint64_t kSpareSections = 1024;
constexpr std::uint64_t kSpareMoves = 1 << 16;
constexpr std::uint64_t kSpareRules = 1 << 18;

// Whether the growth from `first` to `now` has taken half of the room below
// the limit. Then it is better to look for remains before they get in the way.
bool NearsLimit(std::uint64_t first, std::uint64_t now, std::uint64_t limit) {
  const std::uint64_t room = limit - std::min(first, limit);
  return now > first + std::max(room / 2, first / 8);
}

// An address has one endpoint (NP-83): a new one may take over only an address that another left in the same change.
std::optional<Diagnostic> CheckOwners(const ResolvedPolicy& policy, const PolicyChange& change,
                                      const InForce& in_force) {
  std::unordered_set<EndpointId> left;
  for (const auto& [id, endpoint] : change.endpoints_left) left.insert(id);
  for (const EndpointId id : change.endpoints_came) {
    const Endpoint& came = policy.endpoints[id];
    for (const IpAddress& address : came.addresses) {
      const auto owner = in_force.owners.find(address);
      if (owner == in_force.owners.end() || left.contains(owner->second)) continue;
      const Endpoint& holder = policy.endpoints[owner->second];
      Diagnostic diagnostic;
      diagnostic.object = "endpoint " + came.namespace_name + '/' + came.name;
      diagnostic.field = "addresses";
      diagnostic.message = address.ToString() + " belongs to endpoint " + holder.namespace_name + '/' + holder.name +
                           "; remove it there first or in the same update";
      return diagnostic;
    }
  }
  return std::nullopt;
}

}  // namespace

Compiler::Compiler(CompileLimits limits, std::uint64_t last_generation)
    : state_(std::make_unique<State>()), limits_(limits), generation_(last_generation) {}
Compiler::~Compiler() = default;

std::shared_ptr<const Table> Compiler::EmptyTable() {
  auto table = std::make_shared<Table>();
  table->interned_ = state_->interner.shared();
  table->bundles_ = std::make_shared<const Bundles>();
  table->name_rules_ = std::make_shared<const NameRules>();
  table->node_names_ = state_->interner.NodeNames();
  return table;
}

bool Compiler::RulesAreMostlyGone() const {
  return state_->interner.rules().RuleCount() > 2 * state_->in_force.rules + kSpareRules;
}

// Never returns a generation whose lower half is zero (WholeGeneration).
std::uint64_t Compiler::NextGeneration() const {
  const std::uint64_t next = generation_ + 1;
  return static_cast<std::uint32_t>(next) == 0 ? next + 1 : next;
}

Compiler::Result Compiler::CompileInto(State& state, const ResolvedPolicy& policy) {
  auto table = std::make_shared<Table>();
  table->generation_ = NextGeneration();
  InForce in_force;
  in_force.moved = state.in_force.moved;
  const bool first = state.current == nullptr;
  CompilePass pass(state.interner, in_force, state.current.get(), limits_, policy, *table);
  if (auto error = pass.Whole()) return std::move(*error);
  generation_ = table->generation_;
  state.in_force = std::move(in_force);
  state.current = table;
  if (first) state.BeginFrom(policy);
  return table;
}

Compiler::Result Compiler::Compile(const ResolvedPolicy& policy) {
  const bool first = state_->current == nullptr;
  if (!RulesAreMostlyGone()) {
    RuleInterner& rules = state_->interner.rules();
    const RuleInterner::Mark mark = rules.TakeMark();
    Result result = CompileInto(*state_, policy);
    if (std::holds_alternative<std::shared_ptr<const Table>>(result)) {
      rules.RetireAllBut(policy.sections);
      return result;
    }
    rules.RollBack(mark);
    if (first) {  // what the compilation interned is of no use
      state_ = std::make_unique<State>();
      return result;
    }
  }
  // It may fit once nothing is left of what was in force before.
  auto fresh = std::make_unique<State>(std::make_shared<RuleInterner>(&state_->interner.rules(), NextGeneration()));
  Result result = CompileInto(*fresh, policy);
  if (std::holds_alternative<std::shared_ptr<const Table>>(result)) state_ = std::move(fresh);
  return result;
}

Compiler::Result Compiler::Update(const ResolvedPolicy& policy, const PolicyChange& change) {
  if (auto error = CheckOwners(policy, change, state_->in_force)) return std::move(*error);
  // A change that might not fit, or that changes every cell, goes the long way, which can refuse it.
  std::uint64_t rules = 0;
  for (const Section& section : change.sections_came) rules += section.rules.size() + 1;
  const Interner& interner = state_->interner;
  const bool roomy = state_->in_force.rules + rules <= limits_.rules &&
                     interner.policy().identities.size() + 2 * policy.endpoints.size() <= limits_.identities &&
                     interner.TableBytes() <= limits_.table_bytes / 2;
  if (state_->current == nullptr || !roomy || change.pod_cidrs_changed || RulesAreMostlyGone()) return Compile(policy);

  auto table = std::make_shared<Table>();
  table->generation_ = generation_ = NextGeneration();
  CompilePass(state_->interner, state_->in_force, state_->current.get(), limits_, policy, *table).Update(change);
  state_->current = table;
  return table;
}

bool Compiler::IsRenewalDue(const ResolvedPolicy& policy) const {
  const State& state = *state_;
  if (state.current == nullptr) return false;
  const InternedPolicy& interned = state.interner.policy();
  return state.MemoryBytes() + policy.member_sets.MemoryBytes() > 3 * state.bytes_at_first + kSpareBytes ||
         interned.sections.size() > 2 * state.in_force.sections + kSpareSections ||
         state.in_force.moved > 16 * state.current->addresses().host_count() + kSpareMoves ||
         NearsLimit(state.identities_at_first, interned.identities.size(), limits_.identities) ||
         NearsLimit(state.table_bytes_at_first, state.interner.TableBytes(), limits_.table_bytes);
}

std::shared_ptr<const Table> Compiler::Renew(const ResolvedPolicy& policy) {
  constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();
  constexpr CompileLimits kNoLimits{.rules = kNone, .identities = kNone, .table_bytes = kNone};  // it is in force
  auto fresh = std::make_unique<State>(state_->interner.shared_rules());
  auto table = std::make_shared<Table>();
  table->generation_ = state_->current->generation();
  RuleInterner& rules = fresh->interner.rules();
  rules.BeginSweep();
  CompilePass(fresh->interner, fresh->in_force, nullptr, kNoLimits, policy, *table).Whole();
  rules.EndSweep();
  table->changes_ = state_->current->changes_;
  fresh->current = table;
  fresh->BeginFrom(policy);
  state_ = std::move(fresh);
  return table;
}

void Compiler::Stage(StagedTable staged) {
  Table& table = *state_->current;
  table.staged_ = std::move(staged.table);
  table.staging_ = staged.staging;
  if (table.staged_ == nullptr || staged.changed == StagedTable::Changed::kNothing) return;
  if (staged.changed == StagedTable::Changed::kAll) return table.changes_.AddAll();
  table.changes_.Join(table.staged_->changes());
}

std::uint64_t Compiler::MemoryBytes() const { return state_->MemoryBytes(); }

}  // namespace sluice
