#include "support/dns_builder.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "sluice/address.h"

namespace sluice {
namespace {

IpAddress ParsedAddress(std::string_view text) {
  const auto address = IpAddress::Parse(text);
  if (!address) throw std::invalid_argument("no address: " + std::string(text));
  return *address;
}

}  // namespace

DnsBuilder::DnsBuilder(std::uint16_t id, std::uint16_t flags) {
  Append16(id);
  Append16(flags);
  bytes_.resize(12);
}

DnsBuilder DnsBuilder::Query(std::uint16_t id, std::string_view name, std::uint16_t type) {
  DnsBuilder query(id, 0x0100);
  query.Question(name, type);
  return query;
}

DnsBuilder& DnsBuilder::Question(std::string_view name, std::uint16_t type, std::uint16_t class_of) {
  Append(NameBytes(name));
  Append16(type);
  Append16(class_of);
  ++bytes_[5];
  return *this;
}

DnsBuilder& DnsBuilder::A(std::string_view owner, std::string_view address, std::uint32_t ttl_s) {
  ByteVector data(4);
  ParsedAddress(address).CopyBytes(data.data());
  return Record(owner, kA, ttl_s, data);
}

DnsBuilder& DnsBuilder::Aaaa(std::string_view owner, std::string_view address, std::uint32_t ttl_s) {
  ByteVector data(16);
  ParsedAddress(address).CopyBytes(data.data());
  return Record(owner, kAaaa, ttl_s, data);
}

DnsBuilder& DnsBuilder::Cname(std::string_view owner, std::string_view target, std::uint32_t ttl_s) {
  return Record(owner, kCname, ttl_s, NameBytes(target));
}

DnsBuilder& DnsBuilder::Dname(std::string_view owner, std::string_view target, std::uint32_t ttl_s) {
  return Record(owner, kDname, ttl_s, NameBytes(target));
}

DnsBuilder& DnsBuilder::Opt(std::uint8_t extended_code) {
  section_ = 3;
  return Record("", kOpt, std::uint32_t{extended_code} << 24, {}, 1232);
}

DnsBuilder& DnsBuilder::Record(std::string_view owner, std::uint16_t type, std::uint32_t ttl_s, const ByteVector& data,
                               std::uint16_t class_of) {
  Append(NameBytes(owner));
  Append16(type);
  Append16(class_of);
  Append16(static_cast<std::uint16_t>(ttl_s >> 16));
  Append16(static_cast<std::uint16_t>(ttl_s));
  Append16(static_cast<std::uint16_t>(data.size()));
  Append(data);
  const std::size_t at = 4 + 2 * section_;
  return Count(section_, static_cast<std::uint16_t>((bytes_[at] << 8 | bytes_[at + 1]) + 1));
}

DnsBuilder& DnsBuilder::Raw(const ByteVector& bytes) {
  Append(bytes);
  return *this;
}

DnsBuilder& DnsBuilder::Authority() {
  section_ = 2;
  return *this;
}

DnsBuilder& DnsBuilder::Additional() {
  section_ = 3;
  return *this;
}

DnsBuilder& DnsBuilder::Count(std::size_t section, std::uint16_t count) {
  bytes_[4 + 2 * section] = static_cast<std::uint8_t>(count >> 8);
  bytes_[5 + 2 * section] = static_cast<std::uint8_t>(count);
  return *this;
}

ByteVector DnsBuilder::NameBytes(std::string_view name) {
  ByteVector bytes;
  while (!name.empty()) {
    if (name[0] == '@') {
      const int offset = std::stoi(std::string(name.substr(1)));
      bytes.push_back(static_cast<std::uint8_t>(0xc0 | offset >> 8));
      bytes.push_back(static_cast<std::uint8_t>(offset));
      return bytes;
    }
    const std::string_view label = name.substr(0, name.find('.'));
    bytes.push_back(static_cast<std::uint8_t>(label.size()));
    bytes.insert(bytes.end(), label.begin(), label.end());
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  bytes.push_back(0);
  return bytes;
}

ByteVector DnsBuilder::Framed() const {
  ByteVector framed = {static_cast<std::uint8_t>(bytes_.size() >> 8), static_cast<std::uint8_t>(bytes_.size())};
  framed.insert(framed.end(), bytes_.begin(), bytes_.end());
  return framed;
}

void DnsBuilder::Append16(std::uint16_t value) {
  Append({static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)});
}

}  // namespace sluice
