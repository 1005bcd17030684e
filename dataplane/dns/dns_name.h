// A domain name in the form that DNS compares: RFC 1035's labels, in lower case (RFC 4343), without compression.
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
  static constexpr std::size_t kMost = 255;  // bytes, including the root's (RFC 1035 2.3.4)

  // Makes the root.
  DnsName() = default;

  // Reads the name at `offset` of a message, and returns the offset after it. Returns nothing if the name exceeds the
  // message or kMost, has a label of another kind, or a pointer that does not lead back (RFC 1035 4.1.4). Each pointer
  // must lead to a place before all that was read of the name, so no name loops. There may be at most 127 pointers.
  static std::optional<std::size_t> Read(std::span<const std::uint8_t> message, std::size_t offset, DnsName& name);

  // Reads "S3.example.com" or "s3.example.com."; nothing if it is no name. For names that people write: no escapes.
  static std::optional<DnsName> Parse(std::string_view text);

  // Returns lower case, without the dot at the end; "." for the root. A byte that no host name has is written \DDD (RFC
  // 1035 5.1), and so is a dot within a label. So equal texts mean equal names, and a text's dots separate labels.
  std::string ToString() const;

  // Whether this one is `parent` with one or more labels before it.
  bool IsBelow(const DnsName& parent) const;
  // Returns this name with the labels of `target` in place of the labels of `owner`. Requires that this name is below
  // `owner` (RFC 6672 2.2). Returns nothing if the result is too long.
  std::optional<DnsName> Redirected(const DnsName& owner, const DnsName& target) const;

  std::span<const std::uint8_t> bytes() const { return {bytes_.data(), length_}; }

  friend bool operator==(const DnsName& one, const DnsName& other) {
    return std::string_view(one) == std::string_view(other);
  }
  // For hashing and comparing.
  explicit operator std::string_view() const { return {reinterpret_cast<const char*>(bytes_.data()), length_}; }

 private:
  bool Append(std::span<const std::uint8_t> label);

  // The labels, each after its length; the root's is the last.
  std::array<std::uint8_t, kMost> bytes_{};
  std::uint8_t length_ = 1;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_DNS_DNS_NAME_H_
