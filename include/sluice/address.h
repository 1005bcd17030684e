// IP addresses and prefixes as values.
//
// Numbers are in host order: `lo` of an IPv4 address is its 32-bit value, so that 10.0.0.1 is 0x0a000001.
// Wire bytes are converted explicitly, by FromV4Bytes, FromV6Bytes and CopyBytes. All of it is safe from any thread.
#ifndef SLUICE_ADDRESS_H_
#define SLUICE_ADDRESS_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

enum class Family : std::uint8_t { kIpv4 = 4, kIpv6 = 6 };

// An IPv4 or IPv6 address. Ordered by family, then by value.
struct IpAddress {
  Family family = Family::kIpv4;
  std::uint64_t hi = 0;  // upper 64 bits; zero for IPv4
  std::uint64_t lo = 0;  // lower 64 bits, or the 32 bits of IPv4

  static constexpr IpAddress V4(std::uint32_t value) { return {Family::kIpv4, 0, value}; }
  static constexpr IpAddress V6(std::uint64_t hi, std::uint64_t lo) { return {Family::kIpv6, hi, lo}; }
  // Reads 4 (or 16) bytes in network order.
  static IpAddress FromV4Bytes(const std::uint8_t* bytes);
  static IpAddress FromV6Bytes(const std::uint8_t* bytes);
  // Strict: dotted quad without leading zeros (RFC 6943 3.1.1), or RFC 4291 text; no zone, no port.
  // An IPv4-mapped IPv6 address (::ffff:a.b.c.d) is IPv6 here; code that must not accept it asks IsV4Mapped.
  static std::optional<IpAddress> Parse(std::string_view text);

  bool is_v4() const { return family == Family::kIpv4; }
  bool IsV4Mapped() const { return !is_v4() && hi == 0 && (lo >> 32) == 0xffff; }
  std::uint32_t v4() const { return static_cast<std::uint32_t>(lo); }
  // Writes 4 or 16 bytes in network order, by family.
  void CopyBytes(std::uint8_t* bytes) const;
  // RFC 5952 text.
  std::string ToString() const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

// Bits of an address of this family: 32 or 128.
constexpr int AddressBits(Family family) { return family == Family::kIpv4 ? 32 : 128; }

// A CIDR. Host bits of `base` are always zero: Make and Parse mask them (NP-41).
struct Prefix {
  IpAddress base;
  std::uint8_t length = 0;  // 0..AddressBits(base.family)

  // Requires length <= AddressBits(address.family).
  static Prefix Make(IpAddress address, std::uint8_t length);
  // "address/length", the length decimal without sign or leading zero.
  static std::optional<Prefix> Parse(std::string_view text);

  bool Contains(const IpAddress& address) const;
  // True iff every address of `other` is in this prefix.
  bool Contains(const Prefix& other) const;
  IpAddress First() const { return base; }
  IpAddress Last() const;
  std::string ToString() const;

  friend auto operator<=>(const Prefix&, const Prefix&) = default;
};

// The next address up, or nothing after the family's last one.
std::optional<IpAddress> Next(const IpAddress& address);

}  // namespace sluice

template <>
struct std::hash<sluice::IpAddress> {
  std::size_t operator()(const sluice::IpAddress& address) const noexcept {
    std::uint64_t mixed = (address.hi ^ static_cast<std::uint64_t>(address.family)) * 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 29) ^ address.lo) * 0xbf58476d1ce4e5b9u;
    return mixed ^ (mixed >> 32);
  }
};

template <>
struct std::hash<sluice::Prefix> {
  std::size_t operator()(const sluice::Prefix& prefix) const noexcept {
    return std::hash<sluice::IpAddress>{}(prefix.base) * 131 + prefix.length;
  }
};

#endif  // SLUICE_ADDRESS_H_
