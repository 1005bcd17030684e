#include "store/policy_store.h"

#include <mutex>
#include <utility>
#include <variant>

namespace sluice {

PolicyStore::PolicyStore(CompileLimits limits, Publish publish) : compiler_(limits), publish_(std::move(publish)) {
  table_ = compiler_.EmptyTable();
  publish_(table_);
}

std::shared_ptr<const Table> PolicyStore::table() const {
  const std::shared_lock lock(mutex_);
  return table_;
}

std::optional<Diagnostic> PolicyStore::Replace(ResolvedPolicy policy) {
  Compiler::Result result = compiler_.Compile(policy);
  if (auto* refused = std::get_if<Diagnostic>(&result)) return std::move(*refused);
  {
    const std::unique_lock lock(mutex_);
    policy_ = std::move(policy);
    table_ = std::get<std::shared_ptr<const Table>>(std::move(result));
  }
  publish_(table_);
  return std::nullopt;
}

std::optional<Diagnostic> PolicyStore::Update(PolicyUpdate update) {
  if (auto error = Check(policy_, update)) return error;
  {
    const std::unique_lock lock(mutex_);
    PolicyChange change = Apply(std::move(update), policy_);
    Compiler::Result result = compiler_.Update(policy_, change);
    if (auto* refused = std::get_if<Diagnostic>(&result)) {
      Undo(std::move(change), policy_);
      return std::move(*refused);
    }
    table_ = std::get<std::shared_ptr<const Table>>(std::move(result));
  }
  publish_(table_);
  return std::nullopt;
}

}  // namespace sluice
