#include "core/pipeline.h"

#include <algorithm>
#include <random>
#include <utility>

#include "core/plain.h"

namespace sluice {
namespace {

std::uint64_t RandomSeed() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

}  // namespace

void PipelineOutput::Clear() {
  forward.clear();
  drop.clear();
  made.clear();
  if (outcomes != nullptr) outcomes->clear();
}

Pipeline::Pipeline(const PipelineConfig& config)
    : config_(config),
      timeouts_(config.timeouts),
      fragments_({.trains = config.fragment_trains,
                  .held = config.fragments_held,
                  .held_each = config.fragments_held_each,
                  .timeout_ns = std::uint64_t{config.fragment_timeout_ms} * 1'000'000},
                 config.hash_seed) {}

Pipeline::~Pipeline() = default;

std::variant<std::unique_ptr<Pipeline>, Diagnostic> Pipeline::Create(const PipelineConfig& config,
                                                                     const FlowMemory& memory) {
  PipelineConfig seeded = config;
  if (seeded.hash_seed == 0) seeded.hash_seed = RandomSeed();
  auto ipv4 = FlowTable<Ipv4FlowKey>::Create(config.flow_capacity_ipv4, seeded.hash_seed, memory);
  if (auto* error = std::get_if<Diagnostic>(&ipv4)) return std::move(*error);
  auto ipv6 = FlowTable<Ipv6FlowKey>::Create(config.flow_capacity_ipv6, seeded.hash_seed, memory);
  if (auto* error = std::get_if<Diagnostic>(&ipv6)) return std::move(*error);
  std::unique_ptr<Pipeline> pipeline(new Pipeline(seeded));
  pipeline->ipv4_.flows = std::move(std::get<0>(ipv4));
  pipeline->ipv6_.flows = std::move(std::get<0>(ipv6));
  return pipeline;
}

void Pipeline::Start(const Table& table, std::uint64_t now_ns, PipelineOutput& out) {
  now_ns_ = std::max(now_ns_, now_ns);
  now_ms_.store(static_cast<std::uint32_t>(now_ns_ / 1'000'000), std::memory_order_relaxed);
  out_ = &out;
  if (table_ != &table || WholeNow() != table.generation() || CurrentCounters().epoch() != table.epoch())
    ChangeTable(table);
  table_ = &table;
}

void Pipeline::Process(const Table& table, std::uint64_t now_ns, std::span<const Frame> frames, PipelineOutput& out) {
  while (!frames.empty()) {
    const auto burst = frames.first(std::min<std::size_t>(frames.size(), kMaxBurst));
    frames = frames.subspan(burst.size());
    if (Pass(table, now_ns, burst, out)) out.forward.insert(out.forward.end(), burst.begin(), burst.end());
  }
}

bool Pipeline::Pass(const Table& table, std::uint64_t now_ns, std::span<const Frame> frames, PipelineOutput& out) {
  Start(table, now_ns, out);
  if (fragments_.held_count() != 0) [[unlikely]] {
    fragments_.Expire(now_ns_);
    DropReleased();
  }
  if (ReadPlain(frames)) [[likely]]
    return Decide();
  ParseBurst(frames, config_.parse, parsed_.data());
  WalkWithFragments(frames);
  return false;
}

// Of most frames no more is read than the lookup of their flow needs. False where fragments or a missing policy ask for
// all packets to be parsed first.
bool Pipeline::ReadPlain(std::span<const Frame> frames) {
  constexpr std::uint32_t kStride = 8;
  const auto count = static_cast<std::uint32_t>(frames.size());
  if (closed_) return false;
  Begin(frames.data(), parsed_.data(), count);
  unread_ = ~std::uint64_t{0};
  // Copies, which stay in registers.
  const FlowHasher ipv4_hasher = ipv4_.flows->hasher(), ipv6_hasher = ipv6_.flows->hasher();
  const FlowIndex ipv4_index = ipv4_.flows->index(), ipv6_index = ipv6_.flows->index();
  std::uint32_t ipv4_before = 0, ipv6_before = 0;
  for (std::uint32_t i = 0, end = 0; i < count;) {
    // The buckets of those before the last stride have come by now.
    ipv4_.FetchEntries(std::exchange(ipv4_before, ipv4_.count));
    ipv6_.FetchEntries(std::exchange(ipv6_before, ipv6_.count));
    for (end = std::min(i + kStride, count); i < end; ++i) {
      const Frame& frame = frames[i];
      if (frame.length >= kShortestPlain) [[likely]] {
        if (PlainIpv4 plain; PlainIpv4::Read(frame, plain)) {
          ipv4_.Add(i, frame, plain, ipv4_hasher, ipv4_index);
          continue;
        }
        if (PlainIpv6 plain; PlainIpv6::Read(frame, plain)) {
          ipv6_.Add(i, frame, plain, ipv6_hasher, ipv6_index);
          continue;
        }
      }
      if (PacketAt(i).Is(ParsedPacket::kFragment)) return false;
      Sort(i);
    }
  }
  return true;
}

// Fragments are held here, or let others go: the burst is gathered anew, in the order in which the rest may proceed.
void Pipeline::WalkWithFragments(std::span<const Frame> frames) {
  std::uint32_t gathered = 0;
  const auto flush = [&] {
    Walk(gathered_frames_.data(), gathered_packets_.data(), gathered);
    gathered = 0;
  };
  const auto gather = [&](const Frame& frame, const ParsedPacket& packet) {
    gathered_frames_[gathered] = frame;
    gathered_packets_[gathered] = packet;
    if (++gathered == kMaxBurst) flush();
  };
  for (std::size_t i = 0; i < frames.size(); ++i) {
    ParsedPacket& packet = parsed_[i];
    if (packet.reason != DropReason::kNone || !packet.Is(ParsedPacket::kFragment)) {
      gather(frames[i], packet);
      continue;
    }
    const FragmentFate fate = fragments_.Admit(frames[i], packet, now_ns_);
    if (fate != FragmentFate::kHeld) gather(frames[i], packet);
    for (const ReleasedFragment& released : fragments_.released()) gather(released.frame, released.packet);
  }
  if (gathered != 0) flush();
}

// What was held too long.
void Pipeline::DropReleased() {
  const std::span<ReleasedFragment> released = fragments_.released();
  for (std::size_t i = 0; i < released.size(); i += kMaxBurst) {
    const std::size_t count = std::min<std::size_t>(released.size() - i, kMaxBurst);
    for (std::size_t j = 0; j < count; ++j) {
      gathered_frames_[j] = released[i + j].frame;
      gathered_packets_[j] = released[i + j].packet;
    }
    Walk(gathered_frames_.data(), gathered_packets_.data(), static_cast<std::uint32_t>(count));
  }
}

void Pipeline::Walk(const Frame* frames, ParsedPacket* packets, std::uint32_t count) {
  Begin(frames, packets, count);
  for (std::uint32_t i = 0; i < count; ++i) Sort(i);
  if (Decide()) out_->forward.insert(out_->forward.end(), frames, frames + count);
}

void Pipeline::Begin(const Frame* frames, ParsedPacket* packets, std::uint32_t count) {
  frames_ = frames;
  packets_ = packets;
  count_ = count;
  unread_ = 0;
  dropped_ = deferred_count_ = ipv4_.count = ipv6_.count = ipv4_.fetched = ipv6_.fetched = 0;
  ipv4_.in_secondary = ipv6_.in_secondary = 0;
  fates_.fill(DropReason::kNone);
  verdicts_.fill(Verdict::kDrop);
  if (out_->outcomes == nullptr) return;
  for (std::uint32_t i = 0; i < count; ++i) {
    outcomes_[i] = {};
    outcomes_[i].handle = frames[i].handle;
  }
}

// True where all of the burst are forwarded, which is then left to be said in `out_`.
bool Pipeline::Decide() {
  if (ipv4_.count != 0) LookUp<Ipv4FlowKey>();
  if (ipv6_.count != 0) LookUp<Ipv6FlowKey>();
  if (deferred_count_ != 0) Judge();
  return Emit();
}

// Tells the packets that go through the flow table from those whose fate is known, or is no flow's.
inline void Pipeline::Sort(std::uint32_t index) {
  constexpr std::uint16_t kSpecial = ParsedPacket::kPass | ParsedPacket::kAlwaysPass | ParsedPacket::kIcmpError;
  const ParsedPacket& packet = packets_[index];
  fates_[index] = packet.reason;
  if (packet.reason == DropReason::kNone && !packet.Is(kSpecial) && !closed_) [[likely]] {
    if (packet.family == Family::kIpv4) {
      ipv4_.Add(index, frames_[index], packet);
    } else {
      ipv6_.Add(index, frames_[index], packet);
    }
    return;
  }
  if (packet.reason != DropReason::kNone) {
    ++dropped_;
  } else if (packet.Is(ParsedPacket::kPass | ParsedPacket::kAlwaysPass)) {
    return;
  } else if (closed_) {
    fates_[index] = DropReason::kNoPolicy;
    ++dropped_;
  } else {
    queries_[deferred_count_] = {packet.source(), packet.destination(), packet.protocol, packet.destination_port};
    deferred_[deferred_count_++] = {.packet = index, .slot = kNoSlot, .family = packet.family};
  }
}

// The common packet: its flow is there, judged by this generation, and the packet leaves the flow's state as it is.
template <typename Key>
void Pipeline::LookUp() {
  using Entry = FlowEntry<Key>;
  Lane<Key>& lane = this->lane<Key>();
  FlowTable<Key>& flows = *lane.flows;
  const std::uint32_t count = lane.count;
  lane.FetchEntries(count);
  if (lane.in_secondary != 0) lane.FetchEntries(count);
  const std::uint32_t now_ms = Now();
  const std::uint32_t generation = judged_now_;
  // Where outcomes are asked for, every packet takes the long way.
  const std::uint32_t fresh_ms = out_->outcomes == nullptr ? timeouts_.shortest() : 0;
  std::uint64_t stale = 0;
  Entry* const entries = &flows.entry(0);
  for (std::uint32_t slot = 0; slot < count; ++slot) {
    std::uint32_t flow = lane.flow[slot];
    if (!entries[flow].Is(lane.key[slot])) [[unlikely]] {
      flow = flows.Find(lane.key[slot], lane.place[slot]);
      if (flow == kNoFlow) {
        Defer<Key>(slot, SideWithoutFlow<Key>(slot));
        continue;
      }
    }
    Entry& entry = entries[flow];
    if (entry.generation != generation) [[unlikely]] {
      if (!IsStillJudged(entry)) {
        lane.flow[slot] = flow;
        stale |= std::uint64_t{1} << slot;
        flows.PrefetchRecord(flow);
        continue;
      }
      Publish(entry.generation, generation);
    }
    if (!lane.IsSteady(slot, entry) || now_ms - entry.last_seen_ms >= fresh_ms) [[unlikely]] {
      HitSlowly<Key>(slot, flow);
      continue;
    }
    if (entry.CountPacket(lane.length[slot], now_ms)) [[unlikely]]
      FoldFlow<Key>(flow);
  }
  if (stale != 0) [[unlikely]]
    MeetStale<Key>(stale);
}

// Packets of flows that an earlier table judged. All of such a flow's packets in this burst are here, in their order.
template <typename Key>
void Pipeline::MeetStale(std::uint64_t slots) {
  const Lane<Key>& lane = this->lane<Key>();
  for (std::uint64_t rest = slots; rest != 0; rest &= rest - 1) PrefetchFold<Key>(lane.flow[std::countr_zero(rest)]);
  for (std::uint64_t rest = slots; rest != 0; rest &= rest - 1) {
    const auto slot = static_cast<std::uint32_t>(std::countr_zero(rest));
    HitSlowly<Key>(slot, lane.flow[slot]);
  }
}

template <typename Key>
void Pipeline::HitSlowly(std::uint32_t slot, std::uint32_t flow) {
  FlowEntry<Key>& entry = lane<Key>().flows->entry(flow);
  if (!entry.live()) return Defer<Key>(slot, SideWithoutFlow<Key>(slot));  // a candidate that no flow has
  if (entry.generation == judged_now_ && !IsExpired(entry) && Continue<Key>(slot, flow)) return;
  // Later packets of this burst must not overtake this one's judgement.
  FoldFlow<Key>(flow);
  Publish(entry.generation, kJudgeAgain);
  Defer<Key>(slot, lane<Key>().SideOf(slot, entry));
}

template <typename Key>
void Pipeline::Defer(std::uint32_t slot, Side side) {
  const Lane<Key>& lane = this->lane<Key>();
  queries_[deferred_count_] = lane.Query(slot, side);
  deferred_[deferred_count_++] = {lane.packet[slot], slot, Key::kFamily, side};
}

// Whose packet it is taken for. A later fragment says nothing of its connection, and is judged as it stands.
template <typename Key>
Side Pipeline::SideWithoutFlow(std::uint32_t slot) const {
  const Lane<Key>& lane = this->lane<Key>();
  if (!lane.IsPickedUp(slot) || IsLaterFragment(lane.packet[slot])) return Side::kOriginal;
  return lane.Guess(slot);
}

bool Pipeline::Emit() {
  if (out_->outcomes != nullptr) {
    for (std::uint32_t i = 0; i < count_; ++i) {
      outcomes_[i].reason = fates_[i];
      outcomes_[i].verdict = fates_[i] == DropReason::kNone ? Verdict::kForward : verdicts_[i];
      out_->outcomes->push_back(outcomes_[i]);
    }
  }
  counters_.verdicts[static_cast<std::size_t>(Verdict::kForward)].Add(count_ - dropped_);
  if (dropped_ == 0) [[likely]]
    return true;
  for (std::uint32_t i = 0; i < count_; ++i) {
    if (fates_[i] == DropReason::kNone) {
      out_->forward.push_back(frames_[i]);
      continue;
    }
    out_->drop.push_back(frames_[i]);
    counters_.verdicts[static_cast<std::size_t>(verdicts_[i])].Add(1);
    counters_.drops[static_cast<std::size_t>(fates_[i])].Add(1);
    if (drop_ring_->Watches(fates_[i])) [[unlikely]]
      RecordDrop(i);
    if (!IsPlain(i) && packets_[i].Is(ParsedPacket::kFirstFragment)) fragments_.MarkDropped(frames_[i], packets_[i]);
  }
  return false;
}

DropRecord Pipeline::MakeRecord(const Frame& frame, const ParsedPacket& packet, DropReason reason) {
  return {.time_ns = now_ns_,
          .source = packet.source(),
          .destination = packet.destination(),
          .epoch = CurrentCounters().epoch(),
          .generation = WholeNow(),
          .frame_length = frame.frame_length,
          .source_port = packet.source_port,
          .destination_port = packet.destination_port,
          .port = frame.port,
          .protocol = packet.protocol,
          .reason = reason};
}

// Where nobody asked for outcomes they are filled by Deny alone: what fell before it has none.
void Pipeline::RecordDrop(std::uint32_t index) {
  const ParsedPacket& packet = PacketAt(index);
  DropRecord record = MakeRecord(frames_[index], packet, fates_[index]);
  record.verdict = verdicts_[index];
  if (packet.reason == DropReason::kNone && fates_[index] != DropReason::kNoPolicy) {
    const Outcome& outcome = outcomes_[index];
    if (!outcome.egress.allow) record.egress_rule = outcome.egress.rule;
    if (!outcome.ingress.allow) record.ingress_rule = outcome.ingress.rule;
  }
  drop_ring_->Put(record);
}

void Pipeline::RecordLost(const Frame& frame, DropReason reason) {
  ParsedPacket packet;
  Parse(frame, config_.parse, packet);
  drop_ring_->Put(MakeRecord(frame, packet, reason));
}

}  // namespace sluice
