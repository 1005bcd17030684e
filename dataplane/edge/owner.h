// Which worker a packet belongs to.
//
// A flow, the fragments of its datagrams and the ICMP errors about it must meet at one worker. All of them
// show the pair of addresses (an error shows it in the packet that it quotes), so this pair alone chooses
// the worker. The hash is the one that NICs compute: Toeplitz over source and destination address. Its key
// is 0x6d5a, repeated, which makes it the same in both directions. A NIC with this setup delivers a packet
// to its owner by itself. Packets that it delivers wrongly, or cannot know (ICMP errors), are handed over.
//
// Pure functions for any thread; they need no EAL.
#ifndef SLUICE_DATAPLANE_EDGE_OWNER_H_
#define SLUICE_DATAPLANE_EDGE_OWNER_H_

#include <array>
#include <cstdint>

#include "core/packet.h"

namespace sluice {

// The entries of a NIC's redirection table that matter: entry i leads to worker (i % kRedirections) % workers.
inline constexpr std::uint32_t kRedirections = 128;

// Microsoft's RSS hash of an address pair, with the symmetric key.
std::uint32_t AddressPairHash(const IpAddress& a, const IpAddress& b);

constexpr std::uint32_t OwnerOf(std::uint32_t hash, std::uint32_t workers) { return (hash % kRedirections) % workers; }

// `packet` is what Parse found in `frame`. `receiver` owns frames without an address pair: ARP, and what Parse refuses.
std::uint32_t Owner(const Frame& frame, const ParsedPacket& packet, std::uint32_t receiver, std::uint32_t workers);

// The symmetric key, as long as any NIC needs it.
constexpr std::array<std::uint8_t, 64> SymmetricRssKey() {
  std::array<std::uint8_t, 64> key{};
  for (std::size_t i = 0; i < key.size(); i += 2) {
    key[i] = 0x6d;
    key[i + 1] = 0x5a;
  }
  return key;
}

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_OWNER_H_
