#include "core/stage_emit.h"

#include <bit>

namespace sluice {
namespace {

std::uint16_t OuterTag(const Frame& frame) {
  if (frame.length < 16 || frame.data[12] != 0x81 || frame.data[13] != 0) return 0;
  return static_cast<std::uint16_t>(frame.data[14] << 8 | frame.data[15]);
}

}  // namespace

bool EmitStage::EmitFates(Burst& burst, PipelineOutput& out) {
  if (burst.tells) {
    for (std::uint32_t i = 0; i < burst.count; ++i) {
      burst.outcomes[i].reason = burst.fates[i];
      burst.outcomes[i].verdict = burst.fates[i] == DropReason::kNone ? Verdict::kForward : burst.verdicts[i];
      if (out.outcomes != nullptr) out.outcomes->push_back(burst.outcomes[i]);
    }
  }
  const CaptureWish* const wish = capture_ == nullptr ? nullptr : capture_->wish();
  const bool captures_all = wish != nullptr && wish->forwarded;
  if (captures_all) [[unlikely]] {
    for (std::uint32_t i = 0; i < burst.count; ++i) CapturePacket(burst, i, *wish);
  }
  Counter& forwarded = counters_.verdicts[static_cast<std::size_t>(Verdict::kForward)];
  if ((burst.dropped | burst.held) == 0) [[likely]] {
    forwarded.Add(burst.count);
    return true;
  }
  forwarded.Add(burst.count - burst.dropped - static_cast<std::uint32_t>(std::popcount(burst.held)));
  for (std::uint32_t i = 0; i < burst.count; ++i) {
    const Frame& frame = burst.frames[i];
    const DropReason fate = burst.fates[i];
    if ((burst.held >> i & 1) != 0) continue;
    if (fate == DropReason::kNone) {
      out.forward.push_back(frame);
      continue;
    }
    out.drop.push_back(frame);
    counters_.verdicts[static_cast<std::size_t>(burst.verdicts[i])].Add(1);
    counters_.drops[static_cast<std::size_t>(fate)].Add(1);
    (burst.verdicts[i] == Verdict::kReject ? counters_.rejected_bytes : counters_.dropped_bytes)
        .Add(frame.frame_length);
    if (drop_ring_->Watches(fate) || (denies_ != nullptr && DenyTable::Holds(fate))) [[unlikely]]
      RecordDrop(burst, i);
    if (wish != nullptr && !captures_all) [[unlikely]]
      CapturePacket(burst, i, *wish);
    if (!burst.IsPlain(i) && burst.packets[i].Is(ParsedPacket::kFirstFragment)) {
      reader_.MarkDropped(frame, burst.packets[i]);
    }
  }
  return false;
}

DropRecord EmitStage::MakeRecord(const Frame& frame, const ParsedPacket& packet, DropReason reason) const {
  return {.time_ns = keeper_.now_ns(),
          .source = packet.source(),
          .destination = packet.destination(),
          .epoch = keeper_.account().epoch(),
          .generation = keeper_.account().generation(),
          .frame_length = frame.frame_length,
          .source_port = packet.source_port,
          .destination_port = packet.destination_port,
          .port = frame.port,
          .tag = OuterTag(frame),
          .protocol = packet.protocol,
          .reason = reason};
}

// If nobody asked for outcomes, only the judge's denials filled them in: packets dropped before that have none.
DropRecord EmitStage::MakeDenyRecord(Burst& burst, std::uint32_t index) const {
  const ParsedPacket& packet = burst.PacketAt(index);
  DropRecord record = MakeRecord(burst.frames[index], packet, burst.fates[index]);
  record.verdict = burst.verdicts[index];
  if (packet.reason == DropReason::kNone && burst.fates[index] != DropReason::kNoPolicy) {
    const Outcome& outcome = burst.outcomes[index];
    if (!outcome.egress.allow) record.egress_rule = outcome.egress.rule;
    if (!outcome.ingress.allow) record.ingress_rule = outcome.ingress.rule;
    record.sections = {keeper_.table().numbering(), outcome.egress_sections, outcome.ingress_sections};
  }
  return record;
}

void EmitStage::RecordDrop(Burst& burst, std::uint32_t index) {
  const DropRecord record = MakeDenyRecord(burst, index);
  if (drop_ring_->Watches(record.reason)) drop_ring_->Put(record);
  if (denies_ != nullptr && DenyTable::Holds(record.reason)) denies_->Add(record);
}

// Outcomes of forwarded packets are known, since the burst then fills them in (CapturesForwarded).
void EmitStage::CapturePacket(Burst& burst, std::uint32_t index, const CaptureWish& wish) {
  const DropReason fate = burst.fates[index];
  if (!wish.Wants(fate) || !capture_->HasRoom()) return;
  const Frame& frame = burst.frames[index];
  const ParsedPacket& packet = burst.PacketAt(index);
  if (!wish.Wants(packet)) return;
  DropRecord record = MakeDenyRecord(burst, index);
  const Outcome& outcome = burst.outcomes[index];
  if (fate == DropReason::kNone) {
    record.verdict = Verdict::kForward;
    record.egress_rule = outcome.decided ? outcome.egress.rule : kNoRule;
    record.ingress_rule = outcome.decided ? outcome.ingress.rule : kNoRule;
  }
  const std::uint32_t bytes = wish.payload ? frame.length : HeaderBytes(frame, packet);
  capture_->Put(record, burst.tells && outcome.state == PacketState::kReply, {frame.data, bytes});
}

void EmitStage::RecordLost(const Frame& frame, const ParsedPacket& packet, DropReason reason) {
  drop_ring_->Put(MakeRecord(frame, packet, reason));
}

}  // namespace sluice
