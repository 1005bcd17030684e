// Any bytes as DNS: no name loops, what is read lies within the message, an answer's names begin with the question, and
// nothing is learnt that was not asked for, over UDP and TCP.
#include <cstdlib>
#include <span>

#include "dns/answer_watcher.h"
#include "fuzz/fuzz.h"
#include "sluice/protocol.h"
#include "support/dns_builder.h"

namespace sluice {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckReading(std::span<const std::uint8_t> message) {
  DnsQuestion question;
  DnsReader reader;
  DnsReader::ReadQuery(message, question);
  if (DnsReader::ReadResponse(message, question) != DnsReading::kRead) return;
  if (reader.ReadAnswer(message, question) != DnsReading::kRead) return;
  const DnsAnswer& answer = reader.answer();
  if (answer.names.empty()) return Require(answer.addresses.empty());
  Require(answer.names.front() == question.name.ToString());
  Require(answer.names.size() <= DnsReader::kMostLinks + 1);
  Require(answer.addresses.empty() || answer.ttl_s <= 0x7fffffff);
  for (const IpAddress& address : answer.addresses) Require(address.is_v4() == (question.type == kDnsA));
}

// A name that is read again as it was written is the same.
void CheckName(std::span<const std::uint8_t> message) {
  for (std::size_t offset = 0; offset < message.size() && offset < 64; ++offset) {
    DnsName name, again;
    const auto end = DnsName::Read(message, offset, name);
    if (!end) continue;
    Require(*end > offset && *end <= message.size());
    const auto whole = DnsName::Read(name.bytes(), 0, again);
    Require(whole && *whole == name.bytes().size() && name == again);
  }
}

class Nobody final : public AnswerSink {
 public:
  std::size_t Learn(const DnsAnswer&, const IpAddress&, std::uint64_t) override { std::abort(); }
};

DnsPacket PacketOf(std::uint8_t protocol, bool is_from_resolver) {
  return {.source = {IpAddress::V4(1), 1},
          .destination = {IpAddress::V4(2), 2},
          .time_ns = 1,
          .sequence = 0,
          .protocol = protocol,
          .tcp_flags = 0,
          .is_from_resolver = is_from_resolver};
}

// Nobody asked: whatever the resolver says, none of it is learnt. Over TCP, cut by the input itself.
void CheckWatcher(std::span<const std::uint8_t> bytes) {
  Nobody nobody;
  AnswerWatcher watcher(nobody, {.queries = {.all = 16, .of_client = 4}, .streams = 4, .stream_bytes = 200'000});
  watcher.Meet(PacketOf(kProtoUdp, true), bytes);
  DnsPacket segment = PacketOf(kProtoTcp, true);
  segment.tcp_flags = 2;
  watcher.Meet(segment, {});
  segment.tcp_flags = 16;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t length = std::min<std::size_t>(bytes.size() - at, 1 + bytes[at] % 64);
    segment.sequence = static_cast<std::uint32_t>(1 + at);
    watcher.Meet(segment, bytes.subspan(at, length));
    at += bytes[at] % 5 == 0 ? length / 2 + 1 : length;
  }
}

}  // namespace
}  // namespace sluice

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> bytes(data, size);
  sluice::CheckReading(bytes);
  sluice::CheckName(bytes);
  sluice::CheckWatcher(bytes);
  return 0;
}

std::vector<std::vector<std::uint8_t>> FuzzSeeds() {
  using sluice::DnsBuilder;
  const DnsBuilder answer = DnsBuilder(7)
                                .Question("s3.example.com")
                                .Cname("@12", "cdn.@15")
                                .Dname("example.com", "example.net", 5)
                                .A("cdn.@15", "203.0.113.9")
                                .Opt();
  return {DnsBuilder::Query(7, "s3.example.com").Opt().Bytes(),
          answer.Bytes(),
          answer.Framed(),
          DnsBuilder(8).Question("a.b", DnsBuilder::kAaaa).Aaaa("@12", "2001:db8::1").Bytes(),
          {0xc0, 0x02, 0xc0, 0x00, 0}};
}
