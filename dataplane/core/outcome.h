// What became of packets: the work that a call of the pipeline leaves to its caller, and what tools ask of each packet.
#ifndef SLUICE_DATAPLANE_CORE_OUTCOME_H_
#define SLUICE_DATAPLANE_CORE_OUTCOME_H_

#include <cstdint>
#include <vector>

#include "core/made_frame.h"
#include "core/packet.h"
#include "sluice/drop_reason.h"
#include "sluice/policy_terms.h"
#include "table/table.h"

namespace sluice {

enum class PacketState : std::uint8_t { kNone, kNew, kEstablished, kReply, kRelated };

// What a tool wants to know about one packet. Filled only if somebody asks for it.
struct Outcome {
  void* handle = nullptr;
  Verdict verdict = Verdict::kForward;
  DropReason reason = DropReason::kNone;
  PacketState state = PacketState::kNone;
  bool decided = false;  // policy was asked; egress and ingress have its answers
  Exemption exemption = Exemption::kNone;
  Decision egress;
  Decision ingress;
  // As in Classification: for a side that is denied, the sections that bind it.
  IdSetId egress_sections = kEmptyIdSet;
  IdSetId ingress_sections = kEmptyIdSet;
};

// The work with buffers that a call left to the caller. The owner clears it between
// calls. Held fragments appear in none of the lists until a later call releases them.
struct PipelineOutput {
  std::vector<Frame> forward;                // transmit on their out_port, in this order
  std::vector<Frame> drop;                   // free
  std::vector<MadeFrame> made;               // copy and transmit on their out_port
  std::vector<Outcome>* outcomes = nullptr;  // if set: one for each packet, once its fate is known

  void Clear() {
    forward.clear();
    drop.clear();
    made.clear();
    if (outcomes != nullptr) outcomes->clear();
  }
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_OUTCOME_H_
