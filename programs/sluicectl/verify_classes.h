// All traffic, divided into finitely many classes.
//
// Neither engine can tell two packets of one class apart. A class of addresses combines what the compiled table says of
// an address (identity, node) with what the objects say of it (its pod's namespace, labels, ports and node; the node
// that owns it; the CIDRs that hold it). A class of services does the same for protocol and port. So if both engines
// agree on one packet of each class, they agree on every possible packet.
#ifndef SLUICE_PROGRAMS_SLUICECTL_VERIFY_CLASSES_H_
#define SLUICE_PROGRAMS_SLUICECTL_VERIFY_CLASSES_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "model/objects.h"
#include "reference/evaluate.h"
#include "sluice/address.h"
#include "table/table.h"

namespace sluice {

struct AddressClass {
  IpAddress first;
  std::optional<IpAddress>
      second;  // where it has another: traffic inside a class differs from an address's with itself
};

struct Service {
  std::uint8_t protocol = 0;
  std::uint16_t port = 0;
};

class TrafficClasses {
 public:
  TrafficClasses(const Cluster& cluster, const Table& table);

  std::size_t address_count() const { return addresses_[0].size() + addresses_[1].size(); }
  std::size_t service_count() const { return services_.size(); }
  // Classes of packets: addresses x addresses of the same family x services.
  std::uint64_t size() const { return (PairCount(0) + PairCount(1)) * services_.size(); }
  // Returns a packet of class `index` < size().
  reference::Flow At(std::uint64_t index) const;
  // Returns every address that represents others in a packet's class.
  std::vector<IpAddress> Addresses() const;

 private:
  std::uint64_t PairCount(int family) const {
    return std::uint64_t{addresses_[family].size()} * addresses_[family].size() + inner_[family].size();
  }

  std::vector<AddressClass> addresses_[2];  // IPv4, IPv6
  std::vector<std::size_t> inner_[2];       // the classes with a second address
  std::vector<Service> services_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_VERIFY_CLASSES_H_
