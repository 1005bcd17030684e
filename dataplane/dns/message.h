// DNS messages as the filter reads them: a question, and the addresses that an answer gives to it.
//
// Our own parser, not a library's: what is needed is a walk over bytes that others wrote, with a bound on every name
// and nothing allocated for a record. ldns allocates several times for each record; c-ares tells neither DNAMEs nor
// which name has which address; the C library's follows up to 32,000 pointers for a name.
//
// Strict: every length before its field, nothing after the last record, one question. What is not understood is no
// answer. Not for the packet's walk: the names' thread reads messages.
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
  // What was asked for, and then the chain of its CNAMEs and DNAMEs, in their order, as DnsName::ToString. Each of
  // them has the addresses.
  std::vector<std::string> names;
  std::vector<IpAddress> addresses;
  std::uint32_t ttl_s =
      0;  // the least of the records that lead to them and of their own (RFC 2181 5.2), as it was sent
};

enum class DnsReading : std::uint8_t {
  kRead,
  kMalformed,
  kTruncated,  // the whole answer comes by TCP
  kOther,      // well-formed as far as it was read, and not what was looked for: another opcode, class or type
};

class DnsReader {
 public:
  static constexpr std::size_t kMostLinks = 16;  // of a chain; a longer one is no answer

  // A query of class IN for A or AAAA.
  static DnsReading ReadQuery(std::span<const std::uint8_t> message, DnsQuestion& question);

  // The question of a response, before it is known whether anybody asked it. kTruncated, too, has it.
  static DnsReading ReadResponse(std::span<const std::uint8_t> message, DnsQuestion& question);
  // The addresses that it gives to this question, which ReadResponse read from it: none where the name has none, or the
  // server failed. Records of other types and names are left out. `answer` is of the reader, until the next call.
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

  std::vector<Record> records_;  // of the answer section, of class IN
  DnsAnswer answer_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_DNS_MESSAGE_H_
