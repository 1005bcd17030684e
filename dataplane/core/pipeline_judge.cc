// What becomes of packets that no judged flow answers for: new connections, flows to be judged again, ICMP errors.
#include <algorithm>
#include <span>

#include "core/make_frame.h"
#include "core/pipeline.h"

namespace sluice {
namespace {

constexpr std::uint32_t kIcmpHeaderLength = 8;

bool IsLaterFragment(const ParsedPacket& packet) {
  return packet.Is(ParsedPacket::kFragment) && !packet.Is(ParsedPacket::kFirstFragment);
}

bool OpensFlow(const ParsedPacket& packet) {
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
    case kUdpStream:
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
  return quoted.reason == DropReason::kNone && !IsLaterFragment(quoted);
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
  using Entry = FlowEntry<Key>;
  Lane<Key>& lane = this->lane<Key>();
  const std::uint32_t slot = deferred.slot;
  const std::uint32_t flow = lane.flows->Find(lane.key[slot], lane.place[slot]);
  bool answers_reply = deferred.asked_for_reply;
  if (flow != kNoFlow) {
    Entry& entry = lane.flows->entry(flow);
    const Side side = lane.SideOf(slot, entry);
    if (IsExpired(entry) || NextState(entry.state(), side, lane.EventAt(slot)) == FlowState::kReopen) {
      counters_.flows_expired.Add(1);
      EndFlow<Key>(flow);
    } else {
      if (entry.generation != generation_) {
        if (answers_reply != (side == Side::kReply)) answer = ClassifyOne(QueryOf(entry));
        answers_reply = side == Side::kReply;
        const bool first_time = entry.state() != FlowState::kCut || entry.Has(Entry::kResetDue);
        if (!JudgeFlow<Key>(flow, answer) && IsDenied(answer)) {
          if (entry.live()) {
            entry.Clear(Entry::kResetDue);
            Publish(entry.last_seen_ms, Now());
          }
          const bool unknown = answer.unknown_endpoint && config_.drop_unknown_endpoint;
          Deny(deferred.packet, unknown ? DropReason::kUnknownEndpoint : DropReason::kPolicyDenied, answer, first_time);
          return;
        }
      }
      // Else it ended: no policy concerns it any more, or it had been cut and is allowed again.
      if (entry.live()) {
        Continue<Key>(slot, flow);
        return;
      }
    }
  }
  if (answers_reply) {
    answer = ClassifyOne(lane.Query(slot, false));
  }
  if (Admits(deferred.packet, answer)) Open<Key>(slot, answer);
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
    const ParsedPacket& packet = PacketAt(index);
    if (packet.protocol == kProtoTcp && EventOf(packet) != kTcpSynEvent && !IsLaterFragment(packet)) {
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
void Pipeline::Open(std::uint32_t slot, const Classification& answer) {
  const std::uint32_t index = lane<Key>().packet[slot];
  if (!answer.concerned) return;
  if (!IsPlain(index) && !OpensFlow(packets_[index])) {
    PassStateless(index, answer);
    return;
  }
  const std::uint32_t flow = InsertFlow<Key>(slot, answer);
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
std::uint32_t Pipeline::InsertFlow(std::uint32_t slot, const Classification& answer) {
  Lane<Key>& lane = this->lane<Key>();
  const std::uint8_t protocol = Key::Protocol(lane.key[slot].words);
  const typename FlowTable<Key>::Judged judged{.state = FirstState(protocol, lane.EventAt(slot)),
                                               .originator_is_greater = lane.SourceIsGreater(slot),
                                               .generation = generation_,
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
    const bool replied = entry.Has(Entry::kReplied) || (side == Side::kReply && !closes);
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

// Judges a flow by `answer`, which is about its original direction. False where it goes on no more: it was cut, or
// ended. Of a connection that was cut a trace stays: else its other end's packets would pass for a connection that this
// end opens, wherever policy allows one, and thereby open it again.
template <typename Key>
bool Pipeline::JudgeFlow(std::uint32_t flow, const Classification& answer) {
  using Entry = FlowEntry<Key>;
  FlowTable<Key>& flows = *lane<Key>().flows;
  Entry& entry = flows.entry(flow);
  const bool was_cut = entry.state() == FlowState::kCut;
  const bool denied = IsDenied(answer);
  if (!denied && (was_cut || !answer.concerned)) {
    if (!was_cut) counters_.flows_unmanaged.Add(1);
    EndFlow<Key>(flow);
    return false;
  }
  FoldFlow<Key>(flow);
  if (!denied) {
    counters_.flows_judged_again.Add(1);
    Publish(flows.rules(flow).egress, answer.egress.rule);
    Publish(flows.rules(flow).ingress, answer.ingress.rule);
    Publish(entry.generation, generation_);
    return true;
  }
  if (was_cut) return false;
  counters_.flows_judged_again.Add(1);
  counters_.flows_cut.Add(1);
  if (!HasConnections(entry.protocol())) {
    EndFlow<Key>(flow);
    return false;
  }
  Publish(flows.rules(flow).egress, kNoRule);
  Publish(flows.rules(flow).ingress, kNoRule);
  Publish(entry.generation, kJudgeAgain);
  Publish(entry.last_seen_ms, Now());
  entry.SetState(FlowState::kCut, static_cast<std::uint8_t>(entry.flags() | Entry::kResetDue));
  flows.MakeEvictable(flow);
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
  if (entry.generation == generation_) return true;
  if (entry.generation != kJudgeAgain && IsStillJudged(entry)) return true;
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
  fates_[index] = !IsPlain(index) && IsLaterFragment(packets_[index]) ? DropReason::kFragmentDenied : reason;
  if (fates_[index] != DropReason::kPolicyDenied) return;
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
