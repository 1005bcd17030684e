#include "dns/message.h"

#include <algorithm>
#include <functional>
#include <optional>

namespace sluice {
namespace {

constexpr std::uint16_t kClassIn = 1;
constexpr std::uint16_t kTypeCname = 5;
constexpr std::uint16_t kTypeDname = 39;
constexpr std::uint16_t kTypeOpt = 41;

std::uint16_t Read16(std::span<const std::uint8_t> message, std::size_t at) {
  return static_cast<std::uint16_t>(message[at] << 8 | message[at + 1]);
}

std::uint32_t Read32(std::span<const std::uint8_t> message, std::size_t at) {
  return std::uint32_t{Read16(message, at)} << 16 | Read16(message, at + 2);
}

struct Header {
  std::uint16_t id, flags, questions, answers, authorities, additionals;

  bool is_response() const { return (flags & 0x8000) != 0; }
  bool is_query_opcode() const { return (flags & 0x7800) == 0; }
  bool is_truncated() const { return (flags & 0x0200) != 0; }
  std::size_t code() const { return flags & 0xf; }
};

Header HeaderOf(std::span<const std::uint8_t> message) {
  return {Read16(message, 0), Read16(message, 2), Read16(message, 4),
          Read16(message, 6), Read16(message, 8), Read16(message, 10)};
}

// Reads the only question after the header. Returns where the records begin, or nothing.
std::optional<std::size_t> ReadQuestion(std::span<const std::uint8_t> message, DnsQuestion& question,
                                        std::uint16_t& class_of) {
  question.id = Read16(message, 0);
  const auto end = DnsName::Read(message, kDnsHeaderBytes, question.name);
  if (!end || message.size() - *end < 4) return std::nullopt;
  question.type = Read16(message, *end);
  class_of = Read16(message, *end + 2);
  return *end + 4;
}

// Reads the header and question of either kind of message.
DnsReading ReadHead(std::span<const std::uint8_t> message, bool is_response, DnsQuestion& question) {
  if (message.size() < kDnsHeaderBytes || message.size() > kMostDnsBytes) return DnsReading::kMalformed;
  const Header header = HeaderOf(message);
  if (header.is_response() != is_response || !header.is_query_opcode()) return DnsReading::kOther;
  if (header.questions != 1) return DnsReading::kMalformed;
  std::uint16_t class_of = 0;
  if (!ReadQuestion(message, question, class_of)) return DnsReading::kMalformed;
  if (class_of != kClassIn || (question.type != kDnsA && question.type != kDnsAaaa)) return DnsReading::kOther;
  return is_response && header.is_truncated() ? DnsReading::kTruncated : DnsReading::kRead;
}

// Reads the name that is the data of a CNAME or DNAME.
bool ReadTarget(std::span<const std::uint8_t> message, std::size_t at, std::size_t length, DnsName& target) {
  const auto end = DnsName::Read(message, at, target);
  return end && *end == at + length;
}

std::size_t HashOf(const DnsName& name) { return std::hash<std::string_view>{}(std::string_view(name)); }

}  // namespace

DnsReading DnsReader::ReadQuery(std::span<const std::uint8_t> message, DnsQuestion& question) {
  return ReadHead(message, false, question);
}

DnsReading DnsReader::ReadResponse(std::span<const std::uint8_t> message, DnsQuestion& question) {
  return ReadHead(message, true, question);
}

DnsReading DnsReader::ReadAnswer(std::span<const std::uint8_t> message, const DnsQuestion& question) {
  answer_.names.clear();
  answer_.addresses.clear();
  std::size_t extended_code = 0;
  if (!ReadRecords(message, extended_code)) return DnsReading::kMalformed;
  if (HeaderOf(message).code() != 0 || extended_code != 0) return DnsReading::kRead;

  DnsName name = question.name;
  answer_.ttl_s = ~std::uint32_t{0};
  answer_.names.push_back(name.ToString());
  for (Step step = Step::kNext; (step = FollowLink(message, name, answer_.ttl_s)) != Step::kEnd;) {
    std::string text = name.ToString();
    const bool is_loop = std::find(answer_.names.begin(), answer_.names.end(), text) != answer_.names.end();
    if (step == Step::kWrong || is_loop || answer_.names.size() > kMostLinks) {
      answer_.names.clear();
      return DnsReading::kMalformed;
    }
    answer_.names.push_back(std::move(text));
  }
  const std::size_t hash = HashOf(name);
  for (const Record& record : records_) {
    if (record.type != question.type || !IsOwner(message, record, name, hash)) continue;
    const std::uint8_t* const bytes = message.data() + record.data;
    answer_.ttl_s = std::min(answer_.ttl_s, record.ttl_s);
    answer_.addresses.push_back(record.type == kDnsA ? IpAddress::FromV4Bytes(bytes) : IpAddress::FromV6Bytes(bytes));
  }
  return DnsReading::kRead;
}

// Reads all records, to the message's last byte.
bool DnsReader::ReadRecords(std::span<const std::uint8_t> message, std::size_t& extended_code) {
  records_.clear();
  const Header header = HeaderOf(message);
  DnsQuestion question;
  std::uint16_t class_of = 0;
  const auto begin = ReadQuestion(message, question, class_of);
  if (!begin) return false;
  const std::size_t first_additional = std::size_t{header.answers} + header.authorities;
  const std::size_t count = first_additional + header.additionals;
  bool has_opt = false;
  std::size_t at = *begin;
  for (std::size_t i = 0; i < count; ++i) {
    DnsName owner;
    const std::size_t owner_at = at;
    const auto end = DnsName::Read(message, at, owner);
    if (!end || message.size() - *end < 10) return false;
    Record record{.owner = owner_at,
                  .data = *end + 10,
                  .name_hash = 0,
                  .ttl_s = Read32(message, *end + 4),
                  .type = Read16(message, *end),
                  .data_length = Read16(message, *end + 8)};
    const std::uint16_t record_class = Read16(message, *end + 2);
    if (message.size() - record.data < record.data_length) return false;
    at = record.data + record.data_length;
    if (record.type == kTypeOpt) {
      // RFC 6891 6.1.1: one OPT, of the root, among the additional records. Its TTL begins with the code's upper bits.
      if (has_opt || i < first_additional || owner != DnsName()) return false;
      has_opt = true;
      extended_code = record.ttl_s >> 24;
      continue;
    }
    if (i >= header.answers || record_class != kClassIn) continue;
    if (record.type == kDnsA && record.data_length != 4) return false;
    if (record.type == kDnsAaaa && record.data_length != 16) return false;
    if (record.ttl_s > 0x7fffffff) record.ttl_s = 0;  // RFC 2181 8
    record.name_hash = HashOf(owner);
    records_.push_back(record);
  }
  return at == message.size();
}

bool DnsReader::IsOwner(std::span<const std::uint8_t> message, const Record& record, const DnsName& name,
                        std::size_t hash) const {
  if (record.name_hash != hash) return false;
  DnsName owner;
  return DnsName::Read(message, record.owner, owner) && owner == name;
}

// Follows a CNAME of this name, or else a DNAME of a name above it.
DnsReader::Step DnsReader::FollowLink(std::span<const std::uint8_t> message, DnsName& name,
                                      std::uint32_t& ttl_s) const {
  const std::size_t hash = HashOf(name);
  std::optional<DnsName> next;
  bool is_dname = false;
  std::size_t owner_length = 0;
  std::uint32_t link_ttl_s = 0;
  for (const Record& record : records_) {
    if (record.type != kTypeCname && record.type != kTypeDname) continue;
    DnsName owner, target;
    if (record.type == kTypeCname) {
      if (!IsOwner(message, record, name, hash)) continue;
      if (!ReadTarget(message, record.data, record.data_length, target)) return Step::kWrong;
      if (next && !is_dname && *next != target) return Step::kWrong;  // RFC 1034 3.6.2: only one may exist
      link_ttl_s = next && !is_dname ? std::min(link_ttl_s, record.ttl_s) : record.ttl_s;
      next = target;
      is_dname = false;
    } else if (!next || is_dname) {
      if (!DnsName::Read(message, record.owner, owner) || !name.IsBelow(owner)) continue;
      if (owner.bytes().size() <= owner_length) continue;
      owner_length = owner.bytes().size();
      if (!ReadTarget(message, record.data, record.data_length, target)) return Step::kWrong;
      const auto redirected = name.Redirected(owner, target);
      if (!redirected) return Step::kWrong;  // RFC 6672 2.2: the name would be too long
      next = redirected;
      link_ttl_s = record.ttl_s;
      is_dname = true;
    }
  }
  if (!next) return Step::kEnd;
  name = *next;
  ttl_s = std::min(ttl_s, link_ttl_s);
  return Step::kNext;
}

}  // namespace sluice
