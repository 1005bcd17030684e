#include "sluiced/plane_view.h"

#include <algorithm>
#include <cstddef>

namespace sluice {

std::vector<PortState> PlaneView::Ports() const {
  const std::lock_guard lock(mutex_);
  std::vector<PortState> states;
  for (std::size_t i = 0; i < plane_.ports().size(); ++i) {
    const Port& port = *plane_.ports()[i];
    PortState& state = states.emplace_back();
    state.wire = static_cast<std::uint32_t>(i / 2);
    state.device = port.device().text;
    state.link_up = port.view().usable && port.view().link_up;
    for (const auto& worker : plane_.workers()) {
      const PortTraffic& traffic = worker->counters().ports[i];
      state.rx_packets += traffic.received.value();
      state.rx_bytes += traffic.received_bytes.value();
      state.tx_packets += traffic.sent.value();
      state.tx_bytes += traffic.sent_bytes.value();
    }
    const PortCounters device = port.counters();
    state.rx_missed = device.missed + device.no_buffer;
    state.rx_errors = device.errors;
  }
  return states;
}

std::vector<WorkerState> PlaneView::Workers() const {
  std::vector<WorkerState> states;
  for (const auto& worker : plane_.workers()) {
    const WorkerCounters& counters = worker->counters();
    WorkerState& state = states.emplace_back();
    state.pipeline = &worker->pipeline();
    state.handed_over = counters.handed_over.value();
    const std::uint64_t rounds = std::max<std::uint64_t>(counters.rounds.value(), 1);
    state.busy = static_cast<double>(counters.busy_rounds.value()) / static_cast<double>(rounds);
    for (std::size_t i = 0; i < kDropReasonCount; ++i) state.dropped[i] = counters.dropped[i].value();
  }
  return states;
}

}  // namespace sluice
