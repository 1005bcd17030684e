#include "table/compile.h"

#include <optional>
#include <unordered_set>
#include <utility>

#include "table/compile_pass.h"

namespace sluice {

struct Compiler::State {
  Interner interner;
  InForce in_force;
  std::shared_ptr<const Table> current;
};

namespace {

// An address has one endpoint (NP-83): who comes may take over only what somebody left in the same change.
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
  table->node_names_ = state_->interner.NodeNames();
  return table;
}

bool Compiler::MostlyGarbage() const {
  const InForce& in_force = state_->in_force;
  return state_->interner.Memberships() > 4 * in_force.memberships + (1u << 20) ||
         state_->interner.policy().rules.size() > 4 * in_force.rules + (1u << 20);
}

// Never one whose lower half is zero (WholeGeneration).
std::uint64_t Compiler::NextGeneration() const {
  const std::uint64_t next = generation_ + 1;
  return static_cast<std::uint32_t>(next) == 0 ? next + 1 : next;
}

Compiler::Result Compiler::CompileInto(State& state, const ResolvedPolicy& policy) {
  auto table = std::make_shared<Table>();
  table->generation_ = NextGeneration();
  InForce in_force;
  CompilePass pass(state.interner, in_force, state.current.get(), limits_, policy, *table);
  if (auto error = pass.Whole()) return std::move(*error);
  generation_ = table->generation_;
  state.in_force = std::move(in_force);
  state.current = table;
  return table;
}

Compiler::Result Compiler::Compile(const ResolvedPolicy& policy) {
  if (!MostlyGarbage()) {
    Result result = CompileInto(*state_, policy);
    const bool fresh = state_->current == nullptr;
    if (fresh || std::holds_alternative<std::shared_ptr<const Table>>(result)) return result;
  }
  auto fresh = std::make_unique<State>();
  Result result = CompileInto(*fresh, policy);
  if (std::holds_alternative<std::shared_ptr<const Table>>(result)) state_ = std::move(fresh);
  return result;
}

Compiler::Result Compiler::Update(const ResolvedPolicy& policy, const PolicyChange& change) {
  if (auto error = CheckOwners(policy, change, state_->in_force)) return std::move(*error);
  // Whatever might not fit, and what changes every cell, goes the long way, which can refuse.
  std::uint64_t rules = 0;
  for (const Section& section : change.sections_came) rules += section.rules.size() + 1;
  const InternedPolicy& interned = state_->interner.policy();
  const bool roomy = interned.rules.size() + rules <= limits_.rules &&
                     interned.identities.size() + 2 * policy.endpoints.size() <= limits_.identities &&
                     state_->interner.MemoryBytes() <= limits_.table_bytes / 2;
  if (state_->current == nullptr || !roomy || change.pod_cidrs_changed || MostlyGarbage()) return Compile(policy);

  auto table = std::make_shared<Table>();
  table->generation_ = generation_ = NextGeneration();
  CompilePass(state_->interner, state_->in_force, state_->current.get(), limits_, policy, *table).Update(change);
  state_->current = table;
  return table;
}

}  // namespace sluice
