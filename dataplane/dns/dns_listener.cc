#include "dns/dns_listener.h"

#include <sys/prctl.h>

#include <algorithm>
#include <chrono>

namespace sluice {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kPacketsAtOnce = 256;  // of one worker, before the next worker's turn
constexpr std::chrono::microseconds kNap(50);
constexpr std::chrono::milliseconds kLongNap(1);
constexpr std::chrono::milliseconds kBusy(200);  // after a packet, the next one is expected within this time

}  // namespace

void DnsListener::Start() {
  thread_ = std::thread([this] { Run(); });
}

void DnsListener::Stop() {
  if (!thread_.joinable()) return;
  is_stopping_ = true;
  thread_.join();
  Turn();
}

void DnsListener::Run() {
  prctl(PR_SET_TIMERSLACK, 1000);  // otherwise the kernel stretches a nap to more than twice its length
  Clock::time_point busy = Clock::now();
  while (!is_stopping_) {
    if (Turn() != 0) {
      busy = Clock::now();
      continue;
    }
    if (Clock::now() - busy < kBusy) {
      std::this_thread::sleep_for(kNap);
    } else {
      std::this_thread::sleep_for(kLongNap);
    }
  }
}

std::size_t DnsListener::Turn() {
  std::size_t packets = 0;
  for (DnsTap* tap : taps_) {
    packets += tap->packets().Take(kPacketsAtOnce, [&](const DnsPacket& packet, std::span<const std::uint8_t> bytes) {
      watcher_.Meet(packet, bytes);
    });
  }
  return packets;
}

// Each worker takes up all of a list or nothing, so a tap that has not taken up the last list makes all of them wait.
bool DnsListener::Trust(const std::vector<IpAddress>& sorted) {
  for (DnsTap* tap : taps_) {
    if (!tap->IsTurned()) return false;
  }
  for (DnsTap* tap : taps_) tap->Trust(sorted);
  return true;
}

DnsTotals DnsListener::totals() const {
  const DnsCounters& read = watcher_.counters();
  const std::uint64_t learnt = read.learnt.value();  // read before the answers, which are counted later
  DnsTotals totals{.queries = read.queries.value(),
                   .learnt = learnt,
                   .unlearnt = read.answers.value() - std::min(read.answers.value(), learnt),
                   .spoofed = read.spoofed.value(),
                   .malformed = read.malformed.value(),
                   .truncated = read.truncated.value(),
                   .displaced = read.displaced.value(),
                   .lost_streams = read.lost_streams.value()};
  for (const DnsTap* tap : taps_) {
    const DnsTapCounters& worker = tap->counters();
    totals.untrusted += worker.untrusted.value();
    totals.held += worker.held.value();
    totals.ran_out += worker.ran_out.value();
    totals.no_room += worker.no_room.value();
    totals.waiting += worker.waiting.load(std::memory_order_relaxed);
    totals.fragmented += worker.fragmented.value();
    totals.lost_queries += worker.lost_queries.value();
  }
  return totals;
}

}  // namespace sluice
