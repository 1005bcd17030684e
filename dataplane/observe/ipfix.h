// Flow log records as IPFIX (RFC 7011): templates, data records and messages. Elements are IANA's and those of Antrea
// (enterprise 56506), which its collectors know. Values; any thread.
#ifndef SLUICE_DATAPLANE_OBSERVE_IPFIX_H_
#define SLUICE_DATAPLANE_OBSERVE_IPFIX_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "observe/flow_log_record.h"

namespace sluice {

// The number of its template, 2 bytes, and a data record of it.
std::string IpfixRecord(const FlowLogRecord& record);

// The same of a record that says how many records the collector did not get since the exporter began: an options record
// of the exporting process, as RFC 7011 section 4.3 has it, with the count alone.
std::string IpfixNotSent(std::uint64_t records);

// Puts records into messages of a bounded length.
class IpfixMessages {
 public:
  // A message has at least room for the templates, and for the longest record.
  explicit IpfixMessages(std::uint32_t domain) : domain_(domain) {}

  // The templates, for a collector that has none: a message of its own.
  std::string Templates(std::uint32_t unix_s) const;
  // Whether a record of IpfixRecord still fits into a message of so many bytes.
  bool Fits(std::string_view record, std::size_t most_bytes) const;
  void Add(std::string_view record);
  // Of the message that is being made: whether it has records, and how many of IpfixRecord.
  bool IsEmpty() const { return count_ == 0; }
  std::uint32_t flows() const { return flows_; }
  // The message, and begins the next one. Requires that it is not empty.
  std::string Take(std::uint32_t unix_s);
  // The collector counts from 0: it is another one, or the same anew.
  void BeginSequence() { sequence_ = 0; }

 private:
  const std::uint32_t domain_;
  std::uint32_t sequence_ = 0;  // data records in the messages before
  std::uint32_t count_ = 0;
  std::uint32_t flows_ = 0;
  std::string sets_;
  std::size_t set_begin_ = 0;   // of the last one in sets_
  std::uint16_t template_ = 0;  // ... and what it is of
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_IPFIX_H_
