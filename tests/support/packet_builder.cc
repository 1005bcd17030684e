#include "support/packet_builder.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "sluice/protocol.h"

namespace sluice {
namespace {

constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
constexpr std::uint16_t kEtherTypeArp = 0x0806;
constexpr std::uint16_t kEtherTypeIpv6 = 0x86dd;
constexpr std::uint16_t kIpv4InIp = 4;
constexpr std::uint16_t kIpv6InIp = 41;

void Append(ByteVector& to, const ByteVector& from) { to.insert(to.end(), from.begin(), from.end()); }

void Put16(ByteVector& bytes, std::size_t at, std::uint32_t value) {
  bytes.at(at) = static_cast<std::uint8_t>(value >> 8);
  bytes.at(at + 1) = static_cast<std::uint8_t>(value);
}

void Put32(ByteVector& bytes, std::size_t at, std::uint32_t value) {
  Put16(bytes, at, value >> 16);
  Put16(bytes, at + 2, value & 0xffff);
}

std::uint16_t Get16(const ByteVector& bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes.at(at) << 8 | bytes.at(at + 1));
}

ByteVector Mac(std::string_view text) {
  ByteVector bytes;
  for (std::size_t i = 0; i < 6; ++i) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoul(std::string(text.substr(i * 3, 2)), nullptr, 16)));
  }
  return bytes;
}

IpAddress Address(std::string_view text, Family family) {
  const auto address = IpAddress::Parse(text);
  if (!address || address->family != family) throw std::invalid_argument("not such an address: " + std::string(text));
  return *address;
}

ByteVector AddressBytes(const IpAddress& address) {
  ByteVector bytes(AddressBits(address.family) / 8);
  address.CopyBytes(bytes.data());
  return bytes;
}

// Next header and length, then options padded with Pad1 or PadN (RFC 8200 4.2).
ByteVector OptionsHeader(const ByteVector& options) {
  ByteVector bytes = options;
  bytes.insert(bytes.begin(), 2, 0);
  const std::size_t padding = (8 - bytes.size() % 8) % 8;
  if (padding == 1) bytes.push_back(0);
  if (padding > 1) {
    bytes.push_back(1);
    bytes.push_back(static_cast<std::uint8_t>(padding - 2));
    bytes.resize(bytes.size() + padding - 2);
  }
  return bytes;
}

// CRC32c (RFC 9260 appendix A), bit by bit.
std::uint32_t Crc32c(const ByteVector& bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

}  // namespace

std::uint16_t InternetChecksum(const ByteVector& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += i % 2 == 0 ? bytes[i] << 8 : bytes[i];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

ByteVector RouterAlert(std::uint16_t value) {
  return {5, 2, static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}

PacketBuilder& PacketBuilder::Add(Kind kind, std::uint16_t number, ByteVector bytes) {
  Layer layer;
  layer.kind = kind;
  layer.number = number;
  layer.bytes = std::move(bytes);
  layers_.push_back(std::move(layer));
  return *this;
}

PacketBuilder& PacketBuilder::Ethernet(std::string_view source, std::string_view destination) {
  ByteVector bytes = Mac(destination);
  Append(bytes, Mac(source));
  bytes.resize(14);
  return Add(Kind::kEthernet, 0, bytes);
}

PacketBuilder& PacketBuilder::EtherType(std::uint16_t value) {
  Last().next = value;
  return *this;
}

PacketBuilder& PacketBuilder::Vlan(std::uint16_t id, std::uint16_t tpid) {
  ByteVector bytes(4);
  Put16(bytes, 0, id);
  return Add(Kind::kVlan, tpid, bytes);
}

PacketBuilder& PacketBuilder::Arp(std::string_view sender, std::string_view target) {
  ByteVector bytes = {0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1};
  Append(bytes, AddressBytes(Address(sender, Family::kIpv4)));
  bytes.resize(bytes.size() + 6);
  Append(bytes, AddressBytes(Address(target, Family::kIpv4)));
  return Add(Kind::kData, kEtherTypeArp, bytes);
}

PacketBuilder& PacketBuilder::Ipv4(std::string_view source, std::string_view destination) {
  const bool outermost =
      layers_.empty() || layers_.back().kind == Kind::kEthernet || layers_.back().kind == Kind::kVlan;
  ByteVector bytes = {0x45, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0};
  const IpAddress from = Address(source, Family::kIpv4);
  const IpAddress to = Address(destination, Family::kIpv4);
  Append(bytes, AddressBytes(from));
  Append(bytes, AddressBytes(to));
  Add(Kind::kIpv4, outermost ? kEtherTypeIpv4 : kIpv4InIp, bytes);
  Last().source = from;
  Last().destination = to;
  return *this;
}

PacketBuilder& PacketBuilder::Ipv6(std::string_view source, std::string_view destination) {
  const bool outermost =
      layers_.empty() || layers_.back().kind == Kind::kEthernet || layers_.back().kind == Kind::kVlan;
  ByteVector bytes = {0x60, 0, 0, 0, 0, 0, 0, 64};
  const IpAddress from = Address(source, Family::kIpv6);
  const IpAddress to = Address(destination, Family::kIpv6);
  Append(bytes, AddressBytes(from));
  Append(bytes, AddressBytes(to));
  Add(Kind::kIpv6, outermost ? kEtherTypeIpv6 : kIpv6InIp, bytes);
  Last().source = from;
  Last().destination = to;
  return *this;
}

PacketBuilder& PacketBuilder::Version(std::uint8_t value) {
  Last().bytes[0] = static_cast<std::uint8_t>((Last().bytes[0] & 0x0f) | value << 4);
  return *this;
}

PacketBuilder& PacketBuilder::TrafficClass(std::uint8_t value) {
  if (Last().kind == Kind::kIpv4) {
    Last().bytes[1] = value;
  } else {
    Put16(Last().bytes, 0, 0x6000u | value << 4);
  }
  return *this;
}

PacketBuilder& PacketBuilder::HopLimit(std::uint8_t value) {
  Last().bytes[Last().kind == Kind::kIpv4 ? 8 : 7] = value;
  return *this;
}

PacketBuilder& PacketBuilder::Protocol(std::uint8_t value) {
  Last().next = value;
  return *this;
}

PacketBuilder& PacketBuilder::TotalLength(std::uint16_t value) {
  Last().length = value;
  return *this;
}

PacketBuilder& PacketBuilder::Options(ByteVector bytes) {
  bytes.resize((bytes.size() + 3) / 4 * 4);
  Append(Last().bytes, bytes);
  return *this;
}

PacketBuilder& PacketBuilder::HeaderWords(std::uint8_t value) {
  Last().words = value;
  return *this;
}

PacketBuilder& PacketBuilder::Identification(std::uint16_t value) {
  Put16(Last().bytes, 4, value);
  return *this;
}

PacketBuilder& PacketBuilder::FragmentOf(std::uint16_t identification, std::uint16_t offset_bytes, bool more) {
  Put16(Last().bytes, 4, identification);
  Put16(Last().bytes, 6, offset_bytes / 8 | (more ? 0x2000 : 0));
  return *this;
}

PacketBuilder& PacketBuilder::DontFragment() {
  Last().bytes[6] |= 0x40;
  return *this;
}

PacketBuilder& PacketBuilder::IpChecksum(std::uint16_t value) {
  Last().checksum = value;
  return *this;
}

PacketBuilder& PacketBuilder::HopByHop(ByteVector options) {
  return Add(Kind::kExtension, kProtoHopByHop, OptionsHeader(options));
}

PacketBuilder& PacketBuilder::DestinationOptions(ByteVector options) {
  return Add(Kind::kExtension, kProtoDestinationOptions, OptionsHeader(options));
}

PacketBuilder& PacketBuilder::Routing(std::uint8_t type, std::uint8_t segments_left, ByteVector data) {
  ByteVector bytes = {0, 0, type, segments_left};
  Append(bytes, data);
  return Add(Kind::kExtension, kProtoRouting, bytes);
}

PacketBuilder& PacketBuilder::FragmentHeader(std::uint32_t identification, std::uint16_t offset_bytes, bool more) {
  ByteVector bytes(8);
  Put16(bytes, 2, offset_bytes | (more ? 1 : 0));
  Put32(bytes, 4, identification);
  return Add(Kind::kExtension, kProtoFragment, bytes);
}

PacketBuilder& PacketBuilder::AuthenticationHeader() { return Add(Kind::kExtension, kProtoAh, ByteVector(24)); }

PacketBuilder& PacketBuilder::Extension(std::uint8_t protocol, ByteVector bytes) {
  bytes.insert(bytes.begin(), 2, 0);
  return Add(Kind::kExtension, protocol, bytes);
}

PacketBuilder& PacketBuilder::ExtensionLength(std::uint8_t value) {
  Last().length = value;
  return *this;
}

PacketBuilder& PacketBuilder::Tcp(std::uint16_t source_port, std::uint16_t destination_port, std::uint8_t flags,
                                  std::uint32_t sequence, std::uint32_t acknowledgement) {
  ByteVector bytes(20);
  Put16(bytes, 0, source_port);
  Put16(bytes, 2, destination_port);
  Put32(bytes, 4, sequence);
  Put32(bytes, 8, acknowledgement);
  bytes[13] = flags;
  Put16(bytes, 14, 0xffff);
  return Add(Kind::kTcp, kProtoTcp, bytes);
}

PacketBuilder& PacketBuilder::Window(std::uint16_t value) {
  Put16(Last().bytes, 14, value);
  return *this;
}

PacketBuilder& PacketBuilder::Udp(std::uint16_t source_port, std::uint16_t destination_port) {
  ByteVector bytes(8);
  Put16(bytes, 0, source_port);
  Put16(bytes, 2, destination_port);
  return Add(Kind::kUdp, kProtoUdp, bytes);
}

PacketBuilder& PacketBuilder::UdpLength(std::uint16_t value) {
  Last().length = value;
  return *this;
}

PacketBuilder& PacketBuilder::Sctp(std::uint16_t source_port, std::uint16_t destination_port, std::uint32_t tag) {
  ByteVector bytes(12);
  Put16(bytes, 0, source_port);
  Put16(bytes, 2, destination_port);
  Put32(bytes, 4, tag);
  return Add(Kind::kSctp, kProtoSctp, bytes);
}

PacketBuilder& PacketBuilder::Chunk(std::uint8_t type, ByteVector value, std::optional<std::uint16_t> length) {
  ByteVector bytes = {type, 0, 0, 0};
  Put16(bytes, 2, length.value_or(static_cast<std::uint16_t>(4 + value.size())));
  Append(bytes, value);
  bytes.resize((bytes.size() + 3) / 4 * 4);
  Append(Last().bytes, bytes);
  return *this;
}

PacketBuilder& PacketBuilder::InitChunk() {
  // Initiate tag 7, window 65536, 10 streams each way, TSN 1.
  return Chunk(1, {0, 0, 0, 7, 0, 1, 0, 0, 0, 10, 0, 10, 0, 0, 0, 1});
}

PacketBuilder& PacketBuilder::Icmp(std::uint8_t type, std::uint8_t code, std::uint32_t rest) {
  ByteVector bytes = {type, code, 0, 0, 0, 0, 0, 0};
  Put32(bytes, 4, rest);
  return Add(Kind::kIcmp, kProtoIcmp, bytes);
}

PacketBuilder& PacketBuilder::Icmpv6(std::uint8_t type, std::uint8_t code, std::uint32_t rest) {
  Icmp(type, code, rest);
  Last().kind = Kind::kIcmpv6;
  Last().number = kProtoIcmpv6;
  return *this;
}

PacketBuilder& PacketBuilder::L4Checksum(std::uint16_t value) {
  Last().checksum = value;
  return *this;
}

PacketBuilder& PacketBuilder::Payload(std::size_t size) {
  ByteVector bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>('a' + i % 26);
  return Payload(bytes);
}

PacketBuilder& PacketBuilder::Payload(const ByteVector& bytes) { return Add(Kind::kData, kProtoNoNext, bytes); }

ByteVector PacketBuilder::Bytes() const {
  ByteVector content;
  for (std::size_t i = layers_.size(); i-- > 0;) {
    ByteVector bytes = layers_[i].bytes;
    Finish(i, bytes, content);
    Append(bytes, content);
    content = std::move(bytes);
  }
  return content;
}

// Fills in what depends on the layers around: `bytes` is the header of layer `index`, `content` all that follows it.
void PacketBuilder::Finish(std::size_t index, ByteVector& bytes, const ByteVector& content) const {
  const Layer& layer = layers_[index];
  const std::uint16_t next =
      layer.next.value_or(index + 1 < layers_.size() ? layers_[index + 1].number : std::uint16_t{kProtoNoNext});
  const std::size_t size = bytes.size() + content.size();

  // The checksum of a transport: its own bytes and the pseudo-header of the IP layer below (RFC 9293 3.1, RFC
  // 8200 8.1).
  const auto transport_checksum = [&]() -> std::uint16_t {
    if (layer.checksum) return *layer.checksum;
    ByteVector summed;
    if (layer.kind != Kind::kIcmp) {
      std::size_t ip = index;
      while (ip > 0 && layers_[ip].kind != Kind::kIpv4 && layers_[ip].kind != Kind::kIpv6) --ip;
      summed = AddressBytes(layers_[ip].source);
      Append(summed, AddressBytes(layers_[ip].destination));
      summed.resize(summed.size() + 8);
      Put32(summed, summed.size() - 8, static_cast<std::uint32_t>(size));
      Put32(summed, summed.size() - 4, layer.number);
    }
    Append(summed, bytes);
    Append(summed, content);
    return InternetChecksum(summed);
  };

  switch (layer.kind) {
    case Kind::kEthernet:
      Put16(bytes, 12, next);
      break;
    case Kind::kVlan:
      Put16(bytes, 2, next);
      break;
    case Kind::kIpv4:
      bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0xf0) | layer.words.value_or(layer.bytes.size() / 4));
      Put16(bytes, 2, layer.length.value_or(size));
      bytes[9] = static_cast<std::uint8_t>(next);
      Put16(bytes, 10, layer.checksum.value_or(InternetChecksum(bytes)));
      break;
    case Kind::kIpv6:
      Put16(bytes, 4, layer.length.value_or(content.size()));
      bytes[6] = static_cast<std::uint8_t>(next);
      break;
    case Kind::kExtension: {
      bytes[0] = static_cast<std::uint8_t>(next);
      const bool fragment = layer.number == kProtoFragment;
      const std::size_t words = layer.number == kProtoAh ? bytes.size() / 4 - 2 : bytes.size() / 8 - 1;
      if (!fragment) bytes[1] = static_cast<std::uint8_t>(layer.length.value_or(words));
      break;
    }
    case Kind::kTcp:
      bytes[12] = static_cast<std::uint8_t>(layer.words.value_or(layer.bytes.size() / 4) << 4);
      Put16(bytes, 16, transport_checksum());
      break;
    case Kind::kUdp: {
      Put16(bytes, 4, layer.length.value_or(size));
      const std::uint16_t checksum = transport_checksum();
      Put16(bytes, 6, checksum == 0 && !layer.checksum ? 0xffff : checksum);
      break;
    }
    case Kind::kSctp: {
      ByteVector summed = bytes;
      Append(summed, content);
      const std::uint32_t crc = Crc32c(summed);
      Put32(bytes, 8, __builtin_bswap32(crc));
      break;
    }
    case Kind::kIcmp:
    case Kind::kIcmpv6:
      Put16(bytes, 2, transport_checksum());
      break;
    case Kind::kData:
      break;
  }
}

std::vector<ByteVector> SplitIntoFragments(const ByteVector& frame, std::size_t size, std::uint32_t identification) {
  std::size_t l3 = 14;
  while (Get16(frame, l3 - 2) == 0x8100 || Get16(frame, l3 - 2) == 0x88a8) l3 += 4;
  const bool ipv4 = Get16(frame, l3 - 2) == kEtherTypeIpv4;
  std::size_t payload = l3 + (ipv4 ? (frame.at(l3) & 15) * 4 : 40);  // where the part that is split begins
  std::size_t next_header = l3 + 6;
  if (!ipv4 && frame.at(next_header) == kProtoHopByHop) {
    next_header = payload;
    payload += (frame.at(payload + 1) + 1) * 8;
  }
  std::vector<ByteVector> fragments;
  const std::size_t total = frame.size() - payload;
  for (std::size_t offset = 0; offset < total; offset += size) {
    const std::size_t length = std::min(size, total - offset);
    const bool more = offset + length < total;
    ByteVector bytes(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(payload));
    if (ipv4) {
      Put16(bytes, l3 + 2, static_cast<std::uint32_t>(payload - l3 + length));
      Put16(bytes, l3 + 4, identification);
      Put16(bytes, l3 + 6, static_cast<std::uint32_t>(offset / 8) | (more ? 0x2000 : 0));
      Put16(bytes, l3 + 10, 0);
      Put16(bytes, l3 + 10, InternetChecksum({bytes.begin() + static_cast<std::ptrdiff_t>(l3), bytes.end()}));
    } else {
      ByteVector header(8);
      header[0] = frame.at(next_header);
      Put16(header, 2, static_cast<std::uint32_t>(offset) | (more ? 1 : 0));
      Put32(header, 4, identification);
      bytes[next_header] = kProtoFragment;
      Put16(bytes, l3 + 4, static_cast<std::uint32_t>(payload - l3 - 40 + 8 + length));
      Append(bytes, header);
    }
    const auto begin = frame.begin() + static_cast<std::ptrdiff_t>(payload + offset);
    bytes.insert(bytes.end(), begin, begin + static_cast<std::ptrdiff_t>(length));
    fragments.push_back(std::move(bytes));
  }
  return fragments;
}

}  // namespace sluice
