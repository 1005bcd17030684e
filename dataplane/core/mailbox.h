// Letters from the control thread to one worker: work on flows for the thread that owns these flows.
//
// The control thread posts a letter and keeps it until it is done. The worker looks once a round, which costs one
// load if there is no letter, and does a slice of the oldest letter. For this it never allocates, frees or waits.
#ifndef SLUICE_DATAPLANE_CORE_MAILBOX_H_
#define SLUICE_DATAPLANE_CORE_MAILBOX_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "core/flow_keeper.h"
#include "core/flow_table.h"

namespace sluice {

// A flow that outlives its worker: it is moved to another worker, or kept over a
// restart. There are none for ICMP, since the next ICMP query opens its flow anew.
struct KeptFlow {
  FlowEnd source;  // the originator
  FlowEnd destination;
  std::uint8_t protocol = 0;
  FlowState state = FlowState::kFree;
  bool replied = false;
  bool guessed = false;
  std::uint32_t idle_ms = 0;
};

// Fills `room` with the worker's flows. Flows that come or go meanwhile may or may not be in it.
struct ExportFlows {
  std::span<KeptFlow> room;
  std::size_t exported = 0;
  std::size_t left_out = 0;  // for lack of room
};

// Makes flows of these. The table in force judges each flow before its next packet passes. Flows that the
// worker already knows stay as they are. Flows whose time-out has passed, or that find no room, are left out.
struct AdoptFlows {
  std::span<const KeptFlow> flows;
  std::size_t adopted = 0;
};

// Ends the flows between these two addresses, whichever end opened
// them. An unspecified address stands for any address of its family.
struct EndFlows {
  IpAddress one;
  IpAddress other;
  std::size_t ended = 0;
};

// One direction of a flow whose packets may pass without the worker: which packets passed, and whether more may pass.
struct CarriedFlow {
  FlowEnd source;  // of the packets
  FlowEnd destination;
  std::uint8_t protocol = 0;
  // What passed since the last report, and how long ago the last of these packets passed.
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint32_t idle_ms = 0;

  // The worker's answer. True if both ends took part in the flow,
  // nothing began to end it, and the table of `generation` lets it pass.
  bool may_be_carried = false;
  bool is_reply = false;  // the end that did not open the flow sends these packets
  bool is_guessed = false;
  std::uint64_t generation = 0;
  std::uint32_t timeout_ms = 0;
};

// Counts the packets that passed, judges flows that the table in force has not judged yet, and answers.
struct MeetCarried {
  std::span<CarriedFlow> flows;
};

class Letter {
 public:
  using Ask = std::variant<ExportFlows, AdoptFlows, EndFlows, MeetCarried>;

  explicit Letter(const Ask& ask) : ask_(ask) {}
  Letter(const Letter&) = delete;
  Letter& operator=(const Letter&) = delete;

  bool IsDone() const { return done_.load(std::memory_order_acquire); }
  // Requires IsDone.
  template <typename Asked>
  const Asked& Answer() const {
    return std::get<Asked>(ask_);
  }

 private:
  friend class Mailbox;

  Ask ask_;
  std::uint32_t next_ = 0;  // the worker's progress; only the worker uses it
  std::atomic<bool> done_ = false;
};

class Mailbox {
 public:
  static constexpr std::uint32_t kLetters = 16;
  static constexpr std::uint32_t kFlowsASlice = 256;

  // For one control thread at a time. The letter must live until it IsDone. Returns false if kLetters wait already.
  bool Post(Letter& letter);

  // For the worker's thread.
  bool HasMail() const { return posted_.load(std::memory_order_acquire) != taken_.load(std::memory_order_relaxed); }
  // Does a slice of the oldest letter. Requires HasMail, and that the keeper has begun this round.
  void Deliver(FlowKeeper& keeper);

 private:
  std::array<Letter*, kLetters> letters_{};
  std::atomic<std::uint32_t> posted_ = 0;  // letters ever posted; written by the control thread
  std::atomic<std::uint32_t> taken_ = 0;   // letters ever done; written by the worker
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_MAILBOX_H_
