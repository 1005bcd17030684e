#include "core/fragments.h"

#include <algorithm>
#include <bit>

namespace sluice {
namespace {

// Flags of the first fragment that hold for the whole datagram.
constexpr std::uint16_t kTaughtFlags = ParsedPacket::kHasPorts | ParsedPacket::kReplyType;

std::uint8_t KeyProtocol(const ParsedPacket& packet) {
  return packet.family == Family::kIpv4 ? packet.protocol : std::uint8_t{0};
}

std::uint64_t Mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 32);
}

// Gives the same hash for all fragments of a datagram.
std::uint32_t FragmentHash(const ParsedPacket& packet, std::uint64_t seed) {
  std::uint64_t hash = Mix(seed, packet.source_hi);
  hash = Mix(hash, packet.source_lo);
  hash = Mix(hash, packet.destination_hi);
  hash = Mix(hash, packet.destination_lo);
  hash = Mix(hash, std::uint64_t{packet.fragment_id} << 16 | std::uint64_t{KeyProtocol(packet)} << 8 |
                       static_cast<std::uint8_t>(packet.family));
  return static_cast<std::uint32_t>(hash);
}

}  // namespace

FragmentTable::FragmentTable(const FragmentLimits& limits, std::uint64_t hash_seed)
    : limits_(limits),
      seed_(hash_seed),
      trains_(std::max(limits.trains, 1u)),
      index_(std::bit_ceil(trains_.size() * 2), kNone),
      index_mask_(static_cast<std::uint32_t>(index_.size() - 1)),
      held_(limits.held) {
  released_.reserve(limits.held);
  for (std::uint32_t i = static_cast<std::uint32_t>(trains_.size()); i-- > 0;) {
    trains_[i].newer = free_train_;
    free_train_ = i;
  }
  for (std::uint32_t i = limits.held; i-- > 0;) {
    held_[i].next = free_held_;
    free_held_ = i;
  }
}

FragmentFate FragmentTable::Admit(const Frame& frame, ParsedPacket& packet, std::uint64_t now_ns) {
  released_.clear();
  EndExpired(now_ns);
  const auto drop = [&packet](DropReason reason) {
    packet.reason = reason;
    return FragmentFate::kDrop;
  };
  const bool first = packet.Is(ParsedPacket::kFirstFragment);
  const std::uint32_t hash = FragmentHash(packet, seed_);
  std::uint32_t id = Find(hash, frame.port, packet);
  const bool must_wait = !first && (id == kNone || (!trains_[id].has_first && trains_[id].poison == DropReason::kNone));
  if (must_wait && (free_held_ == kNone || (id != kNone && trains_[id].held_count >= limits_.held_each))) {
    return drop(DropReason::kFragmentLimit);
  }
  if (id == kNone) id = Create(hash, frame.port, packet, now_ns);
  Train& train = trains_[id];
  if (train.poison != DropReason::kNone && train.poison != DropReason::kFragmentDenied) return drop(train.poison);

  const DropReason reason = AddRange(train, packet);
  if (reason == DropReason::kFragmentLimit) return drop(reason);
  if (reason != DropReason::kNone) {
    train.poison = reason;
    Release(train, reason);
    return drop(reason);
  }
  if (must_wait) {
    Hold(train, frame, packet);
    return FragmentFate::kHeld;
  }
  if (train.poison != DropReason::kNone) {
    if (IsComplete(train)) Remove(id, DropReason::kNone);
    return drop(DropReason::kFragmentDenied);
  }
  if (first) {
    Learn(train, packet);
    Release(train, DropReason::kNone);
  } else {
    Attach(train, packet);
  }
  if (IsComplete(train)) Remove(id, DropReason::kNone);
  return FragmentFate::kProceed;
}

void FragmentTable::Expire(std::uint64_t now_ns) {
  released_.clear();
  EndExpired(now_ns);
}

void FragmentTable::EndExpired(std::uint64_t now_ns) {
  while (oldest_ != kNone && trains_[oldest_].deadline_ns <= now_ns) Remove(oldest_, DropReason::kFragmentOrphan);
}

void FragmentTable::Clear() {
  released_.clear();
  while (oldest_ != kNone) Remove(oldest_, DropReason::kFragmentOrphan);
}

void FragmentTable::MarkDropped(const Frame& frame, const ParsedPacket& packet) {
  const std::uint32_t id = Find(FragmentHash(packet, seed_), frame.port, packet);
  if (id != kNone && trains_[id].poison == DropReason::kNone) trains_[id].poison = DropReason::kFragmentDenied;
}

std::uint32_t FragmentTable::Find(std::uint32_t hash, std::uint16_t port, const ParsedPacket& packet) const {
  for (std::uint32_t slot = hash & index_mask_; index_[slot] != kNone; slot = (slot + 1) & index_mask_) {
    const Train& train = trains_[index_[slot]];
    if (train.hash == hash && train.id == packet.fragment_id && train.source_lo == packet.source_lo &&
        train.source_hi == packet.source_hi && train.destination_lo == packet.destination_lo &&
        train.destination_hi == packet.destination_hi && train.port == port && train.family == packet.family &&
        train.key_protocol == KeyProtocol(packet)) {
      return index_[slot];
    }
  }
  return kNone;
}

std::uint32_t FragmentTable::Create(std::uint32_t hash, std::uint16_t port, const ParsedPacket& packet,
                                    std::uint64_t now_ns) {
  if (free_train_ == kNone) Remove(oldest_, DropReason::kFragmentLimit);
  const std::uint32_t id = free_train_;
  free_train_ = trains_[id].newer;
  trains_[id] = Train{.source_hi = packet.source_hi,
                      .source_lo = packet.source_lo,
                      .destination_hi = packet.destination_hi,
                      .destination_lo = packet.destination_lo,
                      .deadline_ns = now_ns + limits_.timeout_ns,
                      .id = packet.fragment_id,
                      .hash = hash,
                      .older = newest_,
                      .port = port,
                      .family = packet.family,
                      .key_protocol = KeyProtocol(packet)};
  (newest_ == kNone ? oldest_ : trains_[newest_].newer) = id;
  newest_ = id;
  ++train_count_;
  std::uint32_t slot = hash & index_mask_;
  while (index_[slot] != kNone) slot = (slot + 1) & index_mask_;
  index_[slot] = id;
  return id;
}

void FragmentTable::Remove(std::uint32_t id, DropReason reason_for_held) {
  Train& train = trains_[id];
  Release(train, reason_for_held);
  RemoveFromIndex(id);
  (train.older == kNone ? oldest_ : trains_[train.older].newer) = train.newer;
  (train.newer == kNone ? newest_ : trains_[train.newer].older) = train.older;
  train.newer = free_train_;
  free_train_ = id;
  --train_count_;
}

void FragmentTable::RemoveFromIndex(std::uint32_t id) {
  std::uint32_t hole = trains_[id].hash & index_mask_;
  while (index_[hole] != id) hole = (hole + 1) & index_mask_;
  // Moves up each train that would be probed for across the hole, so that no probe ends too early.
  for (std::uint32_t slot = (hole + 1) & index_mask_; index_[slot] != kNone; slot = (slot + 1) & index_mask_) {
    const std::uint32_t home = trains_[index_[slot]].hash & index_mask_;
    if (((slot - home) & index_mask_) < ((slot - hole) & index_mask_)) continue;
    index_[hole] = index_[slot];
    hole = slot;
  }
  index_[hole] = kNone;
}

DropReason FragmentTable::AddRange(Train& train, const ParsedPacket& packet) {
  const auto begin = packet.fragment_offset;
  const auto end = static_cast<std::uint16_t>(begin + packet.fragment_length);  // at most 65535: Parse checked it
  Range* const ranges = train.ranges;
  Range* const ranges_end = ranges + train.range_count;
  if (!packet.Is(ParsedPacket::kMoreFragments)) {
    const bool more_seen = train.range_count != 0 && ranges_end[-1].end > end;
    if ((train.total != 0 && train.total != end) || more_seen) return DropReason::kFragmentBadLength;
  } else if (train.total != 0 && end > train.total) {
    return DropReason::kFragmentBadLength;
  }
  Range* const next = std::find_if(ranges, ranges_end, [begin](const Range& range) { return range.end > begin; });
  if (next != ranges_end && next->begin < end) return DropReason::kFragmentOverlap;
  const bool joins_previous = next != ranges && next[-1].end == begin;
  const bool joins_next = next != ranges_end && next->begin == end;
  if (!joins_previous && !joins_next) {
    if (train.range_count == kMaxRanges) return DropReason::kFragmentLimit;
    std::copy_backward(next, ranges_end, ranges_end + 1);
    *next = {begin, end};
    ++train.range_count;
  } else if (joins_previous && joins_next) {
    next[-1].end = next->end;
    std::copy(next + 1, ranges_end, next);
    --train.range_count;
  } else if (joins_previous) {
    next[-1].end = end;
  } else {
    next->begin = begin;
  }
  if (!packet.Is(ParsedPacket::kMoreFragments)) train.total = end;
  return DropReason::kNone;
}

bool FragmentTable::IsComplete(const Train& train) {
  return train.total != 0 && train.range_count == 1 && train.ranges[0].begin == 0 && train.ranges[0].end == train.total;
}

void FragmentTable::Learn(Train& train, const ParsedPacket& first) {
  train.has_first = true;
  train.protocol = first.protocol;
  train.source_port = first.source_port;
  train.destination_port = first.destination_port;
  train.icmp_type = first.icmp_type;
  train.icmp_code = first.icmp_code;
  train.flags = first.flags & kTaughtFlags;
}

void FragmentTable::Attach(const Train& train, ParsedPacket& packet) {
  packet.protocol = train.protocol;
  packet.source_port = train.source_port;
  packet.destination_port = train.destination_port;
  packet.icmp_type = train.icmp_type;
  packet.icmp_code = train.icmp_code;
  packet.flags |= train.flags;
}

void FragmentTable::Hold(Train& train, const Frame& frame, const ParsedPacket& packet) {
  const std::uint32_t id = free_held_;
  free_held_ = held_[id].next;
  held_[id] = {frame, packet, kNone};
  (train.held_last == kNone ? train.held_first : held_[train.held_last].next) = id;
  train.held_last = id;
  ++train.held_count;
  ++held_count_;
}

// Moves the fragments that `train` holds to released_: they proceed, or are dropped for `reason`.
void FragmentTable::Release(Train& train, DropReason reason) {
  for (std::uint32_t id = train.held_first; id != kNone;) {
    HeldFragment& held = held_[id];
    held.packet.reason = reason;
    if (reason == DropReason::kNone) Attach(train, held.packet);
    released_.push_back({held.frame, held.packet});
    const std::uint32_t next = held.next;
    held.next = free_held_;
    free_held_ = id;
    id = next;
    --held_count_;
  }
  train.held_first = train.held_last = kNone;
  train.held_count = 0;
}

}  // namespace sluice
