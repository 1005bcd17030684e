// One end of traffic, as every command shows it.
#ifndef SLUICE_PROGRAMS_SLUICECTL_TRAFFIC_END_H_
#define SLUICE_PROGRAMS_SLUICECTL_TRAFFIC_END_H_

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <unordered_map>

#include "sluice/address.h"
#include "sluice/resolved_policy.h"

namespace sluice {

struct TrafficEnd {
  std::string address;     // as text; empty: unknown
  std::uint32_t port = 0;  // 0: there is none
  std::string pod;         // "namespace/name"; empty: no pod has the address
  std::string node;        // where the pod runs; empty: unknown
};

// "shop/web:80": the name of a pod, or else the address; "-" if neither is known.
std::string ToText(const TrafficEnd& end);
// "10.0.0.1:80", "[fd00::1]:80"; without the port if it is 0; "-" if there is no address.
std::string AddressText(const TrafficEnd& end);
// {"address","port","namespace","pod","node"}; unknown members are absent.
nlohmann::ordered_json ToJson(const TrafficEnd& end);

// The protocol's name, or its number if it has no name.
nlohmann::ordered_json ProtocolJson(std::uint8_t protocol);

// The owners of the addresses of a policy's endpoints. Refers to the policy; one thread.
class EndNames {
 public:
  explicit EndNames(const ResolvedPolicy& policy) : policy_(policy) {}
  TrafficEnd Of(const IpAddress& address, std::uint32_t port) const;

 private:
  const ResolvedPolicy& policy_;
  mutable std::unordered_map<IpAddress, const Endpoint*> endpoints_;  // filled by the first question
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_TRAFFIC_END_H_
