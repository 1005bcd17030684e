#include "support/sample_packets.h"

#include <utility>

#include "sluice/protocol.h"

namespace sluice {
namespace {

PacketBuilder V4() { return PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2"); }
PacketBuilder V6() { return PacketBuilder().Ethernet().Ipv6("fd00::1", "fd00::2"); }
PacketBuilder LinkLocal(std::string_view destination) {
  return PacketBuilder().Ethernet().Ipv6("fe80::1", destination).HopLimit(255);
}
PacketBuilder MldFrom(std::string_view source, std::uint8_t hop_limit = 1) {
  return PacketBuilder().Ethernet().Ipv6(source, "ff02::16").HopLimit(hop_limit);
}

ByteVector AddressOf(std::string_view text) {
  ByteVector bytes(16);
  IpAddress::Parse(text)->CopyBytes(bytes.data());
  return bytes;
}

ByteVector Join(ByteVector a, const ByteVector& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const ByteVector kTarget = AddressOf("fe80::2");
const ByteVector kSourceLinkLayer = {1, 1, 2, 0, 0, 0, 0, 1};

class Samples {
 public:
  std::vector<SamplePacket> Build() {
    Links();
    Ipv4Headers();
    Ipv6Headers();
    Fragments();
    Transports();
    Icmp();
    Discovery();
    return std::move(packets_);
  }

 private:
  void Add(std::string name, const PacketBuilder& packet, DropReason reason = DropReason::kNone) {
    packets_.push_back({std::move(name), packet.Bytes(), reason});
  }

  void Links() {
    Add("Arp", PacketBuilder().Ethernet().Arp());
    Add("ArpUnderVlan", PacketBuilder().Ethernet().Vlan(5).Arp());
    Add("Lldp", PacketBuilder().Ethernet().EtherType(0x88cc).Payload(50), DropReason::kUnknownEthertype);
    Add("SpanningTree802Dot3Length", PacketBuilder().Ethernet().EtherType(38).Payload(46),
        DropReason::kUnknownEthertype);
    Add("Vlan", PacketBuilder().Ethernet().Vlan(5).Ipv4("10.0.0.1", "10.0.0.2").Tcp(1, 80));
    Add("QinQ", PacketBuilder().Ethernet().Vlan(5, 0x88a8).Vlan(6).Ipv6("fd00::1", "fd00::2").Udp(1, 53));
    Add("TwoPlainTags", PacketBuilder().Ethernet().Vlan(5).Vlan(6).Ipv4("10.0.0.1", "10.0.0.2").Udp(1, 53));
    Add("ThreeTags", PacketBuilder().Ethernet().Vlan(5, 0x88a8).Vlan(6).Vlan(7).Ipv4("10.0.0.1", "10.0.0.2").Udp(1, 53),
        DropReason::kVlanTooDeep);
    Add("UnknownUnderVlan", PacketBuilder().Ethernet().Vlan(5).EtherType(0x8847).Payload(46),
        DropReason::kUnknownEthertype);
  }

  void Ipv4Headers() {
    Add("Ipv4Tcp", V4().Tcp(1234, 80).Payload(20));
    Add("Ipv4Udp", V4().Udp(1234, 53).Payload(20));
    Add("Ipv4OtherProtocol", V4().Protocol(47).Payload(20));
    Add("Ipv4NoPayload", V4().Protocol(47));
    Add("Ipv4InIpv4", V4().Ipv4("10.1.0.1", "10.1.0.2").Udp(1, 2));
    Add("Ipv4RouterAlertOption", V4().Options({148, 4, 0, 0}).Udp(1, 2));
    Add("Ipv4FullOptions", V4().Options(ByteVector(40, 1)).Tcp(1, 80));
    Add("Ipv4OptionsEndEarly", V4().Options({1, 0, 9, 9}).Tcp(1, 80));
    Add("Ipv4TimestampOption", V4().Options({68, 8, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0}).Tcp(1, 80));
    Add("Ipv4OptionLengthZero", V4().Options({7, 0, 4, 0}).Udp(1, 2), DropReason::kBadIpOptions);
    Add("Ipv4OptionLengthOne", V4().Options({7, 1, 4, 0}).Udp(1, 2), DropReason::kBadIpOptions);
    Add("Ipv4OptionPastHeader", V4().Options({7, 5, 4, 0}).Udp(1, 2), DropReason::kBadIpOptions);
    Add("Ipv4OptionWithoutLength", V4().Options({1, 1, 1, 7}).Udp(1, 2), DropReason::kBadIpOptions);
    Add("Ipv4LooseSourceRoute", V4().Options({131, 7, 4, 10, 9, 9, 9, 0}).Udp(1, 2), DropReason::kBadIpOptions);
    Add("Ipv4StrictSourceRoute", V4().Options({137, 7, 4, 10, 9, 9, 9, 0}).Udp(1, 2), DropReason::kBadIpOptions);
    Add("Ipv4WithVersion6", V4().Version(6).Udp(1, 2), DropReason::kBadIpVersion);
    Add("Ipv4HeaderOfFourWords", V4().HeaderWords(4).Udp(1, 2), DropReason::kBadIpLength);
    Add("Ipv4HeaderPastFrame", V4().HeaderWords(15).TotalLength(60), DropReason::kTruncated);
    Add("Ipv4TotalLengthUnderHeader", V4().TotalLength(19).Udp(1, 2), DropReason::kBadIpLength);
    Add("Ipv4TotalLengthZero", V4().TotalLength(0).Tcp(1, 2).Payload(30), DropReason::kBadIpLength);
    Add("Ipv4TotalLengthPastFrame", V4().TotalLength(100).Udp(1, 2), DropReason::kBadIpLength);
    Add("Ipv4Padded", V4().TotalLength(28).Udp(1, 2).UdpLength(8).Payload(18));
    Add("Ipv4FromMulticast", PacketBuilder().Ethernet().Ipv4("224.0.0.1", "10.0.0.2").Udp(1, 2),
        DropReason::kBadIpAddress);
    Add("Ipv4FromBroadcast", PacketBuilder().Ethernet().Ipv4("255.255.255.255", "10.0.0.2").Udp(1, 2),
        DropReason::kBadIpAddress);
    Add("Ipv4FromClassE", PacketBuilder().Ethernet().Ipv4("240.0.0.1", "10.0.0.2").Udp(1, 2));
    Add("Dhcp", PacketBuilder().Ethernet().Ipv4("0.0.0.0", "255.255.255.255").Udp(68, 67).Payload(20));
    Add("Ipv4ToMulticast", PacketBuilder().Ethernet().Ipv4("10.0.0.1", "224.0.0.251").Udp(5353, 5353).Payload(20));
  }

  void Ipv6Headers() {
    Add("Ipv6Tcp", V6().Tcp(1234, 80).Payload(20));
    Add("Ipv6Udp", V6().Udp(1234, 53).Payload(20));
    Add("Ipv6NoNextHeader", V6().Protocol(kProtoNoNext));
    Add("Ipv6NoNextHeaderWithBytes", V6().Protocol(kProtoNoNext).Payload(5));
    Add("Ipv6UnknownProtocol", V6().Protocol(253).Payload(20));
    Add("Ipv6Esp", V6().Protocol(kProtoEsp).Payload(40));
    Add("Ipv6HopByHop", V6().HopByHop().Tcp(1, 80));
    Add("Ipv6AllExtensions", V6().HopByHop()
                                 .DestinationOptions()
                                 .Routing(2, 1, Join(ByteVector(4), AddressOf("fd00::9")))
                                 .AuthenticationHeader()
                                 .DestinationOptions({30, 2, 1, 2})
                                 .Tcp(1, 80));
    Add("Ipv6Mobility", V6().Extension(kProtoMobility, ByteVector(14)).Protocol(kProtoNoNext));
    Add("Ipv6HipThenShim6", V6().Extension(kProtoHip).Extension(kProtoShim6).Udp(1, 2));
    PacketBuilder deep = V6();
    for (int i = 0; i < 8; ++i) deep.DestinationOptions();
    Add("Ipv6EightExtensions", PacketBuilder(deep).Udp(1, 2));
    Add("Ipv6NineExtensions", deep.DestinationOptions().Udp(1, 2), DropReason::kIpv6ExtensionDepth);
    Add("Ipv6HopByHopSecond", V6().DestinationOptions().HopByHop().Udp(1, 2), DropReason::kIpv6ExtensionOrder);
    Add("Ipv6HopByHopTwice", V6().HopByHop().HopByHop().Udp(1, 2), DropReason::kIpv6ExtensionOrder);
    Add("Ipv6TwoFragmentHeaders", V6().FragmentHeader(1, 0, false).FragmentHeader(2, 0, false).Udp(1, 2),
        DropReason::kIpv6ExtensionOrder);
    Add("Ipv6RoutingType0", V6().Routing(0, 1).Udp(1, 2), DropReason::kIpv6RoutingType0);
    Add("Ipv6RoutingType0Spent", V6().Routing(0, 0).Udp(1, 2), DropReason::kIpv6RoutingType0);
    Add("Ipv6ExtensionPastPayload", V6().DestinationOptions().ExtensionLength(9).Udp(1, 2), DropReason::kBadIpLength);
    Add("Ipv6ExtensionWithoutRoom", V6().Protocol(kProtoDestinationOptions).Payload(7), DropReason::kBadIpLength);
    Add("Ipv6OptionPastHeader", V6().HopByHop({5, 9, 0, 0}).Udp(1, 2), DropReason::kBadIpOptions);
    Add("Ipv6OptionWithoutLength", V6().DestinationOptions({1, 3, 0, 0, 0, 5}).Udp(1, 2), DropReason::kBadIpOptions);
    Add("Ipv6NineOptions", V6().HopByHop(ByteVector(18, 62)).Udp(1, 2), DropReason::kBadIpOptions);
    Add("Ipv6EightPadBytes", V6().HopByHop(ByteVector(14)).Udp(1, 2), DropReason::kBadIpOptions);
    Add("Ipv6JumboOption", V6().HopByHop({194, 4, 0, 1, 0, 0}).Udp(1, 2), DropReason::kBadIpLength);
    Add("Ipv6PayloadLengthZero", V6().TotalLength(0).Tcp(1, 80), DropReason::kBadIpLength);
    Add("Ipv6PayloadPastFrame", V6().TotalLength(100).Tcp(1, 80), DropReason::kBadIpLength);
    Add("Ipv6Padded", V6().TotalLength(8).Udp(1, 2).UdpLength(8).Payload(18));
    Add("Ipv6WithVersion4", V6().Version(4).Udp(1, 2), DropReason::kBadIpVersion);
    Add("Ipv6FromMulticast", PacketBuilder().Ethernet().Ipv6("ff02::1", "fd00::2").Udp(1, 2),
        DropReason::kBadIpAddress);
    Add("Ipv6IcmpOfTheOtherFamily", V6().Protocol(kProtoIcmp).Payload(4));
    Add("Ipv4IcmpOfTheOtherFamily", V4().Protocol(kProtoIcmpv6).Payload(4));
  }

  void Fragments() {
    const ByteVector tcp4 = V4().Tcp(1234, 80).Payload(100).Bytes();
    const ByteVector udp6 = V6().HopByHop().Udp(1234, 53).Payload(100).Bytes();
    int i = 0;
    for (const ByteVector& bytes : SplitIntoFragments(tcp4, 48, 7)) {
      packets_.push_back({"Ipv4Fragment" + std::to_string(i++), bytes, DropReason::kNone});
    }
    for (const ByteVector& bytes : SplitIntoFragments(udp6, 48, 7)) {
      packets_.push_back({"Ipv6Fragment" + std::to_string(i++), bytes, DropReason::kNone});
    }
    Add("Ipv6AtomicFragment", V6().FragmentHeader(9, 0, false).Tcp(1, 80));
    Add("Ipv4FragmentOfOtherProtocol", V4().Protocol(47).FragmentOf(1, 0, true).Payload(16));
    Add("Ipv6LaterFragmentOfExtension",
        V6().FragmentHeader(9, 64, false).Protocol(kProtoDestinationOptions).Payload(9));
    Add("Ipv6FirstFragmentWithOptions", V6().FragmentHeader(9, 0, true).DestinationOptions().Udp(1, 2).Payload(8));
    Add("Ipv4FirstFragmentOf16", V4().FragmentOf(1, 0, true).Protocol(kProtoTcp).Payload(16),
        DropReason::kFragmentTooShort);
    Add("Ipv4FirstFragmentCutsTcpOptions", V4().FragmentOf(1, 0, true).Tcp(1, 80).HeaderWords(8).Payload(4),
        DropReason::kFragmentTooShort);
    Add("Ipv4FirstFragmentCutsSctp", V4().FragmentOf(1, 0, true).Protocol(kProtoSctp).Payload(8),
        DropReason::kFragmentTooShort);
    Add("Ipv4TcpFragmentAt8", V4().FragmentOf(1, 8, false).Protocol(kProtoTcp).Payload(16),
        DropReason::kFragmentTooShort);
    Add("Ipv6TcpFragmentAt8", V6().FragmentHeader(1, 8, false).Protocol(kProtoTcp).Payload(16),
        DropReason::kFragmentTooShort);
    Add("Ipv6FirstFragmentWithoutTransport",
        V6().FragmentHeader(1, 0, true).Protocol(kProtoDestinationOptions).Payload(ByteVector{17, 1, 1, 4, 0, 0, 0, 0}),
        DropReason::kFragmentTooShort);
    Add("Ipv4FragmentOf9WithMore", V4().FragmentOf(1, 64, true).Protocol(17).Payload(9),
        DropReason::kFragmentBadLength);
    Add("Ipv6FragmentOf9WithMore", V6().FragmentHeader(1, 64, true).Protocol(17).Payload(9),
        DropReason::kFragmentBadLength);
    Add("Ipv4EmptyFragment", V4().FragmentOf(1, 64, false).Protocol(17), DropReason::kFragmentBadLength);
    Add("Ipv4FragmentPast65535", V4().FragmentOf(1, 65528, false).Protocol(17).Payload(8),
        DropReason::kFragmentBadLength);
    Add("Ipv6FragmentPast65535", V6().FragmentHeader(1, 65528, false).Protocol(17).Payload(8),
        DropReason::kFragmentBadLength);
    Add("Ipv4FragmentedEcho", V4().FragmentOf(1, 0, true).Icmp(8, 0, 0x70001).Payload(8));
    Add("Ipv4FragmentedError", V4().FragmentOf(1, 0, true).Icmp(3, 1).Payload(32), DropReason::kIcmpMalformed);
    Add("Ipv6FragmentedDiscovery", LinkLocal("fe80::2").FragmentHeader(1, 0, true).Icmpv6(135).Payload(kTarget),
        DropReason::kNdInvalid);
  }

  void Transports() {
    constexpr std::pair<std::uint8_t, bool> kFlags[] = {{kTcpSyn, true},
                                                        {kTcpSyn | kTcpAck, true},
                                                        {kTcpAck, true},
                                                        {kTcpAck | kTcpPsh, true},
                                                        {kTcpFin | kTcpAck, true},
                                                        {kTcpRst, true},
                                                        {kTcpRst | kTcpAck, true},
                                                        {kTcpAck | kTcpUrg, true},
                                                        {kTcpSyn | 0xc0, true},
                                                        {0, false},
                                                        {kTcpFin, false},
                                                        {kTcpSyn | kTcpFin, false},
                                                        {kTcpPsh, false},
                                                        {kTcpSyn | kTcpRst, false},
                                                        {kTcpFin | kTcpRst, false},
                                                        {0xff, false},
                                                        {kTcpUrg, false}};
    for (const auto& [flags, valid] : kFlags) {
      Add("TcpFlags" + std::to_string(flags), V4().Tcp(1, 80, flags),
          valid ? DropReason::kNone : DropReason::kTcpBadFlags);
    }
    Add("TcpWithOptions", V4().Tcp(1, 80).Options({2, 4, 5, 0xb4, 1, 3, 3, 7}));
    Add("TcpHeaderOfFourWords", V4().Tcp(1, 80).HeaderWords(4), DropReason::kBadL4Length);
    Add("TcpHeaderPastPayload", V4().Tcp(1, 80).HeaderWords(6), DropReason::kBadL4Length);
    Add("TcpOf19Bytes", V4().Protocol(kProtoTcp).Payload(19), DropReason::kBadL4Length);
    Add("UdpOf7Bytes", V4().Protocol(kProtoUdp).Payload(7), DropReason::kBadL4Length);
    Add("UdpLengthZero", V4().Udp(1, 2).UdpLength(0).Payload(40), DropReason::kBadL4Length);
    Add("UdpLength7", V4().Udp(1, 2).UdpLength(7).Payload(40), DropReason::kBadL4Length);
    Add("UdpLengthPastPayload", V4().Udp(1, 2).UdpLength(49).Payload(40), DropReason::kBadL4Length);
    Add("UdpLengthUnderPayload", V4().Udp(1, 2).UdpLength(20).Payload(40));
    Add("UdpWithoutChecksum", V4().Udp(1, 2).L4Checksum(0).Payload(40));
    Add("Ipv6UdpLength7", V6().Udp(1, 2).UdpLength(7).Payload(40), DropReason::kBadL4Length);
    Add("SctpInit", V4().Sctp(1, 2, 0).InitChunk());
    Add("SctpInitOverIpv6", V6().Sctp(1, 2, 0).InitChunk());
    Add("SctpCookieEchoAndData", V4().Sctp(1, 2).Chunk(10, ByteVector(5)).Chunk(0, ByteVector(13)));
    Add("SctpInitWithData", V4().Sctp(1, 2, 0).InitChunk().Chunk(0, ByteVector(13)), DropReason::kSctpBadChunk);
    Add("SctpDataThenInit", V4().Sctp(1, 2).Chunk(0, ByteVector(13)).InitChunk(), DropReason::kSctpBadChunk);
    Add("SctpInitWithTag", V4().Sctp(1, 2, 9).InitChunk(), DropReason::kSctpBadChunk);
    Add("SctpShutdownCompleteWithData", V4().Sctp(1, 2).Chunk(14).Chunk(0), DropReason::kSctpBadChunk);
    Add("SctpWithoutChunk", V4().Sctp(1, 2), DropReason::kSctpBadChunk);
    Add("SctpChunkLength3", V4().Sctp(1, 2).Chunk(0, ByteVector(4), 3), DropReason::kSctpBadChunk);
    Add("SctpChunkPastPayload", V4().Sctp(1, 2).Chunk(0, ByteVector(4), 9), DropReason::kSctpBadChunk);
    Add("SctpHalfSecondChunk", V4().Sctp(1, 2).Chunk(0, ByteVector(4)).Payload(3), DropReason::kSctpBadChunk);
    Add("SctpFromPortZero", V4().Sctp(0, 2, 0).InitChunk(), DropReason::kSctpBadChunk);
    Add("SctpToPortZero", V4().Sctp(1, 0, 0).InitChunk(), DropReason::kSctpBadChunk);
    Add("SctpOf11Bytes", V4().Protocol(kProtoSctp).Payload(11), DropReason::kBadL4Length);
  }

  void Icmp() {
    Add("Echo", V4().Icmp(8, 0, 0x70001).Payload(20));
    Add("EchoReply", V4().Icmp(0, 0, 0x70001).Payload(20));
    Add("Timestamp", V4().Icmp(13, 0, 0x70001).Payload(12));
    Add("TimestampOf19Bytes", V4().Icmp(13, 0, 0x70001).Payload(11), DropReason::kIcmpMalformed);
    Add("AddressMaskOf11Bytes", V4().Icmp(17, 0, 0x70001).Payload(3), DropReason::kIcmpMalformed);
    Add("IcmpOf7Bytes", V4().Protocol(kProtoIcmp).Payload(7), DropReason::kIcmpMalformed);
    Add("IcmpUnknownType", V4().Icmp(200).Payload(2));
    const ByteVector quoted4 = PacketBuilder().Ipv4("10.0.0.2", "10.0.0.1").Udp(80, 1234).Payload(30).Bytes();
    const ByteVector quoted6 = PacketBuilder().Ipv6("fd00::2", "fd00::1").Udp(80, 1234).Payload(30).Bytes();
    Add("PortUnreachable", V4().Icmp(3, 3).Payload(quoted4));
    Add("TimeExceededOfTcp", V4().Icmp(11).Payload(PacketBuilder().Ipv4("10.0.0.2", "10.0.0.1").Tcp(80, 1234).Bytes()));
    Add("ErrorQuotes19Bytes", V4().Icmp(3, 3).Payload(19), DropReason::kIcmpMalformed);
    Add("Icmpv6Echo", V6().Icmpv6(128, 0, 0x70001).Payload(20));
    Add("Icmpv6EchoReply", V6().Icmpv6(129, 0, 0x70001).Payload(20));
    Add("Icmpv6Of7Bytes", V6().Protocol(kProtoIcmpv6).Payload(7), DropReason::kIcmpMalformed);
    Add("Icmpv6NodeInformationOf15Bytes", V6().Icmpv6(139).Payload(7), DropReason::kIcmpMalformed);
    Add("PacketTooBig", V6().Icmpv6(2, 0, 1280).Payload(quoted6));
    Add("PacketTooBigQuotes39Bytes", V6().Icmpv6(2, 0, 1280).Payload(39), DropReason::kIcmpMalformed);
    Add("Icmpv6QuotesExtensions",
        V6().Icmpv6(1, 4).Payload(
            PacketBuilder().Ipv6("fd00::2", "fd00::1").HopByHop().DestinationOptions().Tcp(80, 1234).Bytes()));
  }

  void Discovery() {
    const DropReason bad = DropReason::kNdInvalid;
    const ByteVector redirect = Join(kTarget, AddressOf("fd00::9"));
    Add("RouterSolicitation", LinkLocal("ff02::2").Icmpv6(133).Payload(kSourceLinkLayer));
    Add("RouterSolicitationFromNowhere", PacketBuilder().Ethernet().Ipv6("::", "ff02::2").HopLimit(255).Icmpv6(133));
    Add("RouterSolicitationFromNowhereWithAddress",
        PacketBuilder().Ethernet().Ipv6("::", "ff02::2").HopLimit(255).Icmpv6(133).Payload(kSourceLinkLayer), bad);
    Add("RouterAdvertisement", LinkLocal("ff02::1").Icmpv6(134, 0, 0x40000708).Payload(ByteVector(8)));
    Add("RouterAdvertisementFromGlobal",
        PacketBuilder().Ethernet().Ipv6("fd00::1", "ff02::1").HopLimit(255).Icmpv6(134).Payload(ByteVector(8)), bad);
    Add("RouterAdvertisementOf15Bytes", LinkLocal("ff02::1").Icmpv6(134).Payload(ByteVector(7)), bad);
    Add("NeighbourSolicitation", LinkLocal("ff02::1:ff00:2").Icmpv6(135).Payload(Join(kTarget, kSourceLinkLayer)));
    Add("NeighbourSolicitationDuplicateDetection",
        PacketBuilder().Ethernet().Ipv6("::", "ff02::1:ff00:2").HopLimit(255).Icmpv6(135).Payload(kTarget));
    Add("NeighbourSolicitationFromNowhereToUnicast",
        PacketBuilder().Ethernet().Ipv6("::", "fe80::2").HopLimit(255).Icmpv6(135).Payload(kTarget), bad);
    Add("NeighbourSolicitationForMulticast", LinkLocal("fe80::2").Icmpv6(135).Payload(AddressOf("ff02::1")), bad);
    Add("NeighbourSolicitationHopLimit254", LinkLocal("fe80::2").HopLimit(254).Icmpv6(135).Payload(kTarget), bad);
    Add("NeighbourSolicitationCode1", LinkLocal("fe80::2").Icmpv6(135, 1).Payload(kTarget), bad);
    Add("NeighbourSolicitationOf23Bytes", LinkLocal("fe80::2").Icmpv6(135).Payload(ByteVector(15)), bad);
    Add("NeighbourSolicitationOptionLengthZero",
        LinkLocal("fe80::2").Icmpv6(135).Payload(Join(kTarget, {1, 0, 2, 0, 0, 0, 0, 1})), bad);
    Add("NeighbourSolicitationOptionPastEnd",
        LinkLocal("fe80::2").Icmpv6(135).Payload(Join(kTarget, {1, 2, 2, 0, 0, 0, 0, 1})), bad);
    Add("NeighbourAdvertisement", LinkLocal("fe80::2").Icmpv6(136, 0, 0x60000000).Payload(kTarget));
    Add("NeighbourAdvertisementSolicitedToAll", LinkLocal("ff02::1").Icmpv6(136, 0, 0x60000000).Payload(kTarget), bad);
    Add("Redirect", LinkLocal("fd00::5").Icmpv6(137).Payload(redirect));
    Add("RedirectToGlobalRouter",
        LinkLocal("fd00::5").Icmpv6(137).Payload(Join(AddressOf("fd00::7"), AddressOf("fd00::9"))), bad);
    Add("RedirectOf39Bytes", LinkLocal("fd00::5").Icmpv6(137).Payload(ByteVector(31)), bad);

    for (const bool more : {false, true}) {  // RFC 6980: whole in its fragment or not
      const std::string name = more ? "InFirstFragment" : "InAtomicFragment";
      const auto fragment = [more](std::string_view destination) {
        return LinkLocal(destination).FragmentHeader(1, 0, more);
      };
      Add("RouterSolicitation" + name, fragment("ff02::2").Icmpv6(133), bad);
      Add("RouterAdvertisement" + name, fragment("ff02::1").Icmpv6(134).Payload(ByteVector(8)), bad);
      Add("NeighbourSolicitation" + name, fragment("ff02::1:ff00:2").Icmpv6(135).Payload(kTarget), bad);
      Add("NeighbourAdvertisement" + name, fragment("ff02::1").Icmpv6(136).Payload(kTarget), bad);
      Add("Redirect" + name, fragment("fd00::5").Icmpv6(137).Payload(redirect), bad);
      Add("CertificationPathSolicitation" + name, fragment("ff02::2").Icmpv6(148), bad);
      Add("CertificationPathAdvertisement" + name, fragment("ff02::1").Icmpv6(149));
    }
    Add("NeighbourSolicitationBehindFragmentAndOptions",
        LinkLocal("ff02::1:ff00:2").FragmentHeader(1, 0, false).DestinationOptions().Icmpv6(135).Payload(kTarget), bad);
    Add("CertificationPathSolicitation", LinkLocal("ff02::2").Icmpv6(148));

    const ByteVector group = AddressOf("ff02::1:ff00:2");
    Add("MldQuery", MldFrom("fe80::1").HopByHop(RouterAlert()).Icmpv6(130).Payload(ByteVector(16)));
    Add("MldV2Query", MldFrom("fe80::1")
                          .HopByHop(RouterAlert())
                          .Icmpv6(130)
                          .Payload(Join(group, {2, 0, 0, 1}))
                          .Payload(ByteVector(16)));
    Add("MldV2QueryWithoutItsSource",
        MldFrom("fe80::1").HopByHop(RouterAlert()).Icmpv6(130).Payload(Join(group, {2, 0, 0, 1})), bad);
    Add("MldQueryOf26Bytes", MldFrom("fe80::1").HopByHop(RouterAlert()).Icmpv6(130).Payload(ByteVector(18)), bad);
    Add("MldQueryFromNowhere", MldFrom("::").HopByHop(RouterAlert()).Icmpv6(130).Payload(ByteVector(16)), bad);
    Add("MldReport", MldFrom("fe80::1").HopByHop(RouterAlert()).Icmpv6(131).Payload(group));
    Add("MldReportFromNowhere", MldFrom("::").HopByHop(RouterAlert()).Icmpv6(131).Payload(group));
    Add("MldReportFromGlobal", MldFrom("fd00::1").HopByHop(RouterAlert()).Icmpv6(131).Payload(group), bad);
    Add("MldReportOf23Bytes", MldFrom("fe80::1").HopByHop(RouterAlert()).Icmpv6(131).Payload(ByteVector(15)), bad);
    Add("MldDone", MldFrom("fe80::1").HopByHop(RouterAlert()).Icmpv6(132).Payload(group));
    Add("MldV2Report", MldFrom("::").HopByHop(RouterAlert()).Icmpv6(143, 0, 1).Payload(Join({4, 0, 0, 0}, group)));
    // No RFC forbids it: what is whole can be checked.
    Add("MldReportInAtomicFragment",
        MldFrom("fe80::1").HopByHop(RouterAlert()).FragmentHeader(1, 0, false).Icmpv6(131).Payload(group));
    Add("MldReportInFirstFragment",
        MldFrom("fe80::1").HopByHop(RouterAlert()).FragmentHeader(1, 0, true).Icmpv6(131).Payload(group), bad);
    Add("MldHopLimit2", MldFrom("fe80::1", 2).HopByHop(RouterAlert()).Icmpv6(143), bad);
    Add("MldWithoutRouterAlert", MldFrom("fe80::1").Icmpv6(143), bad);
    Add("MldWithOtherRouterAlert", MldFrom("fe80::1").HopByHop(RouterAlert(1)).Icmpv6(143), bad);
  }

  std::vector<SamplePacket> packets_;
};

}  // namespace

const std::vector<SamplePacket>& SamplePackets() {
  static const std::vector<SamplePacket> packets = Samples().Build();
  return packets;
}

}  // namespace sluice
