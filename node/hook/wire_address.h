// Addresses in the form of the hooks' maps (layout.h).
#ifndef SLUICE_NODE_HOOK_WIRE_ADDRESS_H_
#define SLUICE_NODE_HOOK_WIRE_ADDRESS_H_

#include <cstdint>
#include <cstring>

#include "hook/layout.h"
#include "sluice/address.h"

namespace sluice {

inline sluice_address ToWire(const IpAddress& address) {
  sluice_address wire{};
  std::uint8_t bytes[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  address.CopyBytes(address.is_v4() ? bytes + 12 : bytes);
  std::memcpy(&wire, bytes, sizeof wire);
  return wire;
}

inline IpAddress FromWire(const sluice_address& wire) {
  std::uint8_t bytes[16];
  std::memcpy(bytes, &wire, sizeof bytes);
  const IpAddress address = IpAddress::FromV6Bytes(bytes);
  return address.IsV4Mapped() ? IpAddress::FromV4Bytes(bytes + 12) : address;
}

}  // namespace sluice

#endif  // SLUICE_NODE_HOOK_WIRE_ADDRESS_H_
