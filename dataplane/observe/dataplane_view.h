// Shows ports and workers to code that does not know their types. The ports' and workers' owner implements it.
//
// Any thread may call it; no call stops a worker.
#ifndef SLUICE_DATAPLANE_OBSERVE_DATAPLANE_VIEW_H_
#define SLUICE_DATAPLANE_OBSERVE_DATAPLANE_VIEW_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/dns_totals.h"
#include "core/observation.h"
#include "sluice/address.h"

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
  // Of the packets that came in by this port (rx_packets): those that left by the wire's other port, and those that did
  // not (rejected ones included). The rest is held.
  std::uint64_t forwarded = 0;
  std::uint64_t dropped = 0;

  std::uint64_t held() const { return rx_packets - std::min(rx_packets, forwarded + dropped); }
};

// What hooks at kernel interfaces let pass without the workers, of flows that the workers have admitted.
struct CarriedTotals {
  bool is_on = false;
  std::uint64_t flows = 0;  // now
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

// What a node's hooks dropped at pods' interfaces, before the dataplane saw it.
struct HookDrops {
  std::uint64_t spoofed_source = 0;  // the source is not the pod's
  std::uint64_t spoofed_tunnel = 0;  // tunnels to a node
};

class DataplaneView {
 public:
  virtual ~DataplaneView() = default;
  // The ports, two for each wire, in the order of the wires.
  virtual std::vector<PortState> Ports() const = 0;
  // What the observations refer to lives as long as the view.
  virtual std::vector<Observation> Workers() const = 0;
  // Returns the kernel interface at which a hook took a frame that came in by this port under this 802.1Q tag. Empty if
  // no hook took it.
  virtual std::string HookedAt(std::uint32_t /*port*/, std::uint16_t /*tag*/) const { return ""; }
  // Returns nothing if there are no hooks.
  virtual std::optional<CarriedTotals> Carried() const { return std::nullopt; }
  // Returns nothing if no resolver is configured.
  virtual std::optional<DnsTotals> Dns() const { return std::nullopt; }
  // Whether the dataplane stands at a node's hooks. If it does not, the functions below have no meaning.
  virtual bool HasHooks() const { return false; }
  // Returns nothing if the hooks cannot be read.
  virtual std::optional<HookDrops> DropsOfHooks() const { return std::nullopt; }
  // Whether the hooks regard the address as a node's address, of this node or another.
  virtual bool HooksHaveNode(const IpAddress& /*address*/) const { return false; }
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_DATAPLANE_VIEW_H_
