#include "store/policy_store.h"

#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>

namespace sluice {
namespace {

// A removed object's number takes about 250 bytes. A node's name also slows down each change of nodes. sluice-sync
// begins a new numbering long before.
constexpr std::size_t kSpareNumbers = std::size_t{1} << 20;
constexpr std::size_t kNumbersANode = 16;

std::size_t NumbersIn(const ResolvedPolicy& policy) {
  return policy.endpoints.size() + policy.groups.size() + kNumbersANode * policy.nodes.size();
}

}  // namespace

PolicyStore::PolicyStore(CompileLimits limits, Publish publish, std::uint64_t last_generation)
    : compiler_(limits, last_generation), staged_(limits), publish_(std::move(publish)) {
  table_ = compiler_.EmptyTable();
  publish_(table_);
}

std::shared_ptr<const Table> PolicyStore::table() const {
  const std::shared_lock lock(mutex_);
  return table_;
}

std::vector<std::pair<std::string, bool>> PolicyStore::Staged() const {
  const std::shared_lock lock(mutex_);
  std::vector<std::pair<std::string, bool>> staged;
  for (const auto& [policy, sections] : policy_.staged) {
    staged.emplace_back(policy, sections.empty() && !policy_.sections.Find(policy).empty());
  }
  return staged;
}

std::size_t PolicyStore::StagedCount() const {
  const std::shared_lock lock(mutex_);
  return policy_.staged.size();
}

std::optional<Diagnostic> PolicyStore::staged_refused() const {
  const std::shared_lock lock(mutex_);
  return staged_refused_;
}

PolicySize PolicyStore::size() const {
  const std::shared_lock lock(mutex_);
  return {index_.endpoint_count(), index_.policy_count()};
}

ResolvedPolicy PolicyStore::Copy() const {
  PolicyCopier copier;
  {
    const std::unique_lock lock(mutex_);
    copiers_.push_back(&copier);
  }
  bool complete = false;
  while (!complete) {
    {
      const std::shared_lock lock(mutex_);
      complete = copier.Step(policy_);
    }
    // Without this, a reader that comes again at once may get the lock before the writer that waits for it.
    std::this_thread::yield();
  }
  {
    const std::unique_lock lock(mutex_);
    std::erase(copiers_, &copier);
  }
  return copier.Take();
}

std::optional<Diagnostic> PolicyStore::Replace(ResolvedPolicy policy) {
  if (table_->has_policy() && policy == policy_) return std::nullopt;
  Compiler::Result result = compiler_.Compile(policy);
  if (auto* refused = std::get_if<Diagnostic>(&result)) {
    RenewIfDue();
    return std::move(*refused);
  }
  auto table = std::get<std::shared_ptr<const Table>>(std::move(result));
  staged_.Replace(policy, *table);
  compiler_.Stage(staged_.TakeTable());
  PolicyIndex index(policy);
  {
    const std::unique_lock lock(mutex_);
    for (PolicyCopier* copier : copiers_) copier->OnReplace();
    std::swap(index_, index);
    std::swap(policy_, policy);  // the old policy is freed outside of the lock
    table_ = std::move(table);
    staged_refused_ = staged_.refused();
  }
  publish_(table_);
  update_index_ = UpdateIndex(policy_);
  numbers_of_full_ = NumbersIn(policy_);
  RenewIfDue();
  return std::nullopt;
}

PolicyRemoval PolicyStore::RemovedBy(const ResolvedPolicy& policy) const {
  PolicyRemoval removal{index_.policy_count(), 0};
  std::string_view last;
  for (const Section& section : policy_.sections) {
    if (section.policy == last) continue;
    last = section.policy;
    if (policy.sections.Find(last).empty()) ++removal.removed;
  }
  return removal;
}

bool PolicyStore::NumbersAreUsedUp() const { return NumbersIn(policy_) > 4 * numbers_of_full_ + kSpareNumbers; }

std::optional<Diagnostic> PolicyStore::Update(PolicyUpdate update) {
  if (auto error = Check(policy_, update, &update_index_)) return error;
  std::optional<Diagnostic> refused;
  {
    const std::unique_lock lock(mutex_);
    std::optional<PolicyUpdate> for_staged;
    if (staged_.Concerns(update)) for_staged = update;
    PolicyChange change = Apply(std::move(update), policy_, &update_index_);
    Compiler::Result result = compiler_.Update(policy_, change);
    if (auto* error = std::get_if<Diagnostic>(&result)) {
      Undo(std::move(change), policy_);
      refused = std::move(*error);
    } else {
      index_.Follow(policy_, change);
      for (PolicyCopier* copier : copiers_) copier->OnUpdate(change);
      table_ = std::get<std::shared_ptr<const Table>>(std::move(result));
      update_index_.Follow(change, policy_);
      if (for_staged) staged_.Update(*for_staged, policy_, *table_);
      staged_refused_ = staged_.refused();
      compiler_.Stage(staged_.TakeTable());
    }
  }
  if (!refused) publish_(table_);
  RenewIfDue();
  return refused;
}

// Runs after the change is in force, so that nobody waits for it. Readers wait for neither step long.
void PolicyStore::RenewIfDue() {
  const bool staged_renewed = staged_.RenewIfDue();
  if (!staged_renewed && !compiler_.IsRenewalDue(policy_)) return;
  {
    const std::unique_lock lock(mutex_);
    CompactMemberSets(policy_);
    for (PolicyCopier* copier : copiers_) copier->OnRenumber();
  }
  std::shared_ptr<const Table> renewed = compiler_.Renew(policy_);
  {
    const std::unique_lock lock(mutex_);
    compiler_.Stage(staged_.TakeTable());
    table_ = std::move(renewed);
  }
  publish_(table_);
}

}  // namespace sluice
