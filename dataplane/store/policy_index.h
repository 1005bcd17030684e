// Answers readers' questions about the policy in force: who has an address, how much there is. Follows each change.
//
// The store's writer changes it, under the store's lock.
#ifndef SLUICE_DATAPLANE_STORE_POLICY_INDEX_H_
#define SLUICE_DATAPLANE_STORE_POLICY_INDEX_H_

#include <cstddef>
#include <optional>
#include <unordered_map>

#include "sluice/address.h"
#include "sluice/policy_update.h"
#include "sluice/resolved_policy.h"

namespace sluice {

class PolicyIndex {
 public:
  PolicyIndex() = default;
  explicit PolicyIndex(const ResolvedPolicy& policy);

  // `policy` after `change` was applied to it.
  void Follow(const ResolvedPolicy& policy, const PolicyChange& change);

  // Returns the endpoint that has the address.
  std::optional<EndpointId> OwnerOf(const IpAddress& address) const;
  std::size_t endpoint_count() const { return endpoint_count_; }
  std::size_t policy_count() const { return policy_count_; }

 private:
  std::unordered_map<IpAddress, EndpointId> owners_;
  std::size_t endpoint_count_ = 0;
  std::size_t policy_count_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_STORE_POLICY_INDEX_H_
