#include "sluice/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace sluice {
namespace {

std::uint64_t LoadBigEndian64(const std::uint8_t* bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | bytes[i];
  return value;
}

void StoreBigEndian64(std::uint64_t value, std::uint8_t* bytes) {
  for (int i = 7; i >= 0; --i, value >>= 8) bytes[i] = static_cast<std::uint8_t>(value);
}

// The network mask of `length` bits as an upper and a lower half of `family`.
IpAddress Mask(Family family, int length) {
  if (family == Family::kIpv4) return IpAddress::V4(length == 0 ? 0 : ~std::uint32_t{0} << (32 - length));
  const std::uint64_t hi = length == 0 ? 0 : length >= 64 ? ~std::uint64_t{0} : ~std::uint64_t{0} << (64 - length);
  const std::uint64_t lo = length <= 64 ? 0 : ~std::uint64_t{0} << (128 - length);
  return IpAddress::V6(hi, lo);
}

}  // namespace

IpAddress IpAddress::FromV4Bytes(const std::uint8_t* bytes) {
  return V4(std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3]);
}

IpAddress IpAddress::FromV6Bytes(const std::uint8_t* bytes) {
  return V6(LoadBigEndian64(bytes), LoadBigEndian64(bytes + 8));
}

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN + 1> buffer;  // inet_pton wants a terminated string
  if (text.size() >= buffer.size() || text.find('\0') != text.npos) return std::nullopt;
  std::copy(text.begin(), text.end(), buffer.begin());
  buffer[text.size()] = '\0';
  std::array<std::uint8_t, 16> bytes;
  if (text.find(':') != text.npos) {
    if (inet_pton(AF_INET6, buffer.data(), bytes.data()) != 1) return std::nullopt;
    return FromV6Bytes(bytes.data());
  }
  // glibc's inet_pton already refuses leading zeros, short forms and signs in dotted quads.
  if (inet_pton(AF_INET, buffer.data(), bytes.data()) != 1) return std::nullopt;
  return FromV4Bytes(bytes.data());
}

void IpAddress::CopyBytes(std::uint8_t* bytes) const {
  if (is_v4()) {
    for (int i = 0; i < 4; ++i) bytes[i] = static_cast<std::uint8_t>(lo >> (24 - 8 * i));
    return;
  }
  StoreBigEndian64(hi, bytes);
  StoreBigEndian64(lo, bytes + 8);
}

std::string IpAddress::ToString() const {
  std::array<std::uint8_t, 16> bytes;
  CopyBytes(bytes.data());
  std::array<char, INET6_ADDRSTRLEN> text;
  inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes.data(), text.data(), text.size());
  return text.data();
}

Prefix Prefix::Make(IpAddress address, std::uint8_t length) {
  const IpAddress mask = Mask(address.family, length);
  return {{address.family, address.hi & mask.hi, address.lo & mask.lo}, length};
}

std::optional<Prefix> Prefix::Parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == text.npos) return std::nullopt;
  const auto address = IpAddress::Parse(text.substr(0, slash));
  const std::string_view digits = text.substr(slash + 1);
  if (!address || digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits[0] == '0')) return std::nullopt;
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  if (length > static_cast<unsigned>(AddressBits(address->family))) return std::nullopt;
  return Make(*address, static_cast<std::uint8_t>(length));
}

bool Prefix::Contains(const IpAddress& address) const {
  return address.family == base.family && Make(address, length).base == base;
}

bool Prefix::Contains(const Prefix& other) const { return other.length >= length && Contains(other.base); }

IpAddress Prefix::Last() const {
  const IpAddress mask = Mask(base.family, length);
  if (base.is_v4()) return IpAddress::V4(base.v4() | ~mask.v4());
  return IpAddress::V6(base.hi | ~mask.hi, base.lo | ~mask.lo);
}

std::string Prefix::ToString() const { return base.ToString() + '/' + std::to_string(length); }

std::optional<IpAddress> Next(const IpAddress& address) {
  if (address.is_v4()) {
    if (address.v4() == ~std::uint32_t{0}) return std::nullopt;
    return IpAddress::V4(address.v4() + 1);
  }
  const std::uint64_t lo = address.lo + 1;
  const std::uint64_t hi = address.hi + (lo == 0 ? 1 : 0);
  if (lo == 0 && hi == 0) return std::nullopt;
  return IpAddress::V6(hi, lo);
}

}  // namespace sluice
