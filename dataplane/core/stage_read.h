// Read: frames -> keys and packets, and the fates of packets that no flow decides.
//
// In: frames. Out: `Lane`s with the key and place of each packet that goes through the
// flow table, with its bucket being prefetched; `fates` of packets that are malformed
// or not filtered; misses for ICMP errors, which belong to another packet's flow.
//
// Most frames are plain TCP or UDP. Of those, only the fields that the flow lookup needs are read (plain.h);
// the rest of a packet is parsed only if its flow needs more. Fragments go another way: they are held, or
// release held ones. So a burst with fragments is gathered anew, in the order in which its packets may proceed.
//
// Each worker has one. Allocates only when it is made.
#ifndef SLUICE_DATAPLANE_CORE_STAGE_READ_H_
#define SLUICE_DATAPLANE_CORE_STAGE_READ_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/burst.h"
#include "core/flow_keeper.h"
#include "core/fragments.h"
#include "core/parse.h"
#include "core/pipeline_config.h"

namespace sluice {

class ReadStage {
 public:
  explicit ReadStage(const PipelineConfig& config);

  // Reads a burst without fragments. Returns false if it has fragments, or if all packets must
  // be parsed because there is no policy. Then nothing is read, and Gather must be used instead.
  bool ReadPlain(std::span<const Frame> frames, const FlowKeeper& keeper, bool tells, Burst& burst);

  // For a burst with fragments, or for fragments that waited too long. It comes in parts:
  //   for (BeginGathering(frames, keeper); Gather(keeper, tells, burst);) { all other stages }
  // Gather returns false when nothing is left.
  void BeginGathering(std::span<const Frame> frames, const FlowKeeper& keeper);
  bool Gather(const FlowKeeper& keeper, bool tells, Burst& burst);
  // The same for all held fragments, at the worker's end: they are dropped.
  void BeginClearing();

  // Whether any fragment waits.
  bool HoldsFragments() const { return fragments_.held_count() != 0; }
  // Every packet of the fragment's datagram then shares its fate.
  void MarkDropped(const Frame& frame, const ParsedPacket& packet) { fragments_.MarkDropped(frame, packet); }

 private:
  bool ReadOther(std::uint32_t index, const FlowKeeper& keeper, Burst& burst);
  void Sort(std::uint32_t index, const FlowKeeper& keeper, Burst& burst);

  const ParseConfig parse_;
  FragmentTable fragments_;
  std::array<ParsedPacket, kMaxBurst> parsed_;
  // While gathering: the given frames, and how many of them and of the fragments last released were taken.
  std::span<const Frame> given_;
  std::size_t next_given_ = 0;
  std::size_t next_released_ = 0;
  std::array<ParsedPacket, kMaxBurst> given_packets_;
  std::array<Frame, kMaxBurst> gathered_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_STAGE_READ_H_
