// `sluicectl replay`: a line a packet in order, what goes out, what other manifests would change.
#include <gmock/gmock.h>

#include <algorithm>
#include <utility>

#include "cli/command.h"
#include "sluicectl/capture.h"
#include "support/packet_builder.h"

namespace sluice::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

constexpr std::uint64_t kStartNs = 1'700'000'000'000'000'000;
constexpr std::uint64_t kSecond = 1'000'000'000;

constexpr std::string_view kOutsider = "198.51.100.9";
constexpr std::string_view kWeb = "10.0.0.1";
constexpr std::string_view kDb = "10.0.0.2";

ByteVector TcpFrame(std::string_view source, std::string_view destination, std::uint16_t from, std::uint16_t to,
                    std::uint8_t flags = kTcpSyn) {
  return PacketBuilder().Ethernet().Ipv4(source, destination).Tcp(from, to, flags).Bytes();
}

class Replay : public CommandTest {
 protected:
  Replay() { Write("shop.yaml", kShop); }

  struct Timed {
    std::uint64_t after_ns;
    ByteVector bytes;
  };

  void WriteCapture(const std::vector<Timed>& frames) const {
    CaptureWriter writer;
    ASSERT_FALSE(writer.Open(Path("in.pcap")));
    for (const Timed& frame : frames) {
      writer.Write(kStartNs + frame.after_ns, frame.bytes, static_cast<std::uint32_t>(frame.bytes.size()));
    }
    ASSERT_FALSE(writer.Close());
  }

  std::vector<CapturedFrame> ReadCapture(const std::string& name) const {
    CaptureReader reader;
    std::vector<CapturedFrame> frames;
    EXPECT_FALSE(reader.Open(Path(name)));
    while (auto frame = reader.Next()) frames.push_back(std::move(*frame));
    EXPECT_FALSE(reader.error());
    return frames;
  }

  CommandResult RunOn(const std::vector<Timed>& frames, std::vector<std::string> more = {}) const {
    WriteCapture(frames);
    std::vector<std::string> arguments = {"replay", "--manifests", "shop.yaml", "-o", "json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    arguments.push_back("in.pcap");
    return Run(arguments);
  }
};

TEST_F(Replay, EachPacketHasItsLineWithVerdictStateAndRules) {
  const auto result = RunOn({{0, TcpFrame(kOutsider, kWeb, 4000, 80)},
                             {1000, TcpFrame(kWeb, kOutsider, 80, 4000, kTcpSyn | kTcpAck)},
                             {2000, TcpFrame(kOutsider, kWeb, 4000, 80, kTcpAck)},
                             {3000, TcpFrame(kOutsider, kDb, 4001, 5432)},
                             {4000, PacketBuilder().Ethernet().Arp().Bytes()},
                             {5000, TcpFrame(kOutsider, kWeb, 4002, 80, kTcpSyn | kTcpFin)}});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const std::string rules = R"("ingress":{"verdict":"allow","tier":"NetworkPolicy","policy":"shop/web","rule":0}})";
  EXPECT_EQ(result.out,
            R"({"packet":1,"verdict":"forward","reason":"","state":"new",)" + rules + "\n" +
                R"({"packet":2,"verdict":"forward","reason":"","state":"reply",)" + rules + "\n" +
                R"({"packet":3,"verdict":"forward","reason":"","state":"established",)" + rules + "\n" +
                R"({"packet":4,"verdict":"drop","reason":"policy_denied","state":"none","ingress":{"verdict":"deny",)"
                R"("tier":"NetworkPolicy","policy":"shop/deny","rule":-1,"isolated_by":["shop/deny"]}})"
                "\n"
                R"({"packet":5,"verdict":"forward","reason":"","state":"none"})"
                "\n"
                R"({"packet":6,"verdict":"drop","reason":"tcp_bad_flags","state":"none"})"
                "\n");
  EXPECT_EQ(result.err, "6 packets: 4 forwarded, 2 dropped, 0 rejected; policy_denied 1, tcp_bad_flags 1\n");
}

TEST_F(Replay, CaptureTimeIsTheClock) {
  const auto frame = PacketBuilder().Ethernet().Ipv4(kWeb, "203.0.113.1").Udp(4000, 53).Payload(8).Bytes();
  const auto answer = PacketBuilder().Ethernet().Ipv4("203.0.113.1", kWeb).Udp(53, 4000).Payload(8).Bytes();
  // An answer within the time-out of 30 s belongs to the flow; one after it is a new connection, and denied.
  const auto result = RunOn({{0, frame}, {29 * kSecond, answer}, {1000 * kSecond, answer}});
  EXPECT_THAT(result.out,
              MatchesRegex(".*\"packet\":1,\"verdict\":\"forward\".*\n.*\"packet\":2,\"verdict\":\"forward\","
                           "\"reason\":\"\",\"state\":\"reply\".*\n.*\"packet\":3,\"verdict\":\"drop\".*\n"));
}

TEST_F(Replay, HeldFragmentsKeepTheirPlaceAmongTheLines) {
  const auto datagram = PacketBuilder().Ethernet().Ipv4(kWeb, "203.0.113.1").Udp(4000, 53).Payload(64).Bytes();
  const auto fragments = SplitIntoFragments(datagram, 40, 7);
  ASSERT_EQ(fragments.size(), 2u);
  const auto result = RunOn({{0, fragments[1]}, {1000, TcpFrame(kOutsider, kWeb, 4000, 80)}, {2000, fragments[0]}},
                            {"--write", "out.pcap"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out,
              MatchesRegex("\\{\"packet\":1,\"verdict\":\"forward\".*\n\\{\"packet\":2,\"verdict\":\"forward\""
                           ".*\n\\{\"packet\":3,\"verdict\":\"forward\".*\n"));
  const auto out = ReadCapture("out.pcap");  // in the order in which they leave
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(out[0].bytes, TcpFrame(kOutsider, kWeb, 4000, 80));
  EXPECT_EQ(out[1].bytes, fragments[0]);
  EXPECT_EQ(out[2].bytes, fragments[1]);
}

TEST_F(Replay, FragmentWithoutItsFirstIsDroppedAtTheEnd) {
  const auto datagram = PacketBuilder().Ethernet().Ipv4(kWeb, "203.0.113.1").Udp(4000, 53).Payload(64).Bytes();
  const auto result = RunOn({{0, SplitIntoFragments(datagram, 40, 7)[1]}});
  EXPECT_THAT(result.out, StartsWith(R"({"packet":1,"verdict":"drop","reason":"fragment_orphan")"));
}

TEST_F(Replay, WriteHoldsForwardedFramesByteForByteWithTheirTimes) {
  const auto allowed = PacketBuilder().Ethernet().Vlan(5).Ipv4(kOutsider, kWeb).Tcp(4000, 80).Bytes();
  const auto result = RunOn({{123, allowed}, {456, TcpFrame(kOutsider, kDb, 4001, 5432)}}, {"--write", "out.pcap"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto out = ReadCapture("out.pcap");
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].bytes, allowed);
  EXPECT_EQ(out[0].time_ns, kStartNs + 123);
}

TEST_F(Replay, ConfigurationDecidesAndWriteHoldsWhatARejectMakes) {
  Write("config.yaml", "action_on_deny: reject\n");
  const auto result =
      RunOn({{0, TcpFrame(kOutsider, kDb, 4001, 5432)}}, {"--config", "config.yaml", "--write", "out.pcap"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, StartsWith(R"({"packet":1,"verdict":"reject","reason":"policy_denied")"));
  const auto out = ReadCapture("out.pcap");
  ASSERT_EQ(out.size(), 1u);
  constexpr std::size_t kTcpFlags = 14 + 20 + 13;
  ASSERT_GT(out[0].bytes.size(), kTcpFlags);
  EXPECT_EQ(out[0].bytes[kTcpFlags], kTcpRst | kTcpAck);
  Write("bad.yaml", "action_on_denny: reject\n");
  const auto bad = RunOn({}, {"--config", "bad.yaml"});
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_THAT(bad.err, AllOf(HasSubstr("bad.yaml:1"), HasSubstr("action_on_denny")));
}

TEST_F(Replay, AgainstShowsFlowsThatChangeAndExits1) {
  Write("open.yaml", kShop.substr(0, kShop.find("---\napiVersion: networking")));
  const std::vector<Timed> frames = {{0, TcpFrame(kOutsider, kWeb, 4000, 80)},
                                     {1000, TcpFrame(kOutsider, kDb, 4001, 5432)},
                                     {2000, TcpFrame(kOutsider, kDb, 4001, 5432)}};
  const auto result = RunOn(frames, {"--against", "open.yaml"});
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_EQ(result.out,
            R"({"src":{"address":"198.51.100.9","port":4001},"dst":{"address":"10.0.0.2","port":5432,)"
            R"("namespace":"shop","pod":"db","node":"n1"},"proto":"tcp","packet":2,"packets":2,)"
            R"("manifests":{"verdict":"drop","reason":"policy_denied","state":"none","ingress":{"verdict":"deny",)"
            R"("tier":"NetworkPolicy","policy":"shop/deny","rule":-1,"isolated_by":["shop/deny"]}},)"
            R"("against":{"verdict":"forward","reason":"",)"
            R"("state":"new"}})"
            "\n");
  const auto same = RunOn(frames, {"--against", "shop.yaml"});
  EXPECT_EQ(same.exit_code, 0) << same.err;
  EXPECT_EQ(same.out, "");
  const auto table = Run({"replay", "--manifests", "shop.yaml", "--against", "shop.yaml", "in.pcap"});
  EXPECT_EQ(table.out, "") << "no header without a row";
  EXPECT_EQ(table.err, "0 flows change verdict\n");
}

TEST_F(Replay, CaptureMayStandBeforeOptions) {
  WriteCapture({{0, TcpFrame(kOutsider, kWeb, 4000, 80)}});
  const auto result = Run({"replay", "--manifests", "shop.yaml", "in.pcap", "-o", "table"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, MatchesRegex("PACKET  SECONDS   FROM +TO +PROTO +VERDICT +REASON +STATE +RULES\n"
                                       "1       0\\.000000  198.51.100.9:4000  shop/web:80  tcp    forward +- +new    "
                                       "allow shop/web ingress\\[0\\]\n"));
}

TEST_F(Replay, BadCapturesExit2) {
  EXPECT_THAT(Run({"replay", "--manifests", "shop.yaml", "none.pcap"}).err,
              HasSubstr("none.pcap: error: cannot be read"));
  EXPECT_EQ(Run({"replay", "--manifests", "shop.yaml", "none.pcap"}).exit_code, 2);
  Write("text.pcap", "this is no capture at all, whatever its name says");
  EXPECT_EQ(Run({"replay", "--manifests", "shop.yaml", "text.pcap"}).exit_code, 2);
  EXPECT_THAT(Run({"replay", "--manifests", "shop.yaml"}).err, HasSubstr("FILE: missing"));

  WriteCapture({{0, TcpFrame(kOutsider, kWeb, 4000, 80)}, {1, TcpFrame(kOutsider, kWeb, 4001, 80)}});
  const std::string capture = Read("in.pcap");
  Write("cut.pcap", std::string_view(capture).substr(0, capture.size() - 5));
  const auto cut = Run({"replay", "--manifests", "shop.yaml", "-o", "json", "cut.pcap"});
  EXPECT_EQ(cut.exit_code, 2);
  EXPECT_THAT(cut.out, StartsWith(R"({"packet":1,"verdict":"forward")"));
  EXPECT_THAT(cut.err, HasSubstr("cut.pcap: error: breaks off"));

  std::string raw = capture;
  raw[20] = 101;  // LINKTYPE_RAW
  Write("raw.pcap", raw);
  const auto other_type = Run({"replay", "--manifests", "shop.yaml", "raw.pcap"});
  EXPECT_EQ(other_type.exit_code, 2);
  EXPECT_THAT(other_type.err, HasSubstr("only Ethernet"));
}

}  // namespace
}  // namespace sluice::test
