// Flow log records as IPFIX (RFC 7011): templates, data records and messages. Elements are IANA's and those of Antrea
// (enterprise 56506), which Antrea's collectors know. Values; any thread.
#ifndef SLUICE_DATAPLANE_OBSERVE_IPFIX_H_
#define SLUICE_DATAPLANE_OBSERVE_IPFIX_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "observe/flow_log_record.h"

namespace sluice {

// Returns the number of the record's template, 2 bytes, followed by the data record.
std::string IpfixRecord(const FlowLogRecord& record);

// Returns, in the same form, a record of how many records the collector did not get since the exporter began. It is an
// options record of the exporting process (RFC 7011 section 4.3), with the count alone.
std::string IpfixNotSent(std::uint64_t records);

// Puts records into messages of a bounded length.
class IpfixMessages {
 public:
  // `domain`: the observation domain. A message has room at least for the templates, and for the longest record.
  explicit IpfixMessages(std::uint32_t domain) : domain_(domain) {}

  // A message of its own with the templates, for a collector that has none.
  std::string Templates(std::uint32_t unix_s) const;
  // Whether a record of IpfixRecord still fits, if a message may have `most_bytes`.
  bool Fits(std::string_view record, std::size_t most_bytes) const;
  void Add(std::string_view record);
  // About the message that is being made: whether it has no records yet, and how many of IpfixRecord it has.
  bool IsEmpty() const { return count_ == 0; }
  std::uint32_t flows() const { return flows_; }
  // Returns the message, and begins the next one. Requires that it is not empty.
  std::string Take(std::uint32_t unix_s);
  // The collector counts from 0: it is a new one, or has started again.
  void BeginSequence() { sequence_ = 0; }

 private:
  const std::uint32_t domain_;
  std::uint32_t sequence_ = 0;  // data records in earlier messages
  std::uint32_t count_ = 0;
  std::uint32_t flows_ = 0;
  std::string sets_;
  std::size_t set_begin_ = 0;   // where the last set begins in sets_
  std::uint16_t template_ = 0;  // ... and its template
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_IPFIX_H_
