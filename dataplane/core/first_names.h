// Rules by name that flows began with, for flows that another rule lets pass by now. A flow itself has only that rule.
//
// One of these per worker and address family. Bounded: if there is no room, a flow is treated as if it had begun with
// the rule that it has now. Runs on the worker's thread. Allocates only when it is made.
#ifndef SLUICE_DATAPLANE_CORE_FIRST_NAMES_H_
#define SLUICE_DATAPLANE_CORE_FIRST_NAMES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "table/table.h"

namespace sluice {

class FirstNames {
 public:
  static constexpr std::size_t kMost = 6144;

  // A rule's id has a meaning only in its own epoch, so it comes with a generation of that epoch, in 64 bits.
  struct Source {
    RuleId rule = kNoRule;
    std::uint64_t generation = 0;
  };

  FirstNames() : slots_(kSlots) {}

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  // kNoRule: nothing is known of the flow.
  Source Find(std::uint32_t flow) const {
    const Slot& slot = slots_[PlaceOf(flow)];
    return {slot.rule, slot.generation};
  }
  // Does nothing if the flow has a source already: the older source stays.
  void Put(std::uint32_t flow, const Source& source) {
    Slot& slot = slots_[PlaceOf(flow)];
    if (slot.rule != kNoRule || size_ == kMost) return;
    slot = {source.generation, flow, source.rule};
    ++size_;
  }
  void Erase(std::uint32_t flow) {
    std::size_t free = PlaceOf(flow);
    if (slots_[free].rule == kNoRule) return;
    --size_;
    // Moves up each following slot, up to the first gap, that would not be found any more.
    for (std::size_t next = After(free); slots_[next].rule != kNoRule; next = After(next)) {
      const std::size_t home = HomeOf(slots_[next].flow);
      if (((next - home) & (kSlots - 1)) < ((next - free) & (kSlots - 1))) continue;
      slots_[free] = slots_[next];
      free = next;
    }
    slots_[free] = {};
  }
  void Clear() {
    slots_.assign(kSlots, {});
    size_ = 0;
  }

 private:
  static constexpr std::size_t kSlots = 8192;
  struct Slot {
    std::uint64_t generation = 0;
    std::uint32_t flow = 0;
    RuleId rule = kNoRule;  // kNoRule: the slot is free
  };

  static std::size_t HomeOf(std::uint32_t flow) { return flow * 0x9e3779b1u >> 19; }
  static_assert(kSlots == std::size_t{1} << (32 - 19));
  static std::size_t After(std::size_t place) { return (place + 1) & (kSlots - 1); }
  // The flow's slot, or the free slot where the flow would be put.
  std::size_t PlaceOf(std::uint32_t flow) const {
    std::size_t place = HomeOf(flow);
    while (slots_[place].rule != kNoRule && slots_[place].flow != flow) place = After(place);
    return place;
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_FIRST_NAMES_H_
