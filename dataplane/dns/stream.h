// Reads one direction of DNS over TCP: segments in any order -> messages, each after its length (RFC 7766 8).
//
// Bytes that were received once stay: a segment that is sent again adds only its new bytes. Memory is bounded. A stream
// that needs more, or whose beginning was not seen, is lost and gives no more messages. For one thread.
#ifndef SLUICE_DATAPLANE_DNS_STREAM_H_
#define SLUICE_DATAPLANE_DNS_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dns/message.h"

namespace sluice {

class DnsStream {
 public:
  static constexpr std::size_t kMostAhead = kMostDnsBytes + 2;  // bytes behind a gap
  static constexpr std::size_t kMostParts = 64;                 // ... in at most this many segments

  // A SYN with this sequence number: the data begins after it.
  void Begin(std::uint32_t sequence);
  // Adds a segment's content. Calls visit(std::span<const std::uint8_t> message) for each message that is now complete.
  template <typename Visit>
  void Add(std::uint32_t sequence, std::span<const std::uint8_t> bytes, Visit visit) {
    if (!Store(sequence, bytes)) return;
    std::size_t at = 0;
    while (buffer_.size() - at >= 2) {
      const std::size_t length = static_cast<std::size_t>(buffer_[at]) << 8 | buffer_[at + 1];
      if (buffer_.size() - at - 2 < length) break;
      visit(std::span<const std::uint8_t>(buffer_).subspan(at + 2, length));
      at += 2 + length;
    }
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  bool is_lost() const { return is_lost_; }
  std::size_t MemoryBytes() const { return buffer_.capacity() + ahead_bytes_; }

 private:
  struct Part {
    std::uint32_t sequence;
    std::vector<std::uint8_t> bytes;
  };

  bool Store(std::uint32_t sequence, std::span<const std::uint8_t> bytes);
  void Append(std::uint32_t sequence, std::span<const std::uint8_t> bytes);
  void Lose();

  bool has_begun_ = false;
  bool is_lost_ = false;
  std::uint32_t next_ = 0;            // the sequence number after the buffer's last byte
  std::vector<std::uint8_t> buffer_;  // begins with a message's length
  std::vector<Part> ahead_;
  std::size_t ahead_bytes_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_DNS_STREAM_H_
