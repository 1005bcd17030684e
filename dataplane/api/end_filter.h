// Narrows lists of flows and of drops: every part that is set must match, at either end.
//
// Made from a request that has the fields of ListFlowsRequest. A plain value.
#ifndef SLUICE_DATAPLANE_API_END_FILTER_H_
#define SLUICE_DATAPLANE_API_END_FILTER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "codec/codec.h"
#include "sluice/address.h"

namespace sluice {

class EndFilter {
 public:
  // Returns the filter, or what is wrong with the request.
  template <typename Request>
  static std::variant<EndFilter, std::string> Of(const Request& request) {
    EndFilter filter;
    filter.port_ = request.port();
    filter.protocol_ = request.protocol();
    filter.pod_ = request.pod();
    if (!request.namespace_().empty()) filter.namespace_prefix_ = request.namespace_() + '/';
    if (request.address().empty()) return filter;
    const auto address = DecodeAddress(request.address());
    if (!address || request.prefix_length() > static_cast<std::uint32_t>(AddressBits(address->family))) {
      return "address: wants 4 or 16 bytes, and a prefix that is not longer";
    }
    const std::uint32_t length = request.prefix_length();
    filter.prefix_ =
        Prefix::Make(*address, static_cast<std::uint8_t>(length == 0 ? AddressBits(address->family) : length));
    return filter;
  }

  // Checks every part of the filter except pods.
  bool Matches(const IpAddress& source, const IpAddress& destination, std::uint16_t source_port,
               std::uint16_t destination_port, std::uint8_t protocol) const {
    if (protocol_ != 0 && protocol_ != protocol) return false;
    if (port_ != 0 && port_ != source_port && port_ != destination_port) return false;
    return !prefix_ || prefix_->Contains(source) || prefix_->Contains(destination);
  }

  bool WantsPods() const { return !pod_.empty() || !namespace_prefix_.empty(); }
  // Each argument is "namespace/name" of the pod at that end, or empty if no pod has the end's address.
  bool MatchesPods(std::string_view source, std::string_view destination) const {
    const auto either = [&](auto matches) { return matches(source) || matches(destination); };
    if (!pod_.empty() && !either([&](std::string_view pod) { return pod == pod_; })) return false;
    return either([&](std::string_view pod) { return pod.starts_with(namespace_prefix_); });
  }

 private:
  std::optional<Prefix> prefix_;
  std::uint32_t port_ = 0;
  std::uint32_t protocol_ = 0;
  std::string pod_;
  std::string namespace_prefix_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_END_FILTER_H_
