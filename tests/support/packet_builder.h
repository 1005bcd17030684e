// Builds frames for tests, layer by layer, the outermost first:
//
//   PacketBuilder().Ethernet().Vlan(5).Ipv4("10.0.0.1", "10.0.0.2").Tcp(1234, 80, kTcpSyn).Payload(10).Bytes()
//
// Lengths, next-protocol fields and checksums are right unless told otherwise: the setters below a layer's function
// change the layer named last. A layer may come twice (IP in IP). Ethernet() may be left out: Bytes() then starts at
// the IP header, as an ICMP error quotes it.
#ifndef SLUICE_TESTS_SUPPORT_PACKET_BUILDER_H_
#define SLUICE_TESTS_SUPPORT_PACKET_BUILDER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "sluice/address.h"

namespace sluice {

using ByteVector = std::vector<std::uint8_t>;

inline constexpr std::uint8_t kTcpFin = 1;
inline constexpr std::uint8_t kTcpSyn = 2;
inline constexpr std::uint8_t kTcpRst = 4;
inline constexpr std::uint8_t kTcpPsh = 8;
inline constexpr std::uint8_t kTcpAck = 16;
inline constexpr std::uint8_t kTcpUrg = 32;

// Hop-by-hop options that hold the router alert of MLD (RFC 2711) and its padding.
ByteVector RouterAlert(std::uint16_t value = 0);

class PacketBuilder {
 public:
  // Addresses as "02:00:00:00:00:01".
  PacketBuilder& Ethernet(std::string_view source = "02:00:00:00:00:01",
                          std::string_view destination = "02:00:00:00:00:02");
  PacketBuilder& EtherType(std::uint16_t value);  // of Ethernet or Vlan
  PacketBuilder& Vlan(std::uint16_t id, std::uint16_t tpid = 0x8100);
  PacketBuilder& Arp(std::string_view sender = "10.0.0.1", std::string_view target = "10.0.0.2");

  PacketBuilder& Ipv4(std::string_view source, std::string_view destination);
  PacketBuilder& Ipv6(std::string_view source, std::string_view destination);
  // Of Ipv4 or Ipv6.
  PacketBuilder& Version(std::uint8_t value);
  PacketBuilder& TrafficClass(std::uint8_t value);  // or type of service
  PacketBuilder& HopLimit(std::uint8_t value);      // or time to live; 64 by default
  PacketBuilder& Protocol(std::uint8_t value);      // also of an extension header: its next header
  PacketBuilder& TotalLength(std::uint16_t value);  // Ipv6: the payload length
  // Of Ipv4.
  PacketBuilder& Options(ByteVector bytes);        // padded with zeros to 4 bytes; of Tcp too
  PacketBuilder& HeaderWords(std::uint8_t value);  // IHL; of Tcp: the data offset
  PacketBuilder& Identification(std::uint16_t value);
  PacketBuilder& FragmentOf(std::uint16_t identification, std::uint16_t offset_bytes, bool more);
  PacketBuilder& DontFragment();
  PacketBuilder& IpChecksum(std::uint16_t value);

  // IPv6 extension headers. `options` are padded with PadN to a multiple of 8 bytes, header included.
  PacketBuilder& HopByHop(ByteVector options = {});
  PacketBuilder& DestinationOptions(ByteVector options = {});
  PacketBuilder& Routing(std::uint8_t type, std::uint8_t segments_left = 0, ByteVector data = ByteVector(20));
  PacketBuilder& FragmentHeader(std::uint32_t identification, std::uint16_t offset_bytes, bool more);
  PacketBuilder& AuthenticationHeader();
  // Any header of the common form: `bytes` follow next header and length, whose sum must be a multiple of 8.
  PacketBuilder& Extension(std::uint8_t protocol, ByteVector bytes = ByteVector(6));
  PacketBuilder& ExtensionLength(std::uint8_t value);  // of any of them: the length field

  PacketBuilder& Tcp(std::uint16_t source_port, std::uint16_t destination_port, std::uint8_t flags = kTcpSyn,
                     std::uint32_t sequence = 1, std::uint32_t acknowledgement = 0);
  PacketBuilder& Window(std::uint16_t value);  // of Tcp
  PacketBuilder& Udp(std::uint16_t source_port, std::uint16_t destination_port);
  PacketBuilder& UdpLength(std::uint16_t value);
  PacketBuilder& Sctp(std::uint16_t source_port, std::uint16_t destination_port, std::uint32_t tag = 1);
  // Appends a chunk to Sctp, padded to 4 bytes; `length` overrides its length field.
  PacketBuilder& Chunk(std::uint8_t type, ByteVector value = {}, std::optional<std::uint16_t> length = {});
  PacketBuilder& InitChunk();  // a whole INIT (RFC 9260 3.3.2); the tag must be 0
  // `rest` are bytes 4..7: for echo, identifier << 16 | sequence. What follows is Payload.
  PacketBuilder& Icmp(std::uint8_t type, std::uint8_t code = 0, std::uint32_t rest = 0);
  PacketBuilder& Icmpv6(std::uint8_t type, std::uint8_t code = 0, std::uint32_t rest = 0);
  PacketBuilder& L4Checksum(std::uint16_t value);  // of Tcp, Udp, Icmp, Icmpv6

  PacketBuilder& Payload(std::size_t size);  // 'a', 'b', 'c', ...
  PacketBuilder& Payload(const ByteVector& bytes);

  ByteVector Bytes() const;

 private:
  enum class Kind : std::uint8_t {
    kEthernet,
    kVlan,
    kIpv4,
    kIpv6,
    kExtension,
    kTcp,
    kUdp,
    kSctp,
    kIcmp,
    kIcmpv6,
    kData
  };

  struct Layer {
    Kind kind;
    std::uint16_t number = 0;  // how the layer below names this one: an EtherType or a protocol
    ByteVector bytes;
    // What the test set instead of the right value.
    std::optional<std::uint16_t> next, length, checksum, words;
    IpAddress source, destination;  // of IP
  };

  PacketBuilder& Add(Kind kind, std::uint16_t number, ByteVector bytes);
  Layer& Last() { return layers_.back(); }
  void Finish(std::size_t index, ByteVector& bytes, const ByteVector& content) const;

  std::vector<Layer> layers_;
};

// Splits the IP datagram in `frame` (VLAN tags allowed) into fragments of `size` bytes of payload each, a multiple of
// 8, the last one shorter. IPv6: the fragment header comes right after the IPv6 header, or after hop-by-hop options.
std::vector<ByteVector> SplitIntoFragments(const ByteVector& frame, std::size_t size, std::uint32_t identification);

// RFC 1071, over `bytes`, as the value to be stored in network order.
std::uint16_t InternetChecksum(const ByteVector& bytes);

}  // namespace sluice

#endif  // SLUICE_TESTS_SUPPORT_PACKET_BUILDER_H_
