#include "support/packet_script.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace sluice {
namespace {

TEST(PacketScript, LayersAreThoseOfTheBuilder) {
  const auto packets = ParsePacketScript(
      "# a comment\n"
      "0.5  vlan 5 / ipv4 10.0.0.1 > 10.0.0.2 hop=9 / tcp 1 > 80 SYN,ACK seq=7 / payload 3 -> forward new\n"
      "\n"
      "1.25 ipv6 ::1 > ::2 / hop-by-hop\n"
      "     / udp 1 > 2 | cut 60 -> drop truncated\n");
  ASSERT_EQ(packets.size(), 2u);
  EXPECT_EQ(packets[0].time_us, 500'000u);
  EXPECT_EQ(packets[0].expected, "forward new");
  EXPECT_EQ(packets[0].bytes, PacketBuilder()
                                  .Ethernet()
                                  .Vlan(5)
                                  .Ipv4("10.0.0.1", "10.0.0.2")
                                  .HopLimit(9)
                                  .Tcp(1, 80, kTcpSyn | kTcpAck, 7)
                                  .Payload(3)
                                  .Bytes());
  ByteVector cut = PacketBuilder().Ethernet().Ipv6("::1", "::2").HopByHop().Udp(1, 2).Bytes();
  cut.resize(60);
  EXPECT_EQ(packets[1].bytes, cut);
  EXPECT_EQ(packets[1].line, 4);
}

TEST(PacketScript, FragmentsComeInTheOrderGivenEachWithItsExpectation) {
  const auto packets = ParsePacketScript(
      "0 ipv4 10.0.0.1 > 10.0.0.2 / udp 1 > 2 / payload 300 | split 128 id=7 order=2,0,1 -> forward none, forward "
      "new\n");
  const auto fragments = SplitIntoFragments(
      PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2").Udp(1, 2).Payload(300).Bytes(), 128, 7);
  ASSERT_EQ(packets.size(), 3u);
  EXPECT_EQ(packets[0].bytes, fragments[2]);
  EXPECT_EQ(packets[0].expected, "forward none");
  EXPECT_EQ(packets[2].bytes, fragments[1]);
  EXPECT_EQ(packets[2].expected, "forward new");
}

TEST(PacketScript, MistakesAreRefusedWithTheirLine) {
  for (const std::string line : {"0 ipv4 10.0.0.1 > 10.0.0.2 -> ", "0 ipv4 10.0.0.1 -> drop x", "0 frob 1 -> drop x",
                                 "0 ipv4 10.0.0.1 > 10.0.0.2 frob=1 -> drop x", "0 udp 1 > 2", "x udp 1 > 2 -> drop x",
                                 "0 udp 1 > 2 3 -> drop x", "0 udp 1x > 2 -> drop x", "0 udp 1 > 2 | frob -> drop x"}) {
    try {
      ParsePacketScript("# first\n" + line + "\n");
      ADD_FAILURE() << "accepted: " << line;
    } catch (const std::runtime_error& error) {
      EXPECT_NE(std::string(error.what()).find("line 2"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace sluice
