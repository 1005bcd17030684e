#include "dns/stream.h"

#include <algorithm>

namespace sluice {
namespace {

// RFC 9293 3.4: sequence numbers wrap around.
std::int32_t After(std::uint32_t sequence, std::uint32_t other) { return static_cast<std::int32_t>(sequence - other); }

}  // namespace

void DnsStream::Begin(std::uint32_t sequence) {
  if (has_begun_ && next_ == sequence + 1 && buffer_.empty()) return;  // the SYN again
  *this = {};
  has_begun_ = true;
  next_ = sequence + 1;
}

void DnsStream::Lose() {
  *this = {};
  is_lost_ = true;
}

bool DnsStream::Store(std::uint32_t sequence, std::span<const std::uint8_t> bytes) {
  if (is_lost_ || bytes.empty()) return false;
  if (!has_begun_) {
    Lose();
    return false;
  }
  if (After(sequence, next_) > 0) {
    if (static_cast<std::size_t>(After(sequence, next_)) + bytes.size() > kMostAhead || ahead_.size() == kMostParts ||
        ahead_bytes_ + bytes.size() > kMostAhead) {
      Lose();
    } else {
      ahead_.push_back({sequence, {bytes.begin(), bytes.end()}});
      ahead_bytes_ += bytes.size();
    }
    return false;
  }
  Append(sequence, bytes);
  // Takes the parts from behind the gap, in order.
  std::sort(ahead_.begin(), ahead_.end(), [&](const Part& one, const Part& other) {
    return After(one.sequence, next_) < After(other.sequence, next_);
  });
  auto part = ahead_.begin();
  for (; part != ahead_.end() && After(part->sequence, next_) <= 0; ++part) {
    Append(part->sequence, part->bytes);
    ahead_bytes_ -= part->bytes.size();
  }
  ahead_.erase(ahead_.begin(), part);
  return true;
}

// Requires that no earlier byte is missing.
void DnsStream::Append(std::uint32_t sequence, std::span<const std::uint8_t> bytes) {
  const auto known = static_cast<std::size_t>(After(next_, sequence));
  if (known >= bytes.size()) return;
  buffer_.insert(buffer_.end(), bytes.begin() + static_cast<std::ptrdiff_t>(known), bytes.end());
  next_ = sequence + static_cast<std::uint32_t>(bytes.size());
}

}  // namespace sluice
