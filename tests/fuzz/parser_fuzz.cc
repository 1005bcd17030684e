// Any bytes as a frame, as a frame in several segments and as a quoted packet: what Parse says must fit the bytes, and
// what is made in answer must parse.
#include <algorithm>
#include <cstdlib>
#include <memory>

#include "core/make_frame.h"
#include "core/parse.h"
#include "core/pipeline.h"
#include "fuzz/fuzz.h"
#include "support/sample_packets.h"

namespace sluice {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckFound(const ParsedPacket& packet, const Frame& frame) {
  if (packet.reason != DropReason::kNone) return;
  Require(packet.l3_offset >= 14);
  if (packet.Is(ParsedPacket::kPass)) return;
  Require(packet.l3_offset < packet.l4_offset && packet.l4_offset <= frame.frame_length);
  Require(packet.l4_offset + packet.l4_length <= static_cast<int>(frame.frame_length));
  const bool later = packet.Is(ParsedPacket::kFragment) && !packet.Is(ParsedPacket::kFirstFragment);
  Require(later == (packet.fragment_offset != 0));
  if (packet.Is(ParsedPacket::kHasPorts)) Require(!later && packet.l4_offset + 8u <= frame.length);
  if (packet.Is(ParsedPacket::kFragment)) Require(packet.fragment_offset + packet.fragment_length <= 65535);
  if (packet.family == Family::kIpv4) Require(packet.source_hi == 0 && packet.destination_hi == 0);
}

void CheckAnswers(const Frame& frame, const ParsedPacket& packet) {
  if (packet.reason != DropReason::kNone || packet.Is(ParsedPacket::kPass)) return;
  MadeFrame made;
  for (const AnswerSide side : {AnswerSide::kSender, AnswerSide::kReceiver}) {
    if (!(side == AnswerSide::kSender ? MakeReject(frame, packet, made) : MakeTcpReset(frame, packet, side, made)))
      continue;
    Require(made.length <= sizeof(made.bytes));
    ParsedPacket answer;
    Parse({.data = made.bytes, .length = made.length, .frame_length = made.length}, {}, answer);
    Require(answer.reason == DropReason::kNone);
  }
}

}  // namespace
}  // namespace sluice

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  // An exact copy on the heap, for the address sanitizer; the first byte says where the first segment ends.
  const auto buffer = std::make_unique<std::uint8_t[]>(size);
  std::copy_n(data, size, buffer.get());
  const auto length = static_cast<std::uint32_t>(size);
  const ParseConfig config{.pass_ethertypes = {0x88cc}, .max_ipv6_extension_headers = 8};

  const Frame whole{.data = buffer.get(), .length = length, .frame_length = length};
  ParsedPacket packet, again;
  Parse(whole, config, packet);
  CheckFound(packet, whole);
  CheckAnswers(whole, packet);
  ParseBurst({&whole, 1}, config, &again);
  Require(again.reason == packet.reason && again.flags == packet.flags && again.source() == packet.source());

  if (size != 0) {
    const std::uint32_t cut = data[0] % length;
    const auto segment = std::make_unique<std::uint8_t[]>(cut);
    std::copy_n(data, cut, segment.get());
    const Frame first{.data = segment.get(), .length = cut, .frame_length = length};
    Parse(first, config, packet);
    CheckFound(packet, first);
    CheckAnswers(first, packet);
  }
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    ParseQuoted({buffer.get(), size}, family, packet);
    if (packet.Is(ParsedPacket::kHasPorts)) Require(packet.l4_offset + 8u <= size);
  }
  return 0;
}

std::vector<std::vector<std::uint8_t>> FuzzSeeds() {
  std::vector<std::vector<std::uint8_t>> seeds;
  for (const sluice::SamplePacket& sample : sluice::SamplePackets()) seeds.push_back(sample.bytes);
  return seeds;
}
