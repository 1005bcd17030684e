#include "core/stage_dns.h"

#include <bit>
#include <span>

#include "core/parse.h"
#include "core/tcp_flags.h"
#include "core/wire.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

constexpr std::uint32_t kUdpHeader = 8;
constexpr std::uint32_t kDnsHeader = 12;
constexpr std::uint8_t kResponse = 0x80;  // in the third byte (RFC 1035 4.1.1)

// The bytes after the transport's header. The parser checked the lengths, except for bytes in further segments.
struct Content {
  std::span<const std::uint8_t> bytes;
  bool is_whole = false;
};

Content ContentOf(const Frame& frame, const ParsedPacket& packet) {
  const std::uint8_t* const l4 = frame.data + packet.l4_offset;
  const std::uint32_t length = packet.protocol == kProtoUdp ? Load16(l4 + 4) : packet.l4_length;
  const std::uint32_t header = packet.protocol == kProtoUdp ? kUdpHeader : (l4[12] >> 4) * 4u;
  if (std::uint32_t{packet.l4_offset} + length > frame.length || header > length) return {};
  return {{l4 + header, length - header}, true};
}

bool IsResponse(std::span<const std::uint8_t> message) {
  return message.size() >= kDnsHeader && (message[2] & kResponse) != 0;
}

}  // namespace

DnsStage::DnsStage(const PipelineConfig& config, FlowKeeper& keeper, JudgeStage& judge, PipelineCounters& counters)
    : keeper_(keeper), judge_(judge), counters_(counters), parse_(config.parse) {
  if (config.dns.port == 0) return;
  tap_ = std::make_unique<DnsTap>(config.dns);
  waiting_.resize(config.dns.held);
}

void DnsStage::MeetWatched(Burst& burst, PipelineOutput& out) {
  tap_->Turn();
  for (std::uint64_t rest = burst.watched; rest != 0; rest &= rest - 1) {
    const auto index = static_cast<std::uint32_t>(std::countr_zero(rest));
    if (burst.fates[index] == DropReason::kNone) Meet(burst, index, out);
  }
}

void DnsStage::Meet(Burst& burst, std::uint32_t index, PipelineOutput& out) {
  const Frame& frame = burst.frames[index];
  const ParsedPacket& packet = burst.PacketAt(index);
  const bool is_from_port = packet.source_port == tap_->config().port;
  const bool is_from_resolver = is_from_port && tap_->Trusts(packet.source());
  if (!is_from_resolver && !(packet.destination_port == tap_->config().port && tap_->Trusts(packet.destination()))) {
    if (is_from_port && packet.protocol == kProtoUdp && !packet.Is(ParsedPacket::kFragment) &&
        IsResponse(ContentOf(frame, packet).bytes)) {
      tap_->counters().untrusted.Add(1);
    }
    return;
  }
  if (packet.Is(ParsedPacket::kFragment)) return tap_->counters().fragmented.Add(1);
  bool has_content = false;
  const bool is_copied = Copy(frame, packet, is_from_resolver, has_content);
  if (!is_from_resolver) {
    if (!is_copied) tap_->counters().lost_queries.Add(1);
    return;
  }
  if (!is_copied) tap_->counters().no_room.Add(1);
  if ((is_copied && has_content) || IsHolding()) Hold(burst, index, out);
}

// Returns false if there was no room for the copy. A packet without content is not copied.
bool DnsStage::Copy(const Frame& frame, const ParsedPacket& packet, bool is_from_resolver, bool& has_content) {
  const Content content = ContentOf(frame, packet);
  if (!content.is_whole) return false;
  const bool is_tcp = packet.protocol == kProtoTcp;
  has_content = !content.bytes.empty();
  if (!has_content && (!is_tcp || (packet.tcp_flags & (kFlagFin | kFlagSyn | kFlagRst)) == 0)) return true;
  const DnsPacket copy{.source = {packet.source(), packet.source_port},
                       .destination = {packet.destination(), packet.destination_port},
                       .time_ns = keeper_.now_ns(),
                       .sequence = is_tcp ? Load32(frame.data + packet.l4_offset + 4) : 0,
                       .protocol = packet.protocol,
                       .tcp_flags = packet.tcp_flags,
                       .is_from_resolver = is_from_resolver};
  return tap_->packets().Put(copy, content.bytes);
}

void DnsStage::Hold(Burst& burst, std::uint32_t index, PipelineOutput& out) {
  const auto places = static_cast<std::uint32_t>(waiting_.size());
  if (places == 0) return;
  if (count_ == places) {
    tap_->counters().no_room.Add(1);
    ReleaseOldest(out);
  }
  waiting_[(oldest_ + count_) % places] = {burst.frames[index], tap_->packets().mark(),
                                           keeper_.now_ns() + std::uint64_t{tap_->config().hold_ms} * 1'000'000,
                                           keeper_.table().generation()};
  ++count_;
  tap_->counters().held.Add(1);
  tap_->counters().waiting.store(count_, std::memory_order_relaxed);
  burst.held |= std::uint64_t{1} << index;
}

void DnsStage::Release(PipelineOutput& out) {
  while (count_ != 0) {
    const Waiting& waiting = waiting_[oldest_];
    if (!tap_->packets().IsTaken(waiting.mark)) {
      if (keeper_.now_ns() < waiting.deadline_ns) return;
      tap_->counters().ran_out.Add(1);
    }
    ReleaseOldest(out);
  }
}

void DnsStage::ReleaseAll(PipelineOutput& out) {
  while (count_ != 0) ReleaseOldest(out);
}

void DnsStage::ReleaseOldest(PipelineOutput& out) {
  const Waiting& waiting = waiting_[oldest_];
  oldest_ = (oldest_ + 1) % static_cast<std::uint32_t>(waiting_.size());
  --count_;
  tap_->counters().waiting.store(count_, std::memory_order_relaxed);
  bool passes = true;
  if (waiting.generation != keeper_.table().generation()) {
    ParsedPacket packet;
    Parse(waiting.frame, parse_, packet);
    passes = judge_.BelongsToLiveFlow(packet);
  }
  if (passes) {
    counters_.verdicts[static_cast<std::size_t>(Verdict::kForward)].Add(1);
    out.forward.push_back(waiting.frame);
  } else {
    counters_.verdicts[static_cast<std::size_t>(Verdict::kDrop)].Add(1);
    counters_.drops[static_cast<std::size_t>(DropReason::kFlowCut)].Add(1);
    counters_.dropped_bytes.Add(waiting.frame.frame_length);
    out.drop.push_back(waiting.frame);
  }
}

}  // namespace sluice
