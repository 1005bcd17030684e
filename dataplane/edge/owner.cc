#include "edge/owner.h"

#include <algorithm>
#include <bit>

#include "core/parse.h"

namespace sluice {
namespace {

constexpr std::uint32_t kKey = 0x6d5a6d5a;

std::uint32_t FoldTo16(std::uint64_t value) {
  value ^= value >> 32;
  return static_cast<std::uint32_t>((value ^ (value >> 16)) & 0xffff);
}

std::uint32_t PairHash(const ParsedPacket& packet) { return AddressPairHash(packet.source(), packet.destination()); }

}  // namespace

// Toeplitz XORs a 32-bit window of the key for each set bit of the input. The key repeats
// every 16 bits, and so do its windows. So the input may be folded to 16 bits first.
std::uint32_t AddressPairHash(const IpAddress& a, const IpAddress& b) {
  const std::uint32_t folded = FoldTo16(a.hi ^ a.lo ^ b.hi ^ b.lo);
  std::uint32_t hash = 0;
  for (int bit = 0; bit < 16; ++bit) {
    if ((folded & (0x8000u >> bit)) != 0) hash ^= std::rotl(kKey, bit);
  }
  return hash;
}

std::uint32_t Owner(const Frame& frame, const ParsedPacket& packet, std::uint32_t receiver, std::uint32_t workers) {
  if (packet.reason != DropReason::kNone || packet.Is(ParsedPacket::kPass)) return receiver;
  // All fragments of an error go to the same worker, also those that do not show what the error quotes.
  constexpr std::uint32_t kIcmpErrorHeader = 8;
  const std::uint32_t quote = packet.l4_offset + kIcmpErrorHeader;
  const std::uint32_t end = std::min<std::uint32_t>(packet.l4_offset + packet.l4_length, frame.length);
  if (packet.Is(ParsedPacket::kIcmpError) && !packet.Is(ParsedPacket::kFragment) && quote < end) {
    ParsedPacket quoted;
    ParseQuoted({frame.data + quote, end - quote}, packet.family, quoted);
    if (quoted.reason == DropReason::kNone) return OwnerOf(PairHash(quoted), workers);
  }
  return OwnerOf(PairHash(packet), workers);
}

}  // namespace sluice
