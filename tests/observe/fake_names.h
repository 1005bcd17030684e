// Names of addresses as a test sets them.
#ifndef SLUICE_TESTS_OBSERVE_FAKE_NAMES_H_
#define SLUICE_TESTS_OBSERVE_FAKE_NAMES_H_

#include <map>
#include <memory>
#include <span>
#include <vector>

#include "observe/flow_log.h"

namespace sluice {

class FakeNames final : public FlowLogNames {
 public:
  std::vector<FlowLogOwner> OwnersOf(std::span<const IpAddress> addresses) const override {
    std::vector<FlowLogOwner> owners;
    for (const IpAddress& address : addresses) {
      const auto known = owners_.find(address);
      owners.push_back(known == owners_.end() ? FlowLogOwner() : known->second);
    }
    return owners;
  }
  std::shared_ptr<const Table> table() const override { return table_; }

  std::shared_ptr<const Table> table_;
  std::map<IpAddress, FlowLogOwner> owners_;  // an address that is missing is no pod's
};

}  // namespace sluice

#endif  // SLUICE_TESTS_OBSERVE_FAKE_NAMES_H_
