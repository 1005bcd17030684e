#include "core/flow_index.h"

namespace sluice {

void FlowIndex::Put(std::uint32_t bucket, std::uint32_t slot, std::uint16_t tag, std::uint32_t entry, bool secondary) {
  Bucket& target = buckets_[bucket];
  target.tags[slot] = tag;
  target.entries[slot] = entry;
  const auto bit = static_cast<std::uint16_t>(1u << slot);
  target.secondary = static_cast<std::uint16_t>(secondary ? target.secondary | bit : target.secondary & ~bit);
}

// Moves a slot to the other bucket that its flow may be in. Requires that this bucket has room.
void FlowIndex::Move(std::uint32_t from, std::uint32_t slot) {
  Bucket& source = buckets_[from];
  const std::uint16_t tag = source.tags[slot];
  const std::uint32_t to = Other(from, tag);
  const bool was_secondary = (source.secondary >> slot & 1) != 0;
  Put(to, FreeSlot(buckets_[to]), tag, source.entries[slot], !was_secondary);
  source.tags[slot] = 0;
  if (was_secondary) {
    --buckets_[to].overflow;
  } else {
    ++source.overflow;
  }
}

// Breadth first: finds the nearest bucket with room, then moves the slots on the way to it, the farthest first.
bool FlowIndex::MakeRoom(std::uint32_t primary, std::uint32_t secondary) {
  constexpr std::uint32_t kMaxVisited = 256;
  struct Visit {
    std::uint32_t bucket;
    std::uint32_t parent;  // in `visits`
    std::uint32_t slot;    // of the parent's bucket, which moves here
  };
  std::array<Visit, kMaxVisited> visits;
  std::uint32_t count = 0;
  visits[count++] = {primary, kNoFlow, 0};
  if (secondary != primary) visits[count++] = {secondary, kNoFlow, 0};
  for (const std::uint16_t tag : buckets_[primary].tags) __builtin_prefetch(&buckets_[Other(primary, tag)], 1, 3);
  for (std::uint32_t i = 0; i < count; ++i) {
    for (std::uint32_t slot = 0; slot < kSlots && count < kMaxVisited; ++slot) {
      const std::uint32_t other = Other(visits[i].bucket, buckets_[visits[i].bucket].tags[slot]);
      bool seen = false;
      for (std::uint32_t j = 0; j < count && !seen; ++j) seen = visits[j].bucket == other;
      if (seen) continue;
      visits[count++] = {other, i, slot};
      if (FreeSlot(buckets_[other]) == kSlots) continue;
      for (std::uint32_t step = count - 1; visits[step].parent != kNoFlow; step = visits[step].parent) {
        Move(visits[visits[step].parent].bucket, visits[step].slot);
      }
      return true;
    }
  }
  return false;
}

bool FlowIndex::Insert(const Place& place, std::uint32_t entry) {
  const auto [primary, tag] = place;
  const std::uint32_t secondary = Other(primary, tag);
  do {
    if (const std::uint32_t slot = FreeSlot(buckets_[primary]); slot < kSlots) {
      Put(primary, slot, tag, entry, false);
      return true;
    }
    if (const std::uint32_t slot = FreeSlot(buckets_[secondary]); slot < kSlots) {
      Put(secondary, slot, tag, entry, true);
      ++buckets_[primary].overflow;
      return true;
    }
  } while (MakeRoom(primary, secondary));
  return false;
}

void FlowIndex::Erase(const Place& place, std::uint32_t entry) {
  const auto [primary, tag] = place;
  for (const std::uint32_t number : {primary, Other(primary, tag)}) {
    Bucket& bucket = buckets_[number];
    for (std::uint32_t matches = MatchTags(bucket, tag); matches != 0;) {
      const std::uint32_t slot = TakeFirst(matches);
      if (bucket.entries[slot] != entry) continue;
      bucket.tags[slot] = 0;
      if ((bucket.secondary >> slot & 1) != 0) --buckets_[primary].overflow;
      return;
    }
  }
}

}  // namespace sluice
