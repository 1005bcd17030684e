// Builds DNS messages for tests: DnsBuilder(7).Question("s3.example.com").A("s3.example.com", "203.0.113.9").Bytes().
//
// Records without a section's name before them are answers. Names are written whole, unless told otherwise; what is
// wrong is written by Raw.
#ifndef SLUICE_TESTS_SUPPORT_DNS_BUILDER_H_
#define SLUICE_TESTS_SUPPORT_DNS_BUILDER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "support/packet_builder.h"

namespace sluice {

class DnsBuilder {
 public:
  static constexpr std::uint16_t kA = 1, kNs = 2, kCname = 5, kTxt = 16, kAaaa = 28, kDname = 39, kOpt = 41,
                                 kHttps = 65;

  explicit DnsBuilder(std::uint16_t id = 1, std::uint16_t flags = 0x8180);
  static DnsBuilder Query(std::uint16_t id, std::string_view name, std::uint16_t type = kA);

  DnsBuilder& Question(std::string_view name, std::uint16_t type = kA, std::uint16_t class_of = 1);
  DnsBuilder& A(std::string_view owner, std::string_view address, std::uint32_t ttl_s = 300);
  DnsBuilder& Aaaa(std::string_view owner, std::string_view address, std::uint32_t ttl_s = 300);
  DnsBuilder& Cname(std::string_view owner, std::string_view target, std::uint32_t ttl_s = 300);
  DnsBuilder& Dname(std::string_view owner, std::string_view target, std::uint32_t ttl_s = 300);
  DnsBuilder& Opt(std::uint8_t extended_code = 0);
  DnsBuilder& Record(std::string_view owner, std::uint16_t type, std::uint32_t ttl_s, const ByteVector& data,
                     std::uint16_t class_of = 1);
  DnsBuilder& Raw(const ByteVector& bytes);
  // What follows is of that section.
  DnsBuilder& Authority();
  DnsBuilder& Additional();
  DnsBuilder& Count(std::size_t section, std::uint16_t count);  // 0: questions ... 3: additional ones

  // The name as it is written; a name that begins with '@' is a pointer to that offset: "@12".
  static ByteVector NameBytes(std::string_view name);
  std::size_t size() const { return bytes_.size(); }
  ByteVector Bytes() const { return bytes_; }
  // After its length, as over TCP.
  ByteVector Framed() const;

 private:
  void Append(const ByteVector& bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void Append16(std::uint16_t value);

  ByteVector bytes_;
  std::size_t section_ = 1;
};

}  // namespace sluice

#endif  // SLUICE_TESTS_SUPPORT_DNS_BUILDER_H_
