#include "core/stage_judge.h"

#include <algorithm>
#include <span>

#include "core/parse.h"
#include "core/stage_find.h"
#include "core/tunnel.h"

namespace sluice {
namespace {

constexpr std::uint32_t kIcmpHeaderLength = 8;

// Of fragments, only the first one opens a flow, as it says what the datagram is. Of ICMP, only queries do.
bool OpensFlow(const ParsedPacket& packet) {
  if (packet.Is(ParsedPacket::kFragment) && !packet.Is(ParsedPacket::kFirstFragment)) return false;
  if (!IsIcmp(packet.protocol)) return true;
  return !packet.Is(ParsedPacket::kReplyType) && IcmpQueryOf(packet.protocol, packet.icmp_type) != IcmpQuery::kNone;
}

// Reads what an ICMP error quotes. Returns false if that is not a packet whose flow could be known.
bool ParseQuote(const Frame& frame, const ParsedPacket& error, ParsedPacket& quoted) {
  const std::uint32_t begin = error.l4_offset + kIcmpHeaderLength;
  const std::uint32_t end = std::min(std::uint32_t{error.l4_offset} + error.l4_length, frame.length);
  if (begin >= end) return false;
  ParseQuoted({frame.data + begin, end - begin}, error.family, quoted);
  const bool later_fragment = quoted.Is(ParsedPacket::kFragment) && !quoted.Is(ParsedPacket::kFirstFragment);
  return quoted.reason == DropReason::kNone && !later_fragment;
}

}  // namespace

void JudgeStage::JudgeMisses(Burst& burst, std::vector<MadeFrame>& made) {
  burst_ = &burst;
  made_ = &made;
  if (burst.ipv4.count != 0) PrefetchOpenings(burst, burst.ipv4);
  if (burst.ipv6.count != 0) PrefetchOpenings(burst, burst.ipv6);
  // All at once: the classifier works stage by stage, too, and its cache misses
  // overlap. If an earlier packet of this burst opened the flow, an answer may be
  // about the wrong direction by the time it is used. Then MeetFlow asks again.
  keeper_.Classify(std::span(burst.queries).first(burst.miss_count), answers_.data());
  for (std::uint32_t i = 0; i < burst.miss_count; ++i) {
    const Miss& miss = burst.misses[i];
    if (miss.slot == Miss::kNoSlot) {
      JudgeIcmpError(miss.packet, answers_[i]);
    } else if (miss.family == Family::kIpv4) {
      JudgeMiss<Ipv4FlowKey>(miss, answers_[i]);
    } else {
      JudgeMiss<Ipv6FlowKey>(miss, answers_[i]);
    }
  }
  keeper_.FlushStaged();
}

// Prefetches what will be touched if every miss opens a flow: buckets to insert
// into, flows that make way, and these flows' buckets and rules' counters.
template <typename Key>
void JudgeStage::PrefetchOpenings(const Burst& burst, const Lane<Key>& lane) {
  const FlowTable<Key>& flows = keeper_.flows<Key>();
  std::array<std::uint32_t, kMaxBurst> evicted;
  std::array<FlowIndex::Place, kMaxBurst> places;
  const std::size_t count = flows.NextEvictions(std::min(burst.miss_count, lane.count), evicted);
  for (std::uint32_t i = 0; i < burst.miss_count; ++i) {
    const Miss& miss = burst.misses[i];
    if (miss.slot != Miss::kNoSlot && miss.family == Key::kFamily)
      flows.index().PrefetchInsert(lane.slots[miss.slot].place);
  }
  for (std::size_t i = 0; i < count; ++i) {
    places[i] = flows.PlaceOf(flows.entry(evicted[i]).key());
    flows.Prefetch(places[i]);
    keeper_.account().PrefetchFold(flows, evicted[i]);
  }
  for (std::size_t i = 0; i < count; ++i) flows.index().PrefetchErase(places[i]);
}

void JudgeStage::JudgeIcmpError(std::uint32_t index, const Classification& answer) {
  if (QuotesLiveFlow(index)) {
    counters_.related.Add(1);
    burst_->outcomes[index].state = PacketState::kRelated;
  } else if (Admits(index, answer)) {
    PassStateless(index, answer);
  }
}

// RFC 1122 3.2.2 and RFC 4443 2.4: an error about a packet goes to the source of that packet.
bool JudgeStage::QuotesLiveFlow(std::uint32_t index) {
  const ParsedPacket& error = burst_->packets[index];
  ParsedPacket quoted;
  if (!ParseQuote(burst_->frames[index], error, quoted)) return false;
  if (quoted.source() != error.destination()) return false;
  return BelongsToLiveFlow(quoted);
}

bool JudgeStage::BelongsToLiveFlow(const ParsedPacket& packet) {
  return packet.family == Family::kIpv4 ? IsLive<Ipv4FlowKey>(packet) : IsLive<Ipv6FlowKey>(packet);
}

// If policy would now deny a flow, its errors are not related either: so a flow is judged before it admits an error.
template <typename Key>
bool JudgeStage::IsLive(const ParsedPacket& quoted) {
  FlowTable<Key>& flows = keeper_.flows<Key>();
  Key key;
  Key::Make(quoted, key);
  const std::uint32_t flow = flows.Find(key, flows.PlaceOf(key));
  if (flow == kNoFlow) return false;
  const FlowEntry<Key>& entry = flows.entry(flow);
  if (keeper_.IsExpired(entry) || entry.state() == FlowState::kCut) return false;
  if (entry.generation == keeper_.judged_now() || keeper_.IsStillJudged(entry)) return true;
  return keeper_.Judge<Key>(flow, keeper_.Classify(keeper_.QueryOf<Key>(flow)));
}

// Looks the flow up once more, since an earlier packet may have opened, ended or replaced it.
template <typename Key>
void JudgeStage::JudgeMiss(const Miss& miss, Classification& answer) {
  const Lane<Key>& lane = burst_->lane<Key>();
  FlowTable<Key>& flows = keeper_.flows<Key>();
  const std::uint32_t flow = flows.Find(lane.slots[miss.slot].key, lane.slots[miss.slot].place);
  if (flow != kNoFlow) {
    if (!keeper_.IsExpired(flows.entry(flow))) {
      if (MeetFlow<Key>(miss, flow, answer)) return;
    } else {
      keeper_.End<Key>(flow, FlowEndCause::kExpired);
    }
  }
  MeetNoFlow<Key>(miss, burst_->SideWithoutFlow<Key>(miss.slot), answer);
}

// Returns false if the flow ended, and the packet now has no flow.
template <typename Key>
bool JudgeStage::MeetFlow(const Miss& miss, std::uint32_t flow, Classification& answer) {
  const Lane<Key>& lane = burst_->lane<Key>();
  const FlowEntry<Key>& entry = keeper_.flows<Key>().entry(flow);
  const Side side = lane.SideOf(miss.slot, entry);
  if (NextState(entry.state(), side, lane.EventAt(miss.slot)) == FlowState::kReopen) {
    // The flow makes way only once the new connection is admitted. Otherwise, an end
    // that may not open a connection could erase what is known about the last one.
    MeetNoFlow<Key>(miss, Side::kOriginal, answer, flow);
    return true;
  }
  if (entry.generation != keeper_.judged_now()) {
    if (miss.side != side || keeper_.NamesOf<Key>(flow) != nullptr) {
      answer = keeper_.Classify(keeper_.QueryOf<Key>(flow));
    }
    if (entry.state() == FlowState::kCut) return MeetCutFlow<Key>(miss, flow, answer);
    if (!keeper_.Judge<Key>(flow, answer)) return entry.live() && MeetCutFlow<Key>(miss, flow, answer);
  }
  AdvanceFlow<Key>(keeper_, *burst_, miss.slot, flow);
  return true;
}

// `answer` is about the flow's original direction. A cut ends when a packet of that direction is admitted, which
// then opens the flow anew. It also ends when no policy concerns the flow any more; then this returns false.
template <typename Key>
bool JudgeStage::MeetCutFlow(const Miss& miss, std::uint32_t flow, const Classification& answer) {
  using Entry = FlowEntry<Key>;
  Entry& entry = keeper_.flows<Key>().entry(flow);
  const bool denied = keeper_.IsDenied(answer);
  if (!denied && !answer.concerned) {
    keeper_.End<Key>(flow, FlowEndCause::kUnmanaged);
    return false;
  }
  // Every packet renews the trace: a cut ends when the tuple has been silent, not when the cut is old enough.
  Publish(entry.last_seen_ms, keeper_.now_ms());
  const bool original = burst_->lane<Key>().SideOf(miss.slot, entry) == Side::kOriginal;
  if (!denied && original && !burst_->IsLaterFragment(miss.packet)) {
    if (!Admits(miss.packet, answer)) return true;
    keeper_.End<Key>(flow, FlowEndCause::kReplaced);
    Open<Key>(miss.slot, Side::kOriginal, answer);
    return true;
  }
  const bool first_time = entry.Has(Entry::kResetDue);
  entry.Clear(Entry::kResetDue);
  keeper_.TellStaged(keeper_.QueryOf<Key>(flow), answer);
  const bool unknown = keeper_.IsUnknownEndpoint(answer);
  Deny(miss.packet, unknown ? DropReason::kUnknownEndpoint : DropReason::kFlowCut, answer, first_time);
  return true;
}

// For a packet that opens a flow, if policy admits it. The new flow takes the place of `replaced`, if there is one.
template <typename Key>
void JudgeStage::MeetNoFlow(const Miss& miss, Side side, Classification& answer, std::uint32_t replaced) {
  if (miss.side != side) answer = keeper_.Classify(burst_->lane<Key>().Query(miss.slot, side));
  const bool admitted = Admits(miss.packet, answer);
  if (replaced != kNoFlow) {
    FlowEntry<Key>& entry = keeper_.flows<Key>().entry(replaced);
    if (admitted) {
      keeper_.End<Key>(replaced, FlowEndCause::kReplaced);
    } else if (entry.state() == FlowState::kCut) {
      Publish(entry.last_seen_ms, keeper_.now_ms());  // its ends are not silent
    }
  }
  if (admitted) return Open<Key>(miss.slot, side, answer);
  if (burst_->fates[miss.packet] == DropReason::kPolicyDenied) {
    keeper_.TellStaged(burst_->lane<Key>().Query(miss.slot, side), answer);
  }
}

template <typename Key>
void JudgeStage::Open(std::uint32_t slot, Side side, const Classification& answer) {
  const std::uint32_t index = burst_->lane<Key>().slots[slot].packet;
  if (!answer.concerned) return;
  if (!burst_->IsPlain(index) && !OpensFlow(burst_->packets[index])) {
    PassStateless(index, answer);
    return;
  }
  const std::uint32_t flow = InsertFlow<Key>(slot, side, answer);
  if (keeper_.Watches(burst_->lane<Key>().slots[slot].key)) burst_->Watch(index);
  keeper_.TellStaged(burst_->lane<Key>().Query(slot, side), answer,
                     flow == kNoFlow ? StagedJudge::FlowName() : StagedJudge::FlowName{Key::kFamily, flow});
  if (flow == kNoFlow) {
    counters_.stateless.Add(1);
    PassStateless(index, answer);
    return;
  }
  counters_.flows_created.Add(1);
  keeper_.Count<Key>(flow, LengthAt(index), burst_->lane<Key>().WayAt(slot));
  burst_->outcomes[index].state = PacketState::kNew;
}

// If the table is full, the least valuable flow makes way, and is counted to its rules first
// (End). If no flow may make way, the packet goes on without a flow: policy admitted it.
template <typename Key>
std::uint32_t JudgeStage::InsertFlow(std::uint32_t slot, Side side, const Classification& answer) {
  using Entry = FlowEntry<Key>;
  const Lane<Key>& lane = burst_->lane<Key>();
  FlowTable<Key>& flows = keeper_.flows<Key>();
  std::uint8_t flags = 0;
  if (lane.SourceIsGreater(slot) == (side == Side::kOriginal)) flags |= Entry::kOriginatorIsGreater;
  if (side == Side::kReply) flags |= Entry::kReplyFirst;
  if (lane.IsPickedUp(slot)) flags |= Entry::kGuessed;
  const typename FlowTable<Key>::Judged judged{.state = FirstState(lane.Protocol(slot), side, lane.EventAt(slot)),
                                               .flags = flags,
                                               .generation = keeper_.judged_now(),
                                               .now_ms = keeper_.now_ms(),
                                               .began_ms = keeper_.whole_now_ms(),
                                               .rules = {answer.egress.rule, answer.ingress.rule},
                                               .is_watched = keeper_.Watches(lane.slots[slot].key)};
  const std::uint32_t flow = flows.Insert(lane.slots[slot].key, lane.slots[slot].place, judged);
  if (flow != kNoFlow || flows.OldestEvictable() == kNoFlow) return flow;
  keeper_.End<Key>(flows.OldestEvictable(), FlowEndCause::kEvicted);
  counters_.flows_evicted.Add(1);
  return flows.Insert(lane.slots[slot].key, lane.slots[slot].place, judged);
}

void JudgeStage::PassStateless(std::uint32_t index, const Classification& answer) {
  keeper_.account().AddPacket(answer, LengthAt(index), keeper_.now_ns());
}

// Applies policy's answer to a packet without a flow. Returns false if the packet was dropped.
bool JudgeStage::Admits(std::uint32_t index, const Classification& answer) {
  NoteDecision(index, answer);
  if (keeper_.IsUnknownEndpoint(answer)) {
    Deny(index, DropReason::kUnknownEndpoint, answer);
    return false;
  }
  if (!answer.concerned) return !answer.between_nodes || AdmitsBetweenNodes(index, answer);
  if (tcp_strict_) {
    // This holds for later fragments, too: if their first one had been let through, there would be a flow.
    const ParsedPacket& packet = burst_->PacketAt(index);
    if (packet.protocol == kProtoTcp && EventOf(packet) != kTcpSynEvent) {
      Deny(index, DropReason::kTcpNoSyn, answer);
      return false;
    }
  }
  if (!answer.allow) {
    Deny(index, DropReason::kPolicyDenied, answer);
    return false;
  }
  return true;
}

// Traffic between two nodes is their own affair, but a tunnel between them may carry pods' packets.
bool JudgeStage::AdmitsBetweenNodes(std::uint32_t index, const Classification& answer) {
  if (!IsTunnel(burst_->PacketAt(index))) return true;
  counters_.encapsulated.Add(1);
  if (!refuses_encapsulated_) return true;
  Deny(index, DropReason::kEncapsulated, answer);
  return false;
}

void JudgeStage::NoteDecision(std::uint32_t index, const Classification& answer) {
  Outcome& outcome = burst_->outcomes[index];
  outcome.decided = answer.concerned;
  outcome.exemption = answer.exemption;
  outcome.egress = answer.egress;
  outcome.ingress = answer.ingress;
  outcome.egress_sections = answer.egress_sections;
  outcome.ingress_sections = answer.ingress_sections;
}

// A later fragment gets the verdict of its first one, but not its reason: so it has the same reason whenever it comes.
void JudgeStage::Deny(std::uint32_t index, DropReason reason, const Classification& answer, bool reset_both) {
  NoteDecision(index, answer);
  burst_->Drop(index, burst_->IsLaterFragment(index) ? DropReason::kFragmentDenied : reason);
  if (burst_->fates[index] != DropReason::kPolicyDenied && burst_->fates[index] != DropReason::kFlowCut) return;
  keeper_.account().AddDenied(keeper_.table(), answer, LengthAt(index), keeper_.now_ns());
  if (rejecter_.enabled() &&
      rejecter_.AppendAnswer(burst_->frames[index], burst_->PacketAt(index), reset_both, keeper_.now_ns(), *made_)) {
    burst_->verdicts[index] = Verdict::kReject;
  }
}

}  // namespace sluice
