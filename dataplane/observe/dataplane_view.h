// What others may see of ports and workers, whose types they do not know. Implemented where they are.
//
// Any thread; stops no worker.
#ifndef SLUICE_DATAPLANE_OBSERVE_DATAPLANE_VIEW_H_
#define SLUICE_DATAPLANE_OBSERVE_DATAPLANE_VIEW_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/observation.h"

namespace sluice {

struct PortState {
  std::uint32_t wire = 0;
  std::string device;
  bool link_up = false;
  std::uint64_t rx_packets = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t tx_packets = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t rx_missed = 0;
  std::uint64_t rx_errors = 0;
  // Of the packets that came in by it, rx_packets: those that left by the other port of the wire, and those that did
  // not (rejected ones included). The others are held.
  std::uint64_t forwarded = 0;
  std::uint64_t dropped = 0;

  std::uint64_t held() const { return rx_packets - std::min(rx_packets, forwarded + dropped); }
};

// What hooks at kernel interfaces let pass without the workers, of flows that these let pass.
struct CarriedTotals {
  bool is_on = false;
  std::uint64_t flows = 0;  // now
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

class DataplaneView {
 public:
  virtual ~DataplaneView() = default;
  // In the order of the wires, two each.
  virtual std::vector<PortState> Ports() const = 0;
  // What is in them to read on lives as long as the view.
  virtual std::vector<Observation> Workers() const = 0;
  // The kernel interface at which a hook took a frame that came in by this port under this 802.1Q tag; empty: no hook
  // did.
  virtual std::string HookedAt(std::uint32_t /*port*/, std::uint16_t /*tag*/) const { return ""; }
  // Nothing where there are no hooks.
  virtual std::optional<CarriedTotals> Carried() const { return std::nullopt; }
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_DATAPLANE_VIEW_H_
