#include "core/mailbox.h"

#include <algorithm>

namespace sluice {
namespace {

bool Fits(const IpAddress& wanted, const IpAddress& address) {
  return wanted.family == address.family && (wanted == address || (wanted.hi | wanted.lo) == 0);
}

template <typename Key, typename Flow>
Key KeyOf(const Flow& flow, bool& source_is_greater) {
  ParsedPacket packet;
  packet.family = Key::kFamily;
  packet.source_hi = flow.source.address.hi;
  packet.source_lo = flow.source.address.lo;
  packet.destination_hi = flow.destination.address.hi;
  packet.destination_lo = flow.destination.address.lo;
  packet.source_port = flow.source.port;
  packet.destination_port = flow.destination.port;
  packet.protocol = flow.protocol;
  Key key;
  source_is_greater = Key::Make(packet, key);
  return key;
}

template <typename Key>
bool AdoptOne(FlowKeeper& keeper, const KeptFlow& kept) {
  using Entry = FlowEntry<Key>;
  FlowTable<Key>& flows = keeper.flows<Key>();
  bool greater = false;
  const Key key = KeyOf<Key>(kept, greater);
  const FlowIndex::Place place = flows.PlaceOf(key);
  if (flows.Find(key, place) != kNoFlow) return false;
  std::uint8_t flags = greater ? Entry::kOriginatorIsGreater : 0;
  if (kept.guessed) flags |= Entry::kGuessed;
  if (kept.replied) flags |= Entry::kReplied;
  const std::uint32_t flow = flows.Insert(key, place,
                                          {.state = kept.state,
                                           .flags = flags,
                                           .generation = FlowKeeper::kJudgeAgain,
                                           .now_ms = keeper.now_ms() - kept.idle_ms,
                                           .began_ms = keeper.whole_now_ms() - kept.idle_ms,
                                           .is_watched = keeper.Watches(key)});
  if (flow == kNoFlow) return false;
  if (keeper.IsExpired(flows.entry(flow))) {
    flows.Erase(flow);
    return false;
  }
  if (kept.replied && IsAssured(kept.state)) flows.Keep(flow);
  return true;
}

template <typename Key>
void MeetOne(FlowKeeper& keeper, CarriedFlow& carried) {
  FlowTable<Key>& flows = keeper.flows<Key>();
  bool greater = false;
  const Key key = KeyOf<Key>(carried, greater);
  const std::uint32_t flow = flows.Find(key, flows.PlaceOf(key));
  if (flow == kNoFlow) return;
  if (carried.packets != 0) {
    keeper.CountCarried<Key>(flow, {carried.packets, carried.bytes},
                             greater ? FlowWay::kFromGreater : FlowWay::kFromLesser, carried.idle_ms);
  }
  const FlowEntry<Key>& entry = flows.entry(flow);
  if (!keeper.MeetTable<Key>(flow)) return;
  carried.is_reply = greater != entry.Has(FlowEntry<Key>::kOriginatorIsGreater);
  carried.is_guessed = entry.Has(FlowEntry<Key>::kGuessed);
  carried.timeout_ms = keeper.TimeoutMs(entry);
  carried.may_be_carried = keeper.MayBeCarried(entry);
  carried.generation = keeper.table().generation();
}

// Each function does a slice that begins at `next`. It returns where the next slice begins, or kEnd if nothing is left.
constexpr std::uint32_t kEnd = ~std::uint32_t{0};

std::uint32_t Do(AdoptFlows& ask, FlowKeeper& keeper, std::uint32_t next) {
  const std::size_t end = std::min<std::size_t>(ask.flows.size(), std::size_t{next} + Mailbox::kFlowsASlice);
  for (; next < end; ++next) {
    const KeptFlow& kept = ask.flows[next];
    if (kept.state == FlowState::kFree || kept.source.address.family != kept.destination.address.family) continue;
    const bool v4 = kept.source.address.family == Family::kIpv4;
    if (v4 ? AdoptOne<Ipv4FlowKey>(keeper, kept) : AdoptOne<Ipv6FlowKey>(keeper, kept)) ++ask.adopted;
  }
  keeper.LookAtAll();
  return end == ask.flows.size() ? kEnd : next;
}

std::uint32_t Do(MeetCarried& ask, FlowKeeper& keeper, std::uint32_t next) {
  const std::size_t end = std::min<std::size_t>(ask.flows.size(), std::size_t{next} + Mailbox::kFlowsASlice);
  for (; next < end; ++next) {
    CarriedFlow& carried = ask.flows[next];
    if (carried.source.address.family != carried.destination.address.family) continue;
    const bool v4 = carried.source.address.family == Family::kIpv4;
    v4 ? MeetOne<Ipv4FlowKey>(keeper, carried) : MeetOne<Ipv6FlowKey>(keeper, carried);
  }
  return end == ask.flows.size() ? kEnd : next;
}

// Calls visit(Key, number) for a slice of all entries, IPv4 first.
template <typename Visit>
std::uint32_t Slice(FlowKeeper& keeper, std::uint32_t next, Visit visit) {
  const std::uint32_t ipv4 = keeper.flows<Ipv4FlowKey>().used_limit();
  const std::uint32_t all = keeper.flow_limit();
  const std::uint32_t end = std::min(all, next + Mailbox::kFlowsASlice);
  for (; next < end; ++next) {
    if (next < ipv4) {
      visit(keeper.flows<Ipv4FlowKey>(), next);
    } else {
      visit(keeper.flows<Ipv6FlowKey>(), next - ipv4);
    }
  }
  return end == all ? kEnd : next;
}

std::uint32_t Do(ExportFlows& ask, FlowKeeper& keeper, std::uint32_t next) {
  return Slice(keeper, next, [&](const auto& flows, std::uint32_t flow) {
    FlowView view;
    if (!flows.View(flow, view) || IsIcmp(view.protocol)) return;
    if (ask.exported == ask.room.size()) {
      ++ask.left_out;
      return;
    }
    ask.room[ask.exported++] = {.source = view.source,
                                .destination = view.destination,
                                .protocol = view.protocol,
                                .state = view.state,
                                .replied = view.replied,
                                .guessed = view.guessed,
                                .idle_ms = keeper.now_ms() - view.last_seen_ms};
  });
}

template <typename Key>
void EndOne(EndFlows& ask, FlowKeeper& keeper, const FlowTable<Key>& flows, std::uint32_t flow) {
  const FlowEntry<Key>& entry = flows.entry(flow);
  if (!entry.live()) return;
  const IpAddress source = entry.source().address, destination = entry.destination().address;
  if ((Fits(ask.one, source) && Fits(ask.other, destination)) ||
      (Fits(ask.one, destination) && Fits(ask.other, source))) {
    keeper.End<Key>(flow, FlowEndCause::kAsked);
    ++ask.ended;
  }
}

std::uint32_t Do(EndFlows& ask, FlowKeeper& keeper, std::uint32_t next) {
  return Slice(keeper, next, [&](const auto& flows, std::uint32_t flow) { EndOne(ask, keeper, flows, flow); });
}

}  // namespace

bool Mailbox::Post(Letter& letter) {
  const std::uint32_t posted = posted_.load(std::memory_order_relaxed);
  if (posted - taken_.load(std::memory_order_acquire) == kLetters) return false;
  letters_[posted % kLetters] = &letter;
  posted_.store(posted + 1, std::memory_order_release);
  return true;
}

void Mailbox::Deliver(FlowKeeper& keeper) {
  const std::uint32_t taken = taken_.load(std::memory_order_relaxed);
  Letter& letter = *letters_[taken % kLetters];
  letter.next_ = std::visit([&](auto& ask) { return Do(ask, keeper, letter.next_); }, letter.ask_);
  if (letter.next_ != kEnd) return;
  taken_.store(taken + 1, std::memory_order_release);
  letter.done_.store(true, std::memory_order_release);  // from here on, the control thread owns the letter
}

}  // namespace sluice
