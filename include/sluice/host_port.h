// "HOST:PORT" as a value. Any thread.
#ifndef SLUICE_HOST_PORT_H_
#define SLUICE_HOST_PORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

struct HostPort {
  std::string host;  // an address (IPv6: without brackets, perhaps with a zone) or a name
  std::uint16_t port = 0;
};

// The text is an IPv4 address, an IPv6 address in brackets or a name (RFC 1123), then a colon and a port from 0 to
// 65535. Returns nothing if it is not, or if the host is invalid: a host that looks like an IPv4 address must be one.
std::optional<HostPort> ParseHostPort(std::string_view text);

}  // namespace sluice

#endif  // SLUICE_HOST_PORT_H_
