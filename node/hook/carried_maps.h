// The hooks' maps of carried flows, as the filter reads and writes them. One thread at a time, but for what says
// otherwise.
#ifndef SLUICE_NODE_HOOK_CARRIED_MAPS_H_
#define SLUICE_NODE_HOOK_CARRIED_MAPS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "hook/layout.h"
#include "hook/pinned_map.h"
#include "hook/pins.h"

namespace sluice {

class CarriedMaps {
 public:
  // Of the calling thread's network namespace. The error says what is missing.
  static std::variant<std::unique_ptr<CarriedMaps>, std::string> Open(const std::string& bpffs);
  ~CarriedMaps();
  CarriedMaps(const CarriedMaps&) = delete;
  CarriedMaps& operator=(const CarriedMaps&) = delete;

  // Whether the hooks note what they could carry.
  void SetOn(bool is_on);
  // Passages that a packet was let pass of since the last call. Good until the next one.
  std::span<const sluice_passage> TakeNoted();

  // The generation that changed a mark's addresses last. In force for each packet that comes after the call.
  void SetMark(std::size_t mark, std::uint64_t generation);
  std::uint64_t mark(std::size_t mark) const { return marks_[mark]; }

  // Shared with the hooks: what they write is read by std::atomic_ref, what they read is written by it.
  sluice_carried& place(std::uint32_t number) { return places_[number]; }

  std::vector<std::pair<sluice_passage, std::uint32_t>> List() const;
  // False: there is no room for it.
  bool Put(const sluice_passage& passage, std::uint32_t place) { return passages_.Put(passage, place); }
  // A packet may still be under way by it for a moment.
  void Erase(const sluice_passage& passage) { passages_.Erase(passage); }

 private:
  explicit CarriedMaps(const PinPath& pins);

  PinnedMap passages_;
  PinnedMap noted_;
  std::vector<sluice_passage> taken_;
  std::vector<std::uint8_t> taken_values_;
  sluice_carried* places_ = nullptr;
  std::uint64_t* marks_ = nullptr;
  sluice_carrying* carrying_ = nullptr;
};

// CLOCK_MONOTONIC, by which the hooks tell when a packet passed.
std::uint64_t CarryClockNs();

// How many flows are carried there; nothing where hooks are too old to carry any.
std::optional<std::size_t> CountCarriedFlows(const PinPath& pins);

}  // namespace sluice

#endif  // SLUICE_NODE_HOOK_CARRIED_MAPS_H_
