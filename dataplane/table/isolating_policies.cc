#include "table/isolating_policies.h"

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

constexpr std::size_t kNumberingsKept = 4;  // a record is some seconds old; a numbering lasts minutes at least
constexpr std::size_t kMostRemembered = 4096;

}  // namespace

void IsolatingPolicies::See(std::shared_ptr<const Table> table) {
  if (!numberings_.empty() && numberings_.front().newest->numbering() == table->numbering()) {
    numberings_.front().newest = std::move(table);  // interned data only grows, so names stay true
    return;
  }
  numberings_.insert(numberings_.begin(), {std::move(table), {}});
  if (numberings_.size() > kNumberingsKept) numberings_.pop_back();
}

IsolatingPolicies::Names IsolatingPolicies::Of(std::uint64_t numbering, IdSetId sections) {
  const auto known = std::find_if(numberings_.begin(), numberings_.end(),
                                  [&](const Numbering& one) { return one.newest->numbering() == numbering; });
  if (known == numberings_.end()) return nullptr;
  if (known->named.size() >= kMostRemembered) known->named.clear();
  Names& names = known->named[sections];
  if (names != nullptr) return names;
  std::vector<std::string> isolating;
  for (const RuleId deny : known->newest->DefaultDenies(sections)) {
    if (isolating.size() == kMostNamed) break;
    isolating.push_back(known->newest->rule(deny).policy);
  }
  names = std::make_shared<const std::vector<std::string>>(std::move(isolating));
  return names;
}

}  // namespace sluice
