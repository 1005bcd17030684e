#include "source.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>
#include <thread>
#include <utility>

#include "measure.h"

namespace sluice {
namespace {

constexpr std::uint8_t kSyn = 0x02;
constexpr std::uint8_t kAck = 0x10;
constexpr std::size_t kWaitBins = 16 * 1000;

void Add(std::atomic<std::uint64_t>& counter, std::uint64_t amount) {
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

}  // namespace

Source::Source(std::uint16_t port, const Traffic& traffic, const FrameShape& shape, std::uint32_t known,
               std::uint32_t fresh)
    : port_(port), shape_(shape), known_(known), fresh_(fresh), order_(known), waits_(kWaitBins) {
  for (std::uint32_t i = 0; i < known; ++i) known_[i] = traffic.Flow(i);
  for (std::uint32_t i = 0; i < fresh; ++i) fresh_[i] = traffic.Flow(std::uint64_t{known} + i);
  std::iota(order_.begin(), order_.end(), 0u);
  std::shuffle(order_.begin(), order_.end(), std::mt19937(1));
  callback_ = rte_eth_add_rx_callback(port, 0, OnReceive, this);
  if (callback_ == nullptr) {
    std::fprintf(stderr, "bench: port %u takes no receive callback\n", port);
    std::exit(1);
  }
}

Source::~Source() { Remove(); }

void Source::Remove() {
  if (callback_ == nullptr) return;
  Pause();
  rte_eth_remove_rx_callback(port_, 0, callback_);
  callback_ = nullptr;
  std::this_thread::sleep_for(std::chrono::milliseconds(10));  // a worker may still be inside
}

void Source::Pause() {
  phase_.store(Phase::kPaused, std::memory_order_release);
  const std::uint32_t seen = acknowledged_.load(std::memory_order_acquire);
  for (int i = 0; i < 1000 && acknowledged_.load(std::memory_order_acquire) - seen < 2; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void Source::Establish() {
  Pause();
  establish_next_ = 0;
  phase_.store(Phase::kEstablish, std::memory_order_release);
  while (phase_.load(std::memory_order_acquire) == Phase::kEstablish) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

void Source::Run(const Mix& mix) {
  Pause();
  mix_ = mix;
  // Of what the port gives at once a rate may take only a part: the flows must come in turn all the same.
  mix_.rewrite_known |= mix.packets_per_second > 0;
  in_mix_ = 0;
  for (std::atomic<std::uint64_t>* counter :
       {&lost_known_, &lost_new_, &lost_interrupted_, &given_known_, &given_new_, &longest_wait_}) {
    *counter = 0;
  }
  for (std::atomic<std::uint64_t>& bin : waits_) bin = 0;
  clocks_a_packet_ = mix.packets_per_second > 0 ? static_cast<double>(rte_get_tsc_hz()) / mix.packets_per_second : 0;
  next_due_ = static_cast<double>(Clocks());
  phase_.store(Phase::kRun, std::memory_order_release);
}

std::uint16_t Source::OnReceive(std::uint16_t, std::uint16_t, rte_mbuf* packets[], std::uint16_t count, std::uint16_t,
                                void* self) {
  return static_cast<Source*>(self)->Receive(packets, count);
}

std::uint16_t Source::Receive(rte_mbuf** packets, std::uint16_t count) {
  acknowledged_.store(acknowledged_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  std::uint16_t give = 0;
  const Phase phase = phase_.load(std::memory_order_acquire);
  if (phase == Phase::kEstablish) return EstablishSome(packets, count);
  if (phase == Phase::kRun) give = clocks_a_packet_ > 0 ? Due(count) : count;
  if (give < count) rte_pktmbuf_free_bulk(packets + give, count - give);
  if (mix_.new_in == 0 && !mix_.rewrite_known) {
    Add(given_known_, give);
    return give;
  }
  std::uint32_t opened = 0;
  for (std::uint16_t i = 0; i < give; ++i) {
    if (in_mix_ < mix_.new_packets) {
      Write(packets[i], fresh_[fresh_next_], PacketKind::kRequest, kSyn);
      fresh_next_ = fresh_next_ + 1 == fresh_.size() ? 0 : fresh_next_ + 1;
      ++opened;
    } else if (mix_.rewrite_known) {
      Write(packets[i], known_[known_next_], PacketKind::kRequest, kAck);
      known_next_ = known_next_ + 1 == known_.size() ? 0 : known_next_ + 1;
    }
    in_mix_ = in_mix_ + 1 >= mix_.new_in ? 0 : in_mix_ + 1;
  }
  Settle();
  Add(given_new_, opened);
  Add(given_known_, give - opened);
  return give;
}

// Pairs, or TCP's three of a handshake, of each flow in turn.
std::uint16_t Source::EstablishSome(rte_mbuf** packets, std::uint16_t count) {
  const std::uint32_t steps = shape_.protocol == kProtoTcp ? 3 : 2;
  std::uint16_t give = 0;
  while (give < count && establish_next_ < std::uint64_t{steps} * known_.size()) {
    const FlowTuple& flow = known_[order_[establish_next_ / steps]];
    const std::uint64_t step = establish_next_++ % steps;
    const auto flags = static_cast<std::uint8_t>(step == 0 ? kSyn : step == 1 ? kSyn | kAck : kAck);
    Write(packets[give++], flow, step == 1 ? PacketKind::kReply : PacketKind::kRequest, flags);
  }
  if (give < count) {
    rte_pktmbuf_free_bulk(packets + give, count - give);
    phase_.store(Phase::kPaused, std::memory_order_release);
  }
  return give;
}

std::uint16_t Source::Due(std::uint16_t count) {
  const auto now = static_cast<double>(Clocks());
  if (now < next_due_) return 0;
  auto due = static_cast<std::uint64_t>((now - next_due_) / clocks_a_packet_) + 1;
  const bool interrupted = due > kQueue / 8 && WasInterrupted();
  if (due > kQueue) {
    const std::uint64_t lost = due - kQueue;
    const std::uint64_t lost_new = mix_.new_in == 0 ? 0 : lost * mix_.new_packets / mix_.new_in;
    if (interrupted) {
      Add(lost_interrupted_, lost);
    } else {
      Add(lost_new_, lost_new);
      Add(lost_known_, lost - lost_new);
    }
    next_due_ += static_cast<double>(lost) * clocks_a_packet_;
    due = kQueue;
  }
  const auto give = static_cast<std::uint16_t>(std::min<std::uint64_t>(due, count));
  const double wait = now - next_due_;
  if (wait > static_cast<double>(longest_wait_.load(std::memory_order_relaxed))) {
    longest_wait_.store(static_cast<std::uint64_t>(wait), std::memory_order_relaxed);
  }
  const double bins_a_clock = 16e6 / static_cast<double>(rte_get_tsc_hz());
  for (std::uint16_t i = 0; i < give; ++i) {
    const double bin = (wait - i * clocks_a_packet_) * bins_a_clock;
    Add(waits_[std::min(kWaitBins - 1, static_cast<std::size_t>(std::max(bin, 0.0)))], 1);
  }
  next_due_ += static_cast<double>(give) * clocks_a_packet_;
  return give;
}

// Whether the kernel gave the core to somebody else since the last call. (What a hypervisor takes is not seen.)
bool Source::WasInterrupted() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  const long before = std::exchange(interruptions_, usage.ru_nivcsw);
  return usage.ru_nivcsw != before;
}

void Source::Write(rte_mbuf* packet, const FlowTuple& flow, PacketKind kind, std::uint8_t tcp_flags) {
  auto* frame = rte_pktmbuf_mtod(packet, std::uint8_t*);
  Readdress(shape_.family, flow, kind, frame);
  if (shape_.protocol == kProtoTcp) frame[14 + (shape_.family == Family::kIpv4 ? 20 : 40) + 13] = tcp_flags;
}

}  // namespace sluice
