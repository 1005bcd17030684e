// DNS messages as the filter reads them: a question, and the addresses that an answer gives for it.
//
// This is our own parser, not a library's. We need a walk over untrusted bytes that bounds every name and allocates
// nothing for a record. ldns allocates several times for each record. c-ares reports neither DNAMEs nor which name has
// which address. The C library's parser follows up to 32,000 pointers for a name.
//
// It is strict: lengths are checked before their fields, nothing may follow the last record, and there is one question.
// What it does not understand is no answer. The names' thread reads messages, never the packet's walk.
#ifndef SLUICE_DATAPLANE_DNS_MESSAGE_H_
#define SLUICE_DATAPLANE_DNS_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dns/dns_name.h"
#include "sluice/address.h"

namespace sluice {

inline constexpr std::size_t kDnsHeaderBytes = 12;
inline constexpr std::size_t kMostDnsBytes = 65535;
inline constexpr std::uint16_t kDnsA = 1;
inline constexpr std::uint16_t kDnsAaaa = 28;

// RFC 1035 4.1.1. Requires kDnsHeaderBytes bytes.
inline bool IsDnsResponse(std::span<const std::uint8_t> message) { return (message[2] & 0x80) != 0; }

struct DnsQuestion {
  std::uint16_t id = 0;
  std::uint16_t type = 0;
  DnsName name;

  friend bool operator==(const DnsQuestion&, const DnsQuestion&) = default;
};

// What an answer says (FQ-04).
struct DnsAnswer {
  // The name that was asked for, then the chain of its CNAMEs and DNAMEs, in order, as DnsName::ToString writes them.
  // Each of these names has the addresses.
  std::vector<std::string> names;
  std::vector<IpAddress> addresses;
  std::uint32_t ttl_s =
      0;  // the least TTL of the address records and of those that lead to them (RFC 2181 5.2), as sent
};

enum class DnsReading : std::uint8_t {
  kRead,
  kMalformed,
  kTruncated,  // the complete answer comes by TCP
  kOther,      // well-formed as far as it was read, but not of interest: another opcode, class or type
};

class DnsReader {
 public:
  static constexpr std::size_t kMostLinks = 16;  // in a chain; a message with a longer one is no answer

  // Reads a query of class IN for A or AAAA.
  static DnsReading ReadQuery(std::span<const std::uint8_t> message, DnsQuestion& question);

  // Reads the question of a response, before it is known whether a query asked it. A kTruncated one has it, too.
  static DnsReading ReadResponse(std::span<const std::uint8_t> message, DnsQuestion& question);
  // Reads the addresses that the message gives for this question, which ReadResponse read. None if the name has none,
  // or the server failed. Leaves out records of other types and names. The reader owns `answer` until the next call.
  DnsReading ReadAnswer(std::span<const std::uint8_t> message, const DnsQuestion& question);
  const DnsAnswer& answer() const { return answer_; }

 private:
  struct Record {
    std::size_t owner;  // where its name begins
    std::size_t data;
    std::size_t name_hash;
    std::uint32_t ttl_s;
    std::uint16_t type;
    std::uint16_t data_length;
  };

  bool ReadRecords(std::span<const std::uint8_t> message, std::size_t& extended_code);
  bool IsOwner(std::span<const std::uint8_t> message, const Record& record, const DnsName& name,
               std::size_t hash) const;
  enum class Step : std::uint8_t { kEnd, kNext, kWrong };
  Step FollowLink(std::span<const std::uint8_t> message, DnsName& name, std::uint32_t& ttl_s) const;

  std::vector<Record> records_;  // records of class IN in the answer section
  DnsAnswer answer_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_DNS_MESSAGE_H_
