// The hooks' maps of carried flows, as the filter reads and writes them. One thread at a time, unless a function says
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
  // Opens the maps of the calling thread's network namespace. The error says what is missing.
  static std::variant<std::unique_ptr<CarriedMaps>, std::string> Open(const std::string& bpffs);
  ~CarriedMaps();
  CarriedMaps(const CarriedMaps&) = delete;
  CarriedMaps& operator=(const CarriedMaps&) = delete;

  // Sets whether the hooks note passages that they could carry.
  void SetOn(bool is_on);
  // Passages by which the filter let a packet pass since the last call. Valid until the next call.
  std::span<const sluice_passage> TakeNoted();

  // Sets the generation that last changed a mark's addresses. It applies to each packet that comes after the call.
  void SetMark(std::size_t mark, std::uint64_t generation);
  std::uint64_t mark(std::size_t mark) const { return marks_[mark]; }

  // Shared with the hooks: use std::atomic_ref to read what they write, and to write what they read.
  sluice_carried& place(std::uint32_t number) { return places_[number]; }

  std::vector<std::pair<sluice_passage, std::uint32_t>> List() const;
  // False: there is no room for it.
  bool Put(const sluice_passage& passage, std::uint32_t place) { return passages_.Put(passage, place); }
  // For a moment, a packet may still pass by it.
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

// CLOCK_MONOTONIC, the clock of the times at which hooks let packets pass.
std::uint64_t CarryClockNs();

// Returns how many flows are carried there. Nothing if the hooks are too old to carry any.
std::optional<std::size_t> CountCarriedFlows(const PinPath& pins);

}  // namespace sluice

#endif  // SLUICE_NODE_HOOK_CARRIED_MAPS_H_
