// A domain name as DNS compares it: RFC 1035's labels, in lower case (RFC 4343), without compression.
//
// Plain values; any thread.
#ifndef SLUICE_DATAPLANE_DNS_DNS_NAME_H_
#define SLUICE_DATAPLANE_DNS_DNS_NAME_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sluice {

class DnsName {
 public:
  static constexpr std::size_t kMost = 255;  // bytes, the root's included (RFC 1035 2.3.4)

  // The root.
  DnsName() = default;

  // Reads the name at `offset` of a message, and returns where what follows it begins. Nothing where it runs over the
  // message's end or kMost, has a label of another kind, or a pointer that does not lead back (RFC 1035 4.1.4): each
  // must lead to before all that was read of the name, so that no name loops, and there are at most 127 of them.
  static std::optional<std::size_t> Read(std::span<const std::uint8_t> message, std::size_t offset, DnsName& name);

  // "S3.example.com" or "s3.example.com."; nothing where that is no name. For names that people write: no escapes.
  static std::optional<DnsName> Parse(std::string_view text);

  // Lower case, without the dot at the end; "." for the root. A byte that a host's name does not have is written \DDD
  // (RFC 1035 5.1), a dot within a label too: equal texts mean equal names, and a text's dots part labels.
  std::string ToString() const;

  // Whether this one is `parent` with one or more labels before it.
  bool IsBelow(const DnsName& parent) const;
  // This name with the labels of `target` in place of `owner`'s, which it must be below (RFC 6672 2.2). Nothing where
  // that is too long.
  std::optional<DnsName> Redirected(const DnsName& owner, const DnsName& target) const;

  std::span<const std::uint8_t> bytes() const { return {bytes_.data(), length_}; }

  friend bool operator==(const DnsName& one, const DnsName& other) {
    return std::string_view(one) == std::string_view(other);
  }
  // For hashing and comparing.
  explicit operator std::string_view() const { return {reinterpret_cast<const char*>(bytes_.data()), length_}; }

 private:
  bool Append(std::span<const std::uint8_t> label);

  // Labels, each after its length, the root's last.
  std::array<std::uint8_t, kMost> bytes_{};
  std::uint8_t length_ = 1;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_DNS_DNS_NAME_H_
