#include "sluiced/plane_view.h"

#include <algorithm>
#include <cstddef>
#include <variant>

#include "hook/hooks.h"

namespace sluice {

std::vector<PortState> ObservePorts(const Dataplane& plane) {
  std::vector<PortState> states;
  for (std::size_t i = 0; i < plane.ports().size(); ++i) {
    const Port& port = *plane.ports()[i];
    PortState& state = states.emplace_back();
    std::uint64_t lost = 0;
    state.wire = static_cast<std::uint32_t>(i / 2);
    state.device = port.device().text;
    state.link_up = port.view().usable && port.view().link_up;
    for (const auto& worker : plane.workers()) {
      const PortTraffic& traffic = worker->counters().ports[i];
      lost += traffic.lost.value();
      state.dropped += traffic.dropped.value() + traffic.lost.value();
      state.forwarded += traffic.passed.value();
      state.rx_packets += traffic.received.value();
      state.rx_bytes += traffic.received_bytes.value();
      state.tx_packets += traffic.sent.value();
      state.tx_bytes += traffic.sent_bytes.value();
    }
    state.forwarded -= std::min(state.forwarded, lost);
    const PortCounters device = port.counters();
    state.rx_missed = device.missed + device.no_buffer;
    state.rx_errors = device.errors;
  }
  return states;
}

std::vector<PortState> PlaneView::Ports() const {
  const std::lock_guard lock(mutex_);
  return ObservePorts(plane_);
}

std::vector<Observation> PlaneView::Workers() const { return plane_.Observe(); }

std::string PlaneView::HookedAt(std::uint32_t port, std::uint16_t tag) const {
  const std::size_t wire = port / 2;
  return wire < edge_.wires.size() && edge_.wires[wire].is_hooks ? names_.InterfaceOf(tag) : "";
}

std::optional<CarriedTotals> PlaneView::Carried() const {
  return carrier_ == nullptr ? std::nullopt : std::optional(carrier_->totals());
}

std::optional<DnsTotals> PlaneView::Dns() const {
  return dns_ == nullptr ? std::nullopt : std::optional(dns_->totals());
}

bool PlaneView::HasHooks() const {
  return std::any_of(edge_.wires.begin(), edge_.wires.end(), [](const WireSettings& wire) { return wire.is_hooks; });
}

std::optional<HookDrops> PlaneView::DropsOfHooks() const {
  if (!HasHooks()) return std::nullopt;
  const auto pins = FindPinPath(edge_.bpffs);
  const auto* path = std::get_if<PinPath>(&pins);
  if (path == nullptr) return std::nullopt;
  const auto frames = ReadFrameCounts(*path);
  if (!frames) return std::nullopt;
  return HookDrops{(*frames)[SLUICE_SPOOFED_SOURCE], (*frames)[SLUICE_SPOOFED_TUNNEL]};
}

bool PlaneView::HooksHaveNode(const IpAddress& address) const {
  const auto pins = FindPinPath(edge_.bpffs);
  const auto* path = std::get_if<PinPath>(&pins);
  return path != nullptr && IsNodeOfHooks(*path, address);
}

}  // namespace sluice
