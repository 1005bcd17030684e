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

// What the hooks of a node dropped at pods' interfaces, before the dataplane saw it.
struct HookDrops {
  std::uint64_t spoofed_source = 0;  // of a source that is not the pod's
  std::uint64_t spoofed_tunnel = 0;  // tunnels to a node
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
  // Nothing where no resolver is configured.
  virtual std::optional<DnsTotals> Dns() const { return std::nullopt; }
  // Whether it stands at a node's hooks. If it does not, what follows has no meaning.
  virtual bool HasHooks() const { return false; }
  // Nothing where the hooks cannot be read.
  virtual std::optional<HookDrops> DropsOfHooks() const { return std::nullopt; }
  // Whether hooks take the address for a node's, this one's or another.
  virtual bool HooksHaveNode(const IpAddress& /*address*/) const { return false; }
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_DATAPLANE_VIEW_H_
