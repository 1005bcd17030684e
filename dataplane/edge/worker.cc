#include "edge/worker.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>
#include <span>
#include <utility>

#include "core/parse.h"
#include "edge/owner.h"

namespace sluice {
namespace {

// Slices are so short that a receive queue outlasts them: all flows in half a second, but a million in a second.
constexpr std::uint64_t kHousekeepingPeriodNs = 250'000;
constexpr std::uint32_t kHousekeepingSlices = 2000;
constexpr std::uint32_t kHousekeepingFlowsLeast = 8;
constexpr std::uint32_t kHousekeepingFlows = 256;
// After a swap, a worker looks at all flows: at a slice in each round that brought few frames. A queue that fills up
// must drain first. But if this many rounds did not drain it, it will not drain: then slices are large, so that
// packets find most flows already looked at. In all, these are no more flows than frames came, with some in advance.
constexpr std::uint32_t kFewFrames = kMaxBurst / 4;
constexpr std::uint32_t kCatchUpFlows = 64;
constexpr std::uint32_t kRoundsToSaturation = 1024;
constexpr std::uint32_t kCatchUpFlowsSaturated = 1024;
constexpr std::uint32_t kCatchUpInAdvance = 1u << 16;
constexpr std::uint32_t kRoundsBeforeSleep = 256;
constexpr timespec kNap{0, 20'000};
// After this long without a frame, the worker waits until a socket tells of one. For frames
// that come one after the other, a nap is quicker. Work besides packets waits as long.
constexpr std::uint64_t kPauseNs = 2'000'000;
constexpr std::chrono::milliseconds kWait{10};
// After this long, the worker takes longer naps if no socket tells of frames. The first frame then waits that long.
constexpr std::uint64_t kSilenceNs = 1'000'000'000;
constexpr timespec kLongNap{0, 1'000'000};
// The slices of housekeeping that are due after one wait.
constexpr std::uint64_t kSlicesAtOnce = std::chrono::nanoseconds(kWait).count() / kHousekeepingPeriodNs;

// Headers are read from contiguous bytes. A frame in several segments is joined if one buffer can hold it. If
// not, its first segment must have the headers, or parse finds the frame truncated. Prefetches the headers.
Frame FrameOf(rte_mbuf* mbuf, std::uint32_t port, std::uint32_t out_port) {
  if (mbuf->nb_segs > 1) [[unlikely]]
    rte_pktmbuf_linearize(mbuf);
  auto* const data = rte_pktmbuf_mtod(mbuf, std::uint8_t*);
  __builtin_prefetch(data);
  return {.data = data,
          .length = mbuf->data_len,
          .frame_length = mbuf->pkt_len,
          .handle = mbuf,
          .port = static_cast<std::uint16_t>(port),
          .out_port = static_cast<std::uint16_t>(out_port),
          .bad_ip_checksum = (mbuf->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_BAD};
}

rte_mbuf* MbufOf(const Frame& frame) { return static_cast<rte_mbuf*>(frame.handle); }

}  // namespace

Worker::Worker(std::uint32_t index, Workplace& place, std::unique_ptr<Pipeline> pipeline)
    : index_(index),
      place_(place),
      pipeline_(std::move(pipeline)),
      to_port_(place.ports.size()),
      to_worker_(place.workers) {
  counters_.ports = std::vector<PortTraffic>(place.ports.size());
  counters_.lost = std::vector<LostFrames>(place.workers);
  counters_.handed_over = std::vector<Counter>(place.workers);
}

Worker::~Worker() = default;

void Worker::Run() {
  prctl(PR_SET_TIMERSLACK, 1000);  // otherwise the kernel makes a nap more than twice as long
  place_.readers->Join(index_);
  while (true) {
    const Phase phase = place_.phase.load(std::memory_order_relaxed);
    if (phase == Phase::kStop) break;
    table_ = place_.tables->Get();
    now_ns_ = clock_.NowNs();
    std::uint32_t frames = phase == Phase::kRun ? ReceiveFromPorts() : 0;
    frames += TakeHandedOver();
    frames += TransmitForOthers();
    if (pipeline_->HoldsAnswers()) [[unlikely]]
      ReleaseAnswers();
    if (now_ns_ >= housekeeping_ns_) Housekeep();
    pipeline_->ReadMail(*table_, now_ns_);
    busy_rounds_ = frames > kFewFrames ? busy_rounds_ + 1 : 0;
    catch_up_credit_ = std::min(catch_up_credit_ + frames, kCatchUpInAdvance);
    if (pipeline_->IsBehind()) CatchUp();
    place_.readers->Quiescent(index_);
    Rest(frames > 0);
  }
  Finish();
  place_.readers->Leave(index_);
}

std::uint32_t Worker::ReceiveFromPorts() {
  std::uint32_t frames = 0;
  for (std::uint32_t port = 0; port < place_.ports.size(); ++port) {
    const PortView& view = *place_.ports[port];
    if (!view.usable.load(std::memory_order_acquire)) continue;
    if (view.rx_queues > 1) {
      frames += ReceiveFrom(port, static_cast<std::uint16_t>(index_));
    } else if (view.home == index_) {
      frames += ReceiveFrom(port, 0);
    }
  }
  return frames;
}

std::uint32_t Worker::ReceiveFrom(std::uint32_t port, std::uint16_t queue) {
  rte_mbuf* mbufs[kBurst];
  const std::uint32_t count = rte_eth_rx_burst(place_.ports[port]->id, queue, mbufs, kBurst);
  if (count == 0) return 0;
  // Read after the frames were received. So a client that is told of a generation, and then
  // sends a frame, finds it in force, even if this thread was interrupted between the two.
  table_ = place_.tables->Get();
  const std::uint32_t out_port = place_.ports[port]->peer;
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    frames_[i] = FrameOf(mbufs[i], port, out_port);
    bytes += frames_[i].frame_length;
  }
  counters_.ports[port].received.Add(count);
  counters_.ports[port].received_bytes.Add(bytes);
  if (place_.workers > 1) {
    HandToOwners(port, count);
    return count;
  }
  output_.Clear();
  if (pipeline_->ProcessBurst(*table_, now_ns_, std::span(frames_).first(count), output_)) [[likely]] {
    counters_.ports[port].passed.Add(count);
    Transmit(out_port, mbufs, count, {bytes, bytes}, index_);
  }
  Emit();
  return count;
}

// Filters frames that this worker owns at once.
void Worker::HandToOwners(std::uint32_t port, std::uint32_t count) {
  ParsedPacket packets[kBurst];
  ParseBurst(std::span(frames_).first(count), place_.parse, packets);
  for (std::uint32_t i = 0; i < count; ++i) {
    Batch& batch = to_worker_[Owner(frames_[i], packets[i], index_, place_.workers)];
    rte_mbuf* const mbuf = MbufOf(frames_[i]);
    mbuf->port = frames_[i].port;  // our index, for the worker that gets the frame
    batch.frames[batch.count++] = mbuf;
  }
  for (std::uint32_t owner = 0; owner < place_.workers; ++owner) {
    Batch& batch = to_worker_[owner];
    if (batch.count == 0) continue;
    if (owner == index_) {
      Filter(batch.frames.data(), batch.count);
    } else {
      void** pointers = reinterpret_cast<void**>(batch.frames.data());
      const std::uint32_t taken = place_.handover[owner][index_]->Put(pointers, batch.count);
      counters_.handed_over[owner].Add(taken);
      counters_.ports[port].dropped.Add(batch.count - taken);
      Drop(batch.frames.data() + taken, batch.count - taken, port, DropReason::kHandoverFull, index_);
    }
    batch.count = 0;
  }
}

std::uint32_t Worker::TakeHandedOver() {
  std::uint32_t frames = 0;
  if (place_.workers == 1) return frames;
  for (std::uint32_t from = 0; from < place_.workers; ++from) {
    if (from == index_) continue;
    rte_mbuf* burst[kBurst];
    const std::uint32_t count = place_.handover[index_][from]->Take(reinterpret_cast<void**>(burst), kBurst);
    if (count > 0) Filter(burst, count);
    frames += count;
  }
  return frames;
}

void Worker::Filter(rte_mbuf** mbufs, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i)
    frames_[i] = FrameOf(mbufs[i], mbufs[i]->port, place_.ports[mbufs[i]->port]->peer);
  output_.Clear();
  table_ = place_.tables->Get();  // read after they were received, as above
  pipeline_->Process(*table_, now_ns_, std::span(frames_).first(count), output_);
  Emit();
}

// Does a slice of the work that no packet triggers: idle flows, overdue fragments.
void Worker::Housekeep() {
  const std::uint64_t slices = std::min((now_ns_ - housekeeping_ns_) / kHousekeepingPeriodNs + 1, kSlicesAtOnce);
  housekeeping_ns_ = now_ns_ + kHousekeepingPeriodNs;
  const std::uint32_t flows = pipeline_->IsBehind() ? kHousekeepingFlows
                                                    : std::clamp(pipeline_->flow_limit() / kHousekeepingSlices,
                                                                 kHousekeepingFlowsLeast, kHousekeepingFlows);
  output_.Clear();
  pipeline_->Housekeep(*table_, now_ns_, flows * static_cast<std::uint32_t>(slices), output_);
  Emit();
}

void Worker::CatchUp() {
  std::uint32_t flows = kCatchUpFlows;
  if (busy_rounds_ != 0) {
    if (busy_rounds_ < kRoundsToSaturation) return;
    flows = std::min(kCatchUpFlowsSaturated, catch_up_credit_);
    catch_up_credit_ -= flows;
  }
  pipeline_->CatchUp(*table_, now_ns_, flows);
}

// Runs after the frames of this round, since its table is read after them: waiting answers leave by the newest table.
void Worker::ReleaseAnswers() {
  output_.Clear();
  table_ = place_.tables->Get();
  pipeline_->ReleaseAnswers(*table_, now_ns_, output_);
  Emit();
}

void Worker::Finish() {
  output_.Clear();
  pipeline_->Finish(output_);
  Emit();
}

void Worker::Emit() {
  CountByPort(output_.forward, &PortTraffic::passed);
  CountByPort(output_.drop, &PortTraffic::dropped);
  for (const Frame& frame : output_.forward) Queue(frame.out_port, MbufOf(frame));
  for (const Frame& frame : output_.drop) rte_pktmbuf_free(MbufOf(frame));
  for (MadeFrame& made : output_.made) SendMade(made);
  for (std::uint32_t port = 0; port < to_port_.size(); ++port) Flush(port);
}

// Makes one addition for each run of frames that came in by one port; mostly, that is all of them.
void Worker::CountByPort(const std::vector<Frame>& frames, Counter PortTraffic::*counter) {
  for (std::size_t begin = 0, end = 0; begin < frames.size(); begin = end) {
    while (end < frames.size() && frames[end].port == frames[begin].port) ++end;
    (counters_.ports[frames[begin].port].*counter).Add(end - begin);
  }
}

void Worker::SendMade(MadeFrame& made) {
  rte_mbuf* mbuf = rte_pktmbuf_alloc(place_.buffers);
  if (mbuf == nullptr) {
    counters_.lost_answers.Add(1);
    counters_.unmade_answers.Add(1);
    if (pipeline_->drop_ring().Watches(DropReason::kNoMemory)) {
      const Frame frame{.data = made.bytes, .length = made.length, .frame_length = made.length, .port = made.out_port};
      pipeline_->RecordLost(frame, DropReason::kNoMemory);
    }
    return;
  }
  std::memcpy(rte_pktmbuf_append(mbuf, made.length), made.bytes, made.length);
  mbuf->ol_flags |= place_.made_flag;
  Queue(made.out_port, mbuf);
}

void Worker::Queue(std::uint32_t port, rte_mbuf* frame) {
  Batch& batch = to_port_[port];
  batch.frames[batch.count++] = frame;
  if (batch.count == kBurst) Flush(port);
}

void Worker::Flush(std::uint32_t port) {
  Batch& batch = to_port_[port];
  if (batch.count == 0) return;
  const PortView& view = *place_.ports[port];
  if (view.to_home.empty() || view.home == index_) {
    Transmit(port, batch.frames.data(), batch.count, SizeOf(batch.frames.data(), batch.count), index_);
  } else {
    void** pointers = reinterpret_cast<void**>(batch.frames.data());
    const std::uint32_t taken = view.to_home[index_]->Put(pointers, batch.count);
    Drop(batch.frames.data() + taken, batch.count - taken, view.peer, DropReason::kTxFull, index_);
  }
  batch.count = 0;
}

Worker::Size Worker::SizeOf(rte_mbuf* const* frames, std::uint32_t count) const {
  Size size;
  for (std::uint32_t i = 0; i < count; ++i) {
    size.all += frames[i]->pkt_len;
    if ((frames[i]->ol_flags & place_.made_flag) == 0) size.received += frames[i]->pkt_len;
  }
  return size;
}

// `size`: of all frames. `filterer`: the worker that forwarded them.
void Worker::Transmit(std::uint32_t port, rte_mbuf** frames, std::uint32_t count, Size size, std::uint32_t filterer) {
  const PortView& view = *place_.ports[port];
  if (!view.usable.load(std::memory_order_acquire) || !view.link_up.load(std::memory_order_relaxed)) {
    Drop(frames, count, view.peer, DropReason::kPortDown, filterer);
    return;
  }
  const auto queue = static_cast<std::uint16_t>(view.tx_queues > 1 ? index_ : 0);
  const std::uint32_t sent = rte_eth_tx_burst(view.id, queue, frames, static_cast<std::uint16_t>(count));
  counters_.ports[port].sent.Add(sent);
  const Size unsent = SizeOf(frames + sent, count - sent);
  counters_.ports[port].sent_bytes.Add(size.all - unsent.all);
  counters_.ports[port].forwarded_bytes.Add(size.received - unsent.received);
  Drop(frames + sent, count - sent, view.peer, DropReason::kTxFull, filterer);
}

std::uint32_t Worker::TransmitForOthers() {
  std::uint32_t frames = 0;
  if (place_.workers == 1) return frames;
  for (std::uint32_t port = 0; port < place_.ports.size(); ++port) {
    const PortView& view = *place_.ports[port];
    if (view.to_home.empty() || view.home != index_) continue;
    for (std::uint32_t from = 0; from < place_.workers; ++from) {
      rte_mbuf* burst[kBurst];
      const std::uint32_t count = view.to_home[from]->Take(reinterpret_cast<void**>(burst), kBurst);
      if (count > 0) Transmit(port, burst, count, SizeOf(burst, count), from);
      frames += count;
    }
  }
  return frames;
}

// `port`: the port by which the frames came in, so not the one that they would have left by. Frames
// that were made here are only counted as made: no received packet is missing because of them.
void Worker::Drop(rte_mbuf** frames, std::uint32_t count, std::uint32_t port, DropReason reason,
                  std::uint32_t filterer) {
  if (count == 0) return;
  const bool watched = pipeline_->drop_ring().Watches(reason);
  std::uint32_t made = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    if ((frames[i]->ol_flags & place_.made_flag) != 0) {
      ++made;
    } else if (watched) {
      pipeline_->RecordLost(FrameOf(frames[i], port, port), reason);
    }
  }
  counters_.lost_bytes.Add(SizeOf(frames, count).received);
  rte_pktmbuf_free_bulk(frames, count);
  counters_.lost_answers.Add(made);
  counters_.lost[filterer][static_cast<std::size_t>(reason)].Add(count - made);
  if (reason != DropReason::kHandoverFull) counters_.ports[port].lost.Add(count - made);
}

// Received frames are read last. So frames that get under way meanwhile count as held, and the rest never exceeds them.
Observation Worker::Observe(std::span<const std::unique_ptr<Worker>> all) const {
  Observation observation = pipeline_->Observe();
  for (const std::unique_ptr<Worker>& worker : all) {
    const LostFrames& lost = worker->counters().lost[index_];
    for (const DropReason reason : {DropReason::kTxFull, DropReason::kPortDown}) {
      observation.AddLostForwarded(reason, lost[static_cast<std::size_t>(reason)].value());
    }
    observation.AddLost(DropReason::kHandoverFull, lost[static_cast<std::size_t>(DropReason::kHandoverFull)].value());
  }
  observation.AddLost(DropReason::kNoMemory, counters_.unmade_answers.value());
  observation.answers_lost = counters_.lost_answers.value();
  for (const PortTraffic& port : counters_.ports) observation.forwarded_bytes += port.forwarded_bytes.value();
  observation.dropped_bytes += counters_.lost_bytes.value();
  std::uint64_t given = 0;
  for (const Counter& frames : counters_.handed_over) given += frames.value();
  observation.handed_over = given;
  observation.busy_rounds = counters_.busy_rounds.value();
  observation.rounds = std::max(counters_.rounds.value(), observation.busy_rounds);
  observation.busy = static_cast<double>(observation.busy_rounds) /
                     static_cast<double>(std::max<std::uint64_t>(observation.rounds, 1));
  std::uint64_t came = 0;
  for (const PortTraffic& port : counters_.ports) came += port.received.value();
  for (const std::unique_ptr<Worker>& worker : all) came += worker->counters().handed_over[index_].value();
  observation.SetReceived(came - given);
  return observation;
}

void Worker::Rest(bool found_work) {
  counters_.rounds.Add(1);
  if (found_work) {
    counters_.busy_rounds.Add(1);
    idle_rounds_ = 0;
    busy_ns_ = now_ns_;
  } else if (place_.idle != Idle::kSleep || pipeline_->IsBehind() || pipeline_->mailbox().HasMail() ||
             ++idle_rounds_ <= kRoundsBeforeSleep) {
    rte_pause();
  } else if (now_ns_ - busy_ns_ < kPauseNs || pipeline_->HoldsAnswers() || !WaitForFrames()) {
    nanosleep(now_ns_ - busy_ns_ > kSilenceNs ? &kLongNap : &kNap, nullptr);
  }
}

// Returns false if frames could come that no socket tells of, or if it could not wait.
bool Worker::WaitForFrames() {
  if (place_.workers > 1) return false;  // another one hands frames over
  wait_.Clear();
  for (const PortView* port : place_.ports) {
    if (!port->usable.load(std::memory_order_acquire)) continue;
    if (port->socket < 0) return false;
    wait_.Add(port->socket);
  }
  place_.readers->Pause(index_);
  const bool waited = wait_.Wait(kWait);
  place_.readers->Resume(index_);
  return waited;
}

}  // namespace sluice
