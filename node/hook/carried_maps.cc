#include "hook/carried_maps.h"

#include <sys/mman.h>

#include <atomic>
#include <ctime>

namespace sluice {
namespace {

constexpr std::size_t kPlaceBytes = SLUICE_PLACES * sizeof(sluice_carried);
constexpr std::size_t kMarkBytes = SLUICE_MARKS * sizeof(std::uint64_t);
constexpr std::size_t kCarryingBytes = 4096;  // a page
static_assert(sizeof(sluice_carried) == 128);
static_assert(sizeof(sluice_passage) == 44);

}  // namespace

CarriedMaps::CarriedMaps(const PinPath& pins)
    : passages_(pins.folder + "/passages"),
      noted_(pins.folder + "/noted"),
      taken_(SLUICE_NOTED),
      taken_values_(SLUICE_NOTED) {
  places_ = static_cast<sluice_carried*>(PinnedMap(pins.folder + "/carried").Share(kPlaceBytes));
  marks_ = static_cast<std::uint64_t*>(PinnedMap(pins.folder + "/marks").Share(kMarkBytes));
  carrying_ = static_cast<sluice_carrying*>(PinnedMap(pins.folder + "/carrying").Share(kCarryingBytes));
}

CarriedMaps::~CarriedMaps() {
  if (places_ != nullptr) munmap(places_, kPlaceBytes);
  if (marks_ != nullptr) munmap(marks_, kMarkBytes);
  if (carrying_ != nullptr) munmap(carrying_, kCarryingBytes);
}

std::variant<std::unique_ptr<CarriedMaps>, std::string> CarriedMaps::Open(const std::string& bpffs) {
  const auto pins = FindPinPath(bpffs);
  if (const auto* error = std::get_if<std::string>(&pins)) return *error;
  const PinPath& path = std::get<PinPath>(pins);
  std::unique_ptr<CarriedMaps> maps(new CarriedMaps(path));
  if (!maps->passages_.is_there() || !maps->noted_.is_there()) {
    return path.folder +
           ": the hooks there are too old to carry flows; start a `sluice-node run` of this version, then sluiced "
           "again";
  }
  if (maps->places_ == nullptr || maps->marks_ == nullptr || maps->carrying_ == nullptr) {
    return path.folder + ": the hooks' maps cannot be shared; CAP_BPF is needed";
  }
  return maps;
}

void CarriedMaps::SetOn(bool is_on) {
  std::atomic_ref<__u64>(carrying_->is_on).store(is_on ? 1 : 0, std::memory_order_seq_cst);
}

std::span<const sluice_passage> CarriedMaps::TakeNoted() {
  return std::span(taken_).first(noted_.Take(taken_.data(), taken_values_.data(), SLUICE_NOTED));
}

void CarriedMaps::SetMark(std::size_t mark, std::uint64_t generation) {
  std::atomic_ref<std::uint64_t>(marks_[mark]).store(generation, std::memory_order_seq_cst);
}

std::vector<std::pair<sluice_passage, std::uint32_t>> CarriedMaps::List() const {
  std::vector<std::pair<sluice_passage, std::uint32_t>> all;
  sluice_passage passage{};
  for (sluice_passage* at = nullptr; passages_.Next(at, passage) && all.size() < SLUICE_PLACES; at = &passage) {
    std::uint32_t place = 0;
    if (passages_.Find(passage, place) && place != 0 && place < SLUICE_PLACES) all.emplace_back(passage, place);
  }
  return all;
}

std::uint64_t CarryClockNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

std::optional<std::size_t> CountCarriedFlows(const PinPath& pins) {
  const PinnedMap passages(pins.folder + "/passages");
  const PinnedMap places(pins.folder + "/carried");
  if (!passages.is_there() || !places.is_there()) return std::nullopt;
  std::size_t flows = 0, seen = 0;  // the walk may start again if a key is removed meanwhile
  sluice_passage passage{};
  for (sluice_passage* at = nullptr; passages.Next(at, passage) && seen < SLUICE_PLACES; at = &passage, ++seen) {
    std::uint32_t number = 0;
    sluice_carried place{};
    if (!passages.Find(passage, number) || !places.Find(number, place) || place.judged == 0) continue;
    if (place.is_reply == 0 || place.other == 0) ++flows;
  }
  return flows;
}

}  // namespace sluice
