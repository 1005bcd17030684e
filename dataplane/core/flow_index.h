// Finds the number of a flow's entry by the flow's hash: cache-line buckets of tags, with two possible buckets a flow.
//
// A flow is in its primary bucket if that has room, else in its secondary bucket. The secondary bucket is probed
// only when the primary's overflow count says that some flow went there. If both are full, other flows move to
// their other bucket: only index slots move, never entries. A slot's bucket and tag alone give its other bucket,
// so moving it touches no entry. With 7/8 of all slots taken (the capacity), an insertion practically never fails.
//
// Used by one thread only. Allocates nothing: it uses memory that the caller gives it.
#ifndef SLUICE_DATAPLANE_CORE_FLOW_INDEX_H_
#define SLUICE_DATAPLANE_CORE_FLOW_INDEX_H_

#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "table/simd.h"

namespace sluice {

class FlowIndex {
 public:
  static constexpr std::uint32_t kSlots = 10;
  static constexpr std::uint32_t kNoFlow = 0xffffffff;

  struct alignas(64) Bucket {
    std::array<std::uint16_t, kSlots> tags;  // 0: free
    std::uint16_t secondary;                 // bit i: slot i is here because its primary bucket was full
    std::uint16_t overflow;                  // flows of this primary bucket that are in their secondary bucket
    std::array<std::uint32_t, kSlots> entries;
  };
  static_assert(sizeof(Bucket) == 64);

  static std::uint32_t BucketCount(std::uint32_t capacity) {
    return static_cast<std::uint32_t>((std::uint64_t{capacity} * 8 / 7 + kSlots) / kSlots) + 1;
  }

  // Where to look for a flow, computed from its hash.
  struct Place {
    std::uint32_t bucket;  // the primary one
    std::uint16_t tag;
  };
  Place PlaceOf(std::uint64_t hash) const {
    return {static_cast<std::uint32_t>((hash >> 32) * count_ >> 32), static_cast<std::uint16_t>(hash | 1)};
  }

  // `buckets`: BucketCount(capacity) of them, zeroed.
  explicit FlowIndex(std::span<Bucket> buckets)
      : buckets_(buckets.data()), count_(static_cast<std::uint32_t>(buckets.size())) {}

  void Prefetch(const Place& place) const { __builtin_prefetch(&buckets_[place.bucket], 0, 3); }

  // The slots of the primary bucket that have the tag, as FirstOf takes them. If there are
  // none (0), the flow can only be in its secondary bucket, and only if MayBeInSecondary.
  std::uint32_t MatchesInPrimary(const Place& place) const { return MatchTags(buckets_[place.bucket], place.tag); }
  std::uint32_t FirstOf(const Place& place, std::uint32_t matches) const {
    return buckets_[place.bucket].entries[static_cast<std::uint32_t>(std::countr_zero(matches)) / 2];
  }
  bool MayBeInSecondary(const Place& place) const { return buckets_[place.bucket].overflow != 0; }
  void PrefetchSecondary(const Place& place) const { __builtin_prefetch(&buckets_[Secondary(place)], 0, 3); }
  // The first entry whose tag fits in the secondary bucket, or kNoFlow.
  std::uint32_t SecondaryCandidate(const Place& place) const {
    return FindIn(buckets_[Secondary(place)], place.tag, [](std::uint32_t) { return true; });
  }

  // The entry with this place's tag for which `is_it(entry)` holds, or kNoFlow.
  template <typename IsIt>
  std::uint32_t Find(const Place& place, IsIt is_it) const {
    const std::uint32_t found = FindIn(buckets_[place.bucket], place.tag, is_it);
    if (found != kNoFlow || !MayBeInSecondary(place)) return found;
    return FindIn(buckets_[Secondary(place)], place.tag, is_it);
  }

  // Call it before Insert or Erase, once the primary bucket is fetched. It fetches the secondary bucket if needed.
  void PrefetchInsert(const Place& place) const {
    if (FreeSlot(buckets_[place.bucket]) == kSlots) PrefetchSecondary(place);
  }
  void PrefetchErase(const Place& place) const {
    if (MatchTags(buckets_[place.bucket], place.tag) == 0) PrefetchSecondary(place);
  }
  // Returns false, and changes nothing, if it cannot make room.
  bool Insert(const Place& place, std::uint32_t entry);
  // Requires that Insert(place, entry) was called.
  void Erase(const Place& place, std::uint32_t entry);

  // Bits 2i and 2i + 1 are set if slot i of the bucket has this tag. There are two forms with the same result.
  static std::uint32_t MatchTagsPortable(const Bucket& bucket, std::uint16_t tag) {
    std::uint32_t matches = 0;
    for (std::uint32_t i = 0; i < kSlots; ++i) matches |= (bucket.tags[i] == tag ? 3u : 0u) << 2 * i;
    return matches;
  }
  static std::uint32_t MatchTags(const Bucket& bucket, std::uint16_t tag) {
#if SLUICE_SIMD
    return simd::EqualOf16(&bucket, tag) & ((1u << 2 * kSlots) - 1);
#else
    return MatchTagsPortable(bucket, tag);
#endif
  }

 private:
  std::uint32_t Secondary(const Place& place) const { return Other(place.bucket, place.tag); }
  // This function is its own inverse: Other(Other(b, t), t) == b.
  std::uint32_t Other(std::uint32_t bucket, std::uint16_t tag) const {
    const auto sum = static_cast<std::uint32_t>(std::uint64_t{tag * 0x9e3779b1u} * count_ >> 32);
    return sum >= bucket ? sum - bucket : sum + count_ - bucket;
  }
  // Removes the first slot from `matches`, which MatchTags returned, and returns it. Requires that there is one.
  static std::uint32_t TakeFirst(std::uint32_t& matches) {
    const auto slot = static_cast<std::uint32_t>(std::countr_zero(matches)) / 2;
    matches &= ~(3u << 2 * slot);
    return slot;
  }
  template <typename IsIt>
  static std::uint32_t FindIn(const Bucket& bucket, std::uint16_t tag, IsIt is_it) {
    for (std::uint32_t matches = MatchTags(bucket, tag); matches != 0;) {
      const std::uint32_t entry = bucket.entries[TakeFirst(matches)];
      if (is_it(entry)) return entry;
    }
    return kNoFlow;
  }
  static std::uint32_t FreeSlot(const Bucket& bucket) {
    return static_cast<std::uint32_t>(std::countr_zero(MatchTags(bucket, 0) | 1u << 2 * kSlots)) / 2;
  }
  void Put(std::uint32_t bucket, std::uint32_t slot, std::uint16_t tag, std::uint32_t entry, bool secondary);
  bool MakeRoom(std::uint32_t primary, std::uint32_t secondary);
  void Move(std::uint32_t from, std::uint32_t slot);

  Bucket* buckets_;
  std::uint32_t count_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_FLOW_INDEX_H_
