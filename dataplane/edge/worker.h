// A worker receives, filters and transmits, on its own core. worker.cc follows the packet's walk from top to bottom.
//
// Who frees which mbuf: the pipeline says forward or drop, and keeps fragments that it holds; a frame is the device's
// once rte_eth_tx_burst took it, another worker's once its ring took it; all else is freed here, under one DropReason.
#ifndef SLUICE_DATAPLANE_EDGE_WORKER_H_
#define SLUICE_DATAPLANE_EDGE_WORKER_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/counters.h"
#include "core/pipeline.h"
#include "edge/clock.h"
#include "edge/frame_ring.h"
#include "edge/frame_wait.h"
#include "edge/port.h"
#include "edge/readers.h"
#include "edge/table_slot.h"

struct rte_mbuf;
struct rte_mempool;

namespace sluice {

enum class Phase : std::uint8_t {
  kRun,
  kDrain,  // nothing more is received; frames under way go out
  kStop,
};

// What the workers of one dataplane share. The control thread owns it, and it outlives the workers.
struct Workplace {
  std::uint32_t workers = 1;
  Idle idle = Idle::kPoll;
  ParseConfig parse;
  std::vector<const PortView*> ports;  // by index: 2 x wire + side
  rte_mempool* buffers = nullptr;
  Readers* readers = nullptr;
  TableSlot* tables = nullptr;
  std::uint64_t made_flag = 0;  // bit of an mbuf's ol_flags: the frame was made here, not received
  std::atomic<Phase> phase{Phase::kRun};
  // handover[to][from]: frames that `from` received and `to` owns.
  std::vector<std::vector<std::unique_ptr<FrameRing>>> handover;
};

struct PortTraffic {
  Counter received;
  Counter received_bytes;
  Counter sent;
  Counter sent_bytes;
  Counter forwarded_bytes;  // part of sent_bytes: without frames that were made here
  // Frames that came in by this port: how many the filter let pass, and how many of these
  // were lost on the way out; and how many were dropped before that, or by the filter.
  Counter passed;
  Counter lost;
  Counter dropped;
};

// Frames that the edge lost, of those that one worker filters. The pipeline counts its own drops.
using LostFrames = std::array<Counter, kDropReasonCount>;

// The worker writes them; any thread reads them.
struct WorkerCounters {
  std::vector<PortTraffic> ports;    // by index; what this worker itself received, judged and transmitted
  std::vector<LostFrames> lost;      // by the worker that filters them: one worker sends for all that share its port
  std::vector<Counter> handed_over;  // by worker: frames given to their owner
  Counter lost_bytes;                // bytes of all frames that this worker lost
  Counter lost_answers;              // made frames that no device took, or for which there was no buffer
  Counter unmade_answers;            // the part of lost_answers for which there was no buffer
  Counter busy_rounds;
  Counter rounds;
};

class Worker {
 public:
  // Requires EAL.
  Worker(std::uint32_t index, Workplace& place, std::unique_ptr<Pipeline> pipeline);
  ~Worker();

  // For the worker's thread: returns when the phase is kStop.
  void Run();

  // Any thread: tells the worker that there is something new besides frames (a letter, a table, a phase).
  void Wake() { wait_.Wake(); }

  // Any thread.
  const WorkerCounters& counters() const { return counters_; }
  // The filter's and the edge's counters together. `all` are the plane's workers, including this one: a
  // frame counts for the worker that filters it, no matter which worker received it or had to send it.
  Observation Observe(std::span<const std::unique_ptr<Worker>> all) const;
  Pipeline& pipeline() { return *pipeline_; }

 private:
  static constexpr std::uint32_t kBurst = kMaxBurst;

  struct Batch {
    std::array<rte_mbuf*, kBurst> frames;
    std::uint32_t count = 0;
  };

  std::uint32_t ReceiveFromPorts();
  std::uint32_t ReceiveFrom(std::uint32_t port, std::uint16_t queue);
  void HandToOwners(std::uint32_t port, std::uint32_t count);
  std::uint32_t TakeHandedOver();
  void Filter(rte_mbuf** frames, std::uint32_t count);
  void Housekeep();
  void CatchUp();
  void ReleaseAnswers();
  void Finish();
  void Emit();
  void Queue(std::uint32_t port, rte_mbuf* frame);
  void SendMade(MadeFrame& made);
  void Flush(std::uint32_t port);
  // Bytes of frames: of all frames, and of frames that were received, not made here.
  struct Size {
    std::uint64_t all = 0;
    std::uint64_t received = 0;
  };
  Size SizeOf(rte_mbuf* const* frames, std::uint32_t count) const;
  void Transmit(std::uint32_t port, rte_mbuf** frames, std::uint32_t count, Size size, std::uint32_t filterer);
  std::uint32_t TransmitForOthers();
  void Drop(rte_mbuf** frames, std::uint32_t count, std::uint32_t port, DropReason reason, std::uint32_t filterer);
  void CountByPort(const std::vector<Frame>& frames, Counter PortTraffic::*counter);
  void Rest(bool found_work);
  bool WaitForFrames();

  const std::uint32_t index_;
  Workplace& place_;
  TscClock clock_;
  std::unique_ptr<Pipeline> pipeline_;
  PipelineOutput output_;
  std::array<Frame, kBurst> frames_;  // of the burst; a member, since making arrays of frames is costly
  const Table* table_ = nullptr;      // valid until the round's end
  std::uint64_t now_ns_ = 0;
  std::uint64_t housekeeping_ns_ = 0;  // when it is due next
  std::uint64_t busy_rounds_ = 0;      // since the last round that brought few frames
  std::uint32_t catch_up_credit_ = 0;  // flows that may be looked at if the load never ends
  std::uint32_t idle_rounds_ = 0;
  std::uint64_t busy_ns_ = 0;  // when it last found a frame
  FrameWait wait_;
  std::vector<Batch> to_port_;    // by port: frames to transmit
  std::vector<Batch> to_worker_;  // by worker: frames to hand over
  WorkerCounters counters_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_WORKER_H_
