// What becomes of packets that no judged flow answers for: new connections, flows to be judged again, ICMP errors.
#include <algorithm>
#include <span>

#include "core/make_frame.h"
#include "core/pipeline.h"

namespace sluice {
namespace {

constexpr std::uint32_t kIcmpHeaderLength = 8;

bool ComesAfterFirst(const ParsedPacket& packet) {
  return packet.Is(ParsedPacket::kFragment) && !packet.Is(ParsedPacket::kFirstFragment);
}

// Of fragments, the first one does, which says what the datagram is.
bool OpensFlow(const ParsedPacket& packet) {
  if (ComesAfterFirst(packet)) return false;
  if (!IsIcmp(packet.protocol)) return true;
  return !packet.Is(ParsedPacket::kReplyType) && IcmpQueryOf(packet.protocol, packet.icmp_type) != IcmpQuery::kNone;
}

// Whether a connection in this state may not be evicted: both ends have taken part in it.
bool IsAssured(FlowState state) {
  using enum FlowState;
  switch (state) {
    case kTcpEstablished:
    case kTcpFinOriginal:
    case kTcpFinReply:
    case kTcpHalfOriginal:
    case kTcpHalfReply:
    case kTcpLastAck:
    case kTcpTimeWait:
    case kSctpEstablished:
    case kSctpShutdownSent:
    case kSctpShutdownReceived:
    case kSctpShutdownAckSent:
    case kUdpReplied:
    case kIcmpReplied:
    case kGenericReplied:
      return true;
    default:
      return false;
  }
}

// What the flow's first packet asked.
template <typename Key>
ClassifyQuery QueryOf(const FlowEntry<Key>& entry) {
  return {entry.source().address, entry.destination().address, entry.protocol(), entry.destination().port};
}

// Reads what an ICMP error quotes. False where that is not a packet whose flow could be known.
bool ParseQuote(const Frame& frame, const ParsedPacket& error, ParsedPacket& quoted) {
  const std::uint32_t begin = error.l4_offset + kIcmpHeaderLength;
  const std::uint32_t end = std::min(std::uint32_t{error.l4_offset} + error.l4_length, frame.length);
  if (begin >= end) return false;
  ParseQuoted({frame.data + begin, end - begin}, error.family, quoted);
  return quoted.reason == DropReason::kNone && !ComesAfterFirst(quoted);
}

}  // namespace

// Fetches what opening as many flows as are deferred will touch: buckets to insert into, flows that make way, their
// buckets and their rules' cells.
template <typename Key>
void Pipeline::PrefetchOpenings() {
  const Lane<Key>& lane = this->lane<Key>();
  const FlowTable<Key>& flows = *lane.flows;
  std::array<std::uint32_t, kMaxBurst> evicted;
  std::array<FlowIndex::Place, kMaxBurst> places;
  const std::size_t count = flows.NextEvictions(std::min(deferred_count_, lane.count), evicted);
  for (std::uint32_t i = 0; i < deferred_count_; ++i) {
    if (deferred_[i].slot != kNoSlot && deferred_[i].family == Key::kFamily) {
      flows.index().PrefetchInsert(lane.place[deferred_[i].slot]);
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    places[i] = flows.PlaceOf(flows.entry(evicted[i]).key());
    flows.Prefetch(places[i]);
    PrefetchFold<Key>(evicted[i]);
  }
  for (std::size_t i = 0; i < count; ++i) flows.index().PrefetchErase(places[i]);
}

void Pipeline::Judge() {
  if (ipv4_.count != 0) PrefetchOpenings<Ipv4FlowKey>();
  if (ipv6_.count != 0) PrefetchOpenings<Ipv6FlowKey>();
  classifier_.Classify(*table_, std::span(queries_).first(deferred_count_), answers_.data());
  for (std::uint32_t i = 0; i < deferred_count_; ++i) {
    if (deferred_[i].slot == kNoSlot) {
      if (QuotesLiveFlow(deferred_[i].packet)) {
        counters_.related.Add(1);
        outcomes_[deferred_[i].packet].state = PacketState::kRelated;
      } else if (Admits(deferred_[i].packet, answers_[i])) {
        PassStateless(deferred_[i].packet, answers_[i]);
      }
    } else if (deferred_[i].family == Family::kIpv4) {
      Resolve<Ipv4FlowKey>(deferred_[i], answers_[i]);
    } else {
      Resolve<Ipv6FlowKey>(deferred_[i], answers_[i]);
    }
  }
}

// Packets before this one, of the same burst and flow, may have changed what was found when it was deferred.
template <typename Key>
void Pipeline::Resolve(const Deferred& deferred, Classification& answer) {
  Lane<Key>& lane = this->lane<Key>();
  const std::uint32_t flow = lane.flows->Find(lane.key[deferred.slot], lane.place[deferred.slot]);
  if (flow != kNoFlow) {
    if (!IsExpired(lane.flows->entry(flow))) {
      if (MeetFlow<Key>(deferred, flow, answer)) return;
    } else {
      ExpireFlow<Key>(flow);
    }
  }
  MeetNoFlow<Key>(deferred, SideWithoutFlow<Key>(deferred.slot), answer);
}

// False where the flow ended and the packet is now one without a flow.
template <typename Key>
bool Pipeline::MeetFlow(const Deferred& deferred, std::uint32_t flow, Classification& answer) {
  using Entry = FlowEntry<Key>;
  Lane<Key>& lane = this->lane<Key>();
  const Entry& entry = lane.flows->entry(flow);
  const Side side = lane.SideOf(deferred.slot, entry);
  if (NextState(entry.state(), side, lane.EventAt(deferred.slot)) == FlowState::kReopen) {
    // Not before the new connection is admitted does the flow make way: whoever may not open one could else wipe out
    // what is known of the last, a cut above all.
    MeetNoFlow<Key>(deferred, Side::kOriginal, answer, flow);
    return true;
  }
  if (entry.generation != judged_now_) {
    if (deferred.side != side) answer = ClassifyOne(QueryOf(entry));
    if (entry.state() == FlowState::kCut) return MeetCutFlow<Key>(deferred, flow, answer);
    if (!JudgeFlow<Key>(flow, answer)) return entry.live() && MeetCutFlow<Key>(deferred, flow, answer);
  }
  Continue<Key>(deferred.slot, flow);
  return true;
}

// `answer` is about the flow's original direction. A cut ends where a packet of that direction is admitted, which then
// opens the flow anew; or where no policy concerns the flow any more, which is false.
template <typename Key>
bool Pipeline::MeetCutFlow(const Deferred& deferred, std::uint32_t flow, const Classification& answer) {
  using Entry = FlowEntry<Key>;
  Entry& entry = lane<Key>().flows->entry(flow);
  const bool denied = IsDenied(answer);
  if (!denied && !answer.concerned) {
    EndFlow<Key>(flow);
    return false;
  }
  Publish(entry.last_seen_ms, Now());
  if (!denied && lane<Key>().SideOf(deferred.slot, entry) == Side::kOriginal && !IsLaterFragment(deferred.packet)) {
    if (!Admits(deferred.packet, answer)) return true;
    EndFlow<Key>(flow);
    Open<Key>(deferred.slot, Side::kOriginal, answer);
    return true;
  }
  const bool first_time = entry.Has(Entry::kResetDue);
  entry.Clear(Entry::kResetDue);
  const bool unknown = answer.unknown_endpoint && config_.drop_unknown_endpoint;
  Deny(deferred.packet, unknown ? DropReason::kUnknownEndpoint : DropReason::kFlowCut, answer, first_time);
  return true;
}

// A packet that opens a flow, if policy admits it: in the place of `replaced`, where that is one.
template <typename Key>
void Pipeline::MeetNoFlow(const Deferred& deferred, Side side, Classification& answer, std::uint32_t replaced) {
  if (deferred.side != side) answer = ClassifyOne(lane<Key>().Query(deferred.slot, side));
  const bool admitted = Admits(deferred.packet, answer);
  if (replaced != kNoFlow) {
    FlowEntry<Key>& entry = lane<Key>().flows->entry(replaced);
    if (admitted) {
      ExpireFlow<Key>(replaced);
    } else if (entry.state() == FlowState::kCut) {
      Publish(entry.last_seen_ms, Now());
    }
  }
  if (admitted) Open<Key>(deferred.slot, side, answer);
}

bool Pipeline::IsDenied(const Classification& answer) const {
  return !answer.allow || (answer.unknown_endpoint && config_.drop_unknown_endpoint);
}

// Policy's answer to a packet without a flow. False: it was dropped.
bool Pipeline::Admits(std::uint32_t index, const Classification& answer) {
  outcomes_[index].decided = answer.concerned;
  outcomes_[index].exemption = answer.exemption;
  outcomes_[index].egress = answer.egress;
  outcomes_[index].ingress = answer.ingress;
  if (answer.unknown_endpoint && config_.drop_unknown_endpoint) {
    Deny(index, DropReason::kUnknownEndpoint, answer);
    return false;
  }
  if (!answer.concerned) return true;
  if (config_.tcp_strict) {
    // A later fragment too: had its first one been let through, there would be a flow.
    const ParsedPacket& packet = PacketAt(index);
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

template <typename Key>
void Pipeline::Open(std::uint32_t slot, Side side, const Classification& answer) {
  const std::uint32_t index = lane<Key>().packet[slot];
  if (!answer.concerned) return;
  if (!IsPlain(index) && !OpensFlow(packets_[index])) {
    PassStateless(index, answer);
    return;
  }
  const std::uint32_t flow = InsertFlow<Key>(slot, side, answer);
  if (flow == kNoFlow) {
    counters_.stateless.Add(1);
    PassStateless(index, answer);
    return;
  }
  counters_.flows_created.Add(1);
  Count<Key>(flow, frames_[index].frame_length);
  outcomes_[index].state = PacketState::kNew;
}

template <typename Key>
std::uint32_t Pipeline::InsertFlow(std::uint32_t slot, Side side, const Classification& answer) {
  using Entry = FlowEntry<Key>;
  Lane<Key>& lane = this->lane<Key>();
  std::uint8_t flags = 0;
  if (lane.SourceIsGreater(slot) == (side == Side::kOriginal)) flags |= Entry::kOriginatorIsGreater;
  if (side == Side::kReply) flags |= Entry::kReplyFirst;
  if (lane.IsPickedUp(slot)) flags |= Entry::kGuessed;
  const std::uint8_t protocol = Key::Protocol(lane.key[slot].words);
  const typename FlowTable<Key>::Judged judged{.state = FirstState(protocol, side, lane.EventAt(slot)),
                                               .flags = flags,
                                               .generation = judged_now_,
                                               .now_ms = Now(),
                                               .rules = {answer.egress.rule, answer.ingress.rule}};
  const std::uint32_t flow = lane.flows->Insert(lane.key[slot], lane.place[slot], judged);
  if (flow != kNoFlow || lane.flows->OldestEvictable() == kNoFlow) return flow;
  EndFlow<Key>(lane.flows->OldestEvictable());
  counters_.flows_evicted.Add(1);
  return lane.flows->Insert(lane.key[slot], lane.place[slot], judged);
}

// A packet of a flow that this generation allows. False where it opens a new connection in the flow's place.
template <typename Key>
bool Pipeline::Continue(std::uint32_t slot, std::uint32_t flow) {
  using Entry = FlowEntry<Key>;
  Lane<Key>& lane = this->lane<Key>();
  Entry& entry = lane.flows->entry(flow);
  const std::uint32_t index = lane.packet[slot];
  const Side side = lane.SideOf(slot, entry);
  const FlowState next = NextState(entry.state(), side, lane.EventAt(slot));
  if (next == FlowState::kReopen) return false;
  if (next != entry.state()) {
    const bool closes = next == FlowState::kTcpCloseReply || next == FlowState::kSctpClosed;
    const bool other_spoke = (side == Side::kReply) != entry.Has(Entry::kReplyFirst);
    const bool replied = entry.Has(Entry::kReplied) || (other_spoke && !closes);
    entry.SetState(next, static_cast<std::uint8_t>(entry.flags() | (replied ? Entry::kReplied : 0)));
    if (replied && IsAssured(next)) lane.flows->Keep(flow);
  }
  Count<Key>(flow, frames_[index].frame_length);
  Outcome& outcome = outcomes_[index];
  outcome.state = side == Side::kReply         ? PacketState::kReply
                  : entry.Has(Entry::kReplied) ? PacketState::kEstablished
                                               : PacketState::kNew;
  outcome.decided = true;
  outcome.egress = {lane.flows->rules(flow).egress, true};
  outcome.ingress = {lane.flows->rules(flow).ingress, true};
  return true;
}

// Judges a flow that was not cut by `answer`, which is about its original direction. False where it goes on no more: it
// was cut, or ended, as no policy concerns it any more. A flow that was cut stays, as a trace: without it, its other
// end's packets would pass for a flow that this end opens, wherever policy allows one, and thereby open it again.
template <typename Key>
bool Pipeline::JudgeFlow(std::uint32_t flow, const Classification& answer) {
  using Entry = FlowEntry<Key>;
  FlowTable<Key>& flows = *lane<Key>().flows;
  Entry& entry = flows.entry(flow);
  const bool denied = IsDenied(answer);
  if (!denied && !answer.concerned) {
    counters_.flows_unmanaged.Add(1);
    EndFlow<Key>(flow);
    return false;
  }
  FoldFlow<Key>(flow);
  counters_.flows_judged_again.Add(1);
  if (!denied) {
    Publish(flows.rules(flow).egress, answer.egress.rule);
    Publish(flows.rules(flow).ingress, answer.ingress.rule);
    Publish(entry.generation, judged_now_);
    return true;
  }
  counters_.flows_cut.Add(1);
  Publish(flows.rules(flow).egress, kNoRule);
  Publish(flows.rules(flow).ingress, kNoRule);
  Publish(entry.generation, kJudgeAgain);
  Publish(entry.last_seen_ms, Now());
  entry.SetState(FlowState::kCut, static_cast<std::uint8_t>(entry.flags() | Entry::kResetDue));
  // What a flood could not evict before it cannot evict now. Of a flow that was never answered, whose answer may be
  // under way, the trace outlives all others that may be evicted: a flood evicts its own flows.
  if (entry.Has(Entry::kEvictable)) flows.MakeEvictable(flow, FlowTable<Key>::Eviction::kLastResort);
  return false;
}

// RFC 1122 3.2.2 and RFC 4443 2.4: an error about a packet goes to that packet's source.
bool Pipeline::QuotesLiveFlow(std::uint32_t index) {
  ParsedPacket quoted;
  if (!ParseQuote(frames_[index], packets_[index], quoted)) return false;
  if (quoted.source() != packets_[index].destination()) return false;
  return quoted.family == Family::kIpv4 ? IsRelated<Ipv4FlowKey>(quoted) : IsRelated<Ipv6FlowKey>(quoted);
}

template <typename Key>
bool Pipeline::IsRelated(const ParsedPacket& quoted) {
  FlowTable<Key>& flows = *lane<Key>().flows;
  Key key;
  Key::Make(quoted, key);
  const std::uint32_t flow = flows.Find(key, flows.PlaceOf(key));
  if (flow == kNoFlow) return false;
  FlowEntry<Key>& entry = flows.entry(flow);
  if (IsExpired(entry) || entry.state() == FlowState::kCut) return false;
  if (entry.generation == judged_now_) return true;
  if (IsStillJudged(entry)) return true;
  return JudgeFlow<Key>(flow, ClassifyOne(QueryOf(entry)));
}

Classification Pipeline::ClassifyOne(const ClassifyQuery& query) {
  Classification answer;
  classifier_.Classify(*table_, std::span(&query, 1), &answer);
  return answer;
}

void Pipeline::PassStateless(std::uint32_t index, const Classification& answer) {
  CurrentCounters().Add(answer.egress.rule, 1, frames_[index].frame_length, now_ns_);
  CurrentCounters().Add(answer.ingress.rule, 1, frames_[index].frame_length, now_ns_);
}

// A later fragment takes its first one's verdict, but not its name: then it is called alike whenever it comes.
void Pipeline::Deny(std::uint32_t index, DropReason reason, const Classification& answer, bool reset_both) {
  ++dropped_;
  outcomes_[index].decided = answer.concerned;
  outcomes_[index].exemption = answer.exemption;
  outcomes_[index].egress = answer.egress;
  outcomes_[index].ingress = answer.ingress;
  fates_[index] = IsLaterFragment(index) ? DropReason::kFragmentDenied : reason;
  if (fates_[index] != DropReason::kPolicyDenied && fates_[index] != DropReason::kFlowCut) return;
  for (const Decision& side : {answer.egress, answer.ingress}) {
    if (!side.allow) CurrentCounters().Add(side.rule, 1, frames_[index].frame_length, now_ns_);
  }
  if (config_.action_on_deny == ActionOnDeny::kReject) Answer(index, reset_both);
}

void Pipeline::Answer(std::uint32_t index, bool reset_both) {
  const ParsedPacket& packet = PacketAt(index);
  MadeFrame made;
  if (!MakeReject(frames_[index], packet, made)) return;
  if (!TakeToken()) {
    counters_.answers_limited.Add(1);
    return;
  }
  verdicts_[index] = Verdict::kReject;
  out_->made.push_back(made);
  counters_.answers.Add(1);
  if (!reset_both || packet.protocol != kProtoTcp) return;
  if (!MakeTcpReset(frames_[index], packet, AnswerSide::kReceiver, made)) return;
  out_->made.push_back(made);
  counters_.answers.Add(1);
}

// As many answers as rejects_per_second allows, up to a second's worth at once.
bool Pipeline::TakeToken() {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  if (config_.rejects_per_second == 0) return false;
  const std::uint64_t price = kSecond / config_.rejects_per_second;
  answer_credit_ns_ = std::min(kSecond, answer_credit_ns_ + std::min(kSecond, now_ns_ - answer_time_ns_));
  answer_time_ns_ = now_ns_;
  if (answer_credit_ns_ < price) return false;
  answer_credit_ns_ -= price;
  return true;
}

template bool Pipeline::Continue<Ipv4FlowKey>(std::uint32_t, std::uint32_t);
template bool Pipeline::Continue<Ipv6FlowKey>(std::uint32_t, std::uint32_t);
template bool Pipeline::JudgeFlow<Ipv4FlowKey>(std::uint32_t, const Classification&);
template bool Pipeline::JudgeFlow<Ipv6FlowKey>(std::uint32_t, const Classification&);

}  // namespace sluice
