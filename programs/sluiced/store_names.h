// The names of addresses and rules, by the policy in force. Any thread.
#ifndef SLUICE_PROGRAMS_SLUICED_STORE_NAMES_H_
#define SLUICE_PROGRAMS_SLUICED_STORE_NAMES_H_

#include <memory>
#include <span>
#include <vector>

#include "observe/flow_log.h"
#include "store/policy_store.h"

namespace sluice {

class StoreNames final : public FlowLogNames {
 public:
  // `store` outlives it.
  explicit StoreNames(const PolicyStore& store) : store_(store) {}

  std::vector<FlowLogOwner> OwnersOf(std::span<const IpAddress> addresses) const override;
  std::shared_ptr<const Table> table() const override { return store_.table(); }

 private:
  const PolicyStore& store_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICED_STORE_NAMES_H_
