#include "dns/dns_name.h"

#include <algorithm>

namespace sluice {
namespace {

constexpr std::size_t kMostLabel = 63;
constexpr std::size_t kMostPointers = 127;  // as many as a name has labels
constexpr std::uint8_t kKind = 0xc0;        // the two bits that tell a label from a pointer

std::uint8_t Lower(std::uint8_t byte) {
  return byte >= 'A' && byte <= 'Z' ? static_cast<std::uint8_t>(byte - 'A' + 'a') : byte;
}

bool IsOfHosts(std::uint8_t byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' || byte == '_';
}

}  // namespace

// Requires that the last label is the root's.
bool DnsName::Append(std::span<const std::uint8_t> label) {
  if (length_ + label.size() + 1 > kMost) return false;
  std::uint8_t* to = bytes_.data() + length_ - 1;
  *to++ = static_cast<std::uint8_t>(label.size());
  to = std::transform(label.begin(), label.end(), to, Lower);
  *to = 0;
  length_ = static_cast<std::uint8_t>(length_ + label.size() + 1);
  return true;
}

std::optional<std::size_t> DnsName::Read(std::span<const std::uint8_t> message, std::size_t offset, DnsName& name) {
  name.bytes_[0] = 0;
  name.length_ = 1;
  std::optional<std::size_t> end;  // known after the first pointer
  std::size_t begin = offset;      // of the part that is being read
  std::size_t pointers = 0;
  while (offset < message.size()) {
    const std::uint8_t length = message[offset];
    if ((length & kKind) == kKind) {
      if (offset + 1 >= message.size()) return std::nullopt;
      const std::size_t target = static_cast<std::size_t>(length & ~kKind) << 8 | message[offset + 1];
      if (target >= begin || ++pointers > kMostPointers) return std::nullopt;
      if (!end) end = offset + 2;
      begin = offset = target;
      continue;
    }
    if ((length & kKind) != 0) return std::nullopt;  // RFC 6891 5: reserved, or withdrawn
    if (length == 0) return end ? end : offset + 1;
    if (offset + 1 + length > message.size() || !name.Append(message.subspan(offset + 1, length))) return std::nullopt;
    offset += 1 + length;
  }
  return std::nullopt;
}

std::optional<DnsName> DnsName::Parse(std::string_view text) {
  DnsName name;
  if (text.ends_with('.')) text.remove_suffix(1);
  while (!text.empty()) {
    const std::string_view label = text.substr(0, text.find('.'));
    if (label.empty() || label.size() > kMostLabel) return std::nullopt;
    if (!name.Append({reinterpret_cast<const std::uint8_t*>(label.data()), label.size()})) return std::nullopt;
    text.remove_prefix(label.size());
    if (text.empty()) break;
    text.remove_prefix(1);
    if (text.empty()) return std::nullopt;  // two dots at the end
  }
  return name;
}

std::string DnsName::ToString() const {
  std::string text;
  for (std::size_t at = 0; bytes_[at] != 0; at += bytes_[at] + 1u) {
    if (!text.empty()) text += '.';
    for (std::size_t i = at + 1; i <= at + bytes_[at]; ++i) {
      const std::uint8_t byte = bytes_[i];
      if (IsOfHosts(byte)) {
        text += static_cast<char>(byte);
      } else {
        text += {'\\', static_cast<char>('0' + byte / 100), static_cast<char>('0' + byte / 10 % 10),
                 static_cast<char>('0' + byte % 10)};
      }
    }
  }
  return text.empty() ? "." : text;
}

bool DnsName::IsBelow(const DnsName& parent) const {
  if (length_ <= parent.length_) return false;
  const std::size_t rest = length_ - parent.length_;
  std::size_t at = 0;
  while (at < rest) at += bytes_[at] + 1u;
  return at == rest && std::equal(bytes_.begin() + static_cast<std::ptrdiff_t>(rest), bytes_.begin() + length_,
                                  parent.bytes_.begin());
}

std::optional<DnsName> DnsName::Redirected(const DnsName& owner, const DnsName& target) const {
  const std::size_t kept = length_ - owner.length_;
  if (kept + target.length_ > kMost) return std::nullopt;
  DnsName name = *this;
  std::copy_n(target.bytes_.begin(), target.length_, name.bytes_.begin() + static_cast<std::ptrdiff_t>(kept));
  name.length_ = static_cast<std::uint8_t>(kept + target.length_);
  return name;
}

}  // namespace sluice
