// From the control thread to one worker: what is to be done with its flows by the thread that owns them.
//
// The control thread posts a letter and keeps it until it is done. The worker looks once a round, which costs a load
// where nothing came, and does a slice of the oldest letter. It neither allocates nor frees for it, and never waits.
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

// A flow as it outlives its worker: moved to another one, or kept over a restart. Not of ICMP, whose next query opens
// its flow anew.
struct KeptFlow {
  FlowEnd source;  // the originator
  FlowEnd destination;
  std::uint8_t protocol = 0;
  FlowState state = FlowState::kFree;
  bool replied = false;
  bool guessed = false;
  std::uint32_t idle_ms = 0;
};

// Fills `room` with the worker's flows. Those that come or go meanwhile are in it or not.
struct ExportFlows {
  std::span<KeptFlow> room;
  std::size_t exported = 0;
  std::size_t left_out = 0;  // there was no room
};

// Makes flows of these. The table in force judges each before its next packet passes. What the worker knows already
// stays as it is; what is over by its time-out, or has no room, is left out.
struct AdoptFlows {
  std::span<const KeptFlow> flows;
  std::size_t adopted = 0;
};

// Ends the flows between these two addresses, whichever opened them. An unspecified address stands for any of its
// family.
struct EndFlows {
  IpAddress one;
  IpAddress other;
  std::size_t ended = 0;
};

// One direction of a flow whose packets may pass without the worker: what did, and whether they may go on so.
struct CarriedFlow {
  FlowEnd source;  // of the packets
  FlowEnd destination;
  std::uint8_t protocol = 0;
  // That passed since this was last said, and how long ago the last one did.
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint32_t idle_ms = 0;

  // The worker's answer. Both ends took part in the flow, nothing began to end it, and the table of `generation` lets
  // it pass.
  bool may_be_carried = false;
  bool is_reply = false;  // the packets are not those of the end that opened it
  bool is_guessed = false;
  std::uint64_t generation = 0;
  std::uint32_t timeout_ms = 0;
};

// Counts what passed, judges flows that the table in force has not judged yet, and answers.
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
  std::uint32_t next_ = 0;  // the worker's: how far it is
  std::atomic<bool> done_ = false;
};

class Mailbox {
 public:
  static constexpr std::uint32_t kLetters = 16;
  static constexpr std::uint32_t kFlowsASlice = 256;

  // One control thread at a time. The letter must live until it IsDone. False where kLetters wait already.
  bool Post(Letter& letter);

  // The worker.
  bool HasMail() const { return posted_.load(std::memory_order_acquire) != taken_.load(std::memory_order_relaxed); }
  // Does a slice of the oldest letter. Requires HasMail, and that the keeper has begun this round.
  void Deliver(FlowKeeper& keeper);

 private:
  std::array<Letter*, kLetters> letters_{};
  std::atomic<std::uint32_t> posted_ = 0;  // letters ever posted; the control thread's
  std::atomic<std::uint32_t> taken_ = 0;   // letters ever done; the worker's
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_MAILBOX_H_
