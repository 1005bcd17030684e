// Shows the control API the dataplane's ports and workers.
#ifndef SLUICE_PROGRAMS_SLUICED_PLANE_VIEW_H_
#define SLUICE_PROGRAMS_SLUICED_PLANE_VIEW_H_

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "dns/dns_listener.h"
#include "edge/dataplane.h"
#include "hook/pins.h"
#include "observe/dataplane_view.h"
#include "sluiced/carrier.h"

namespace sluice {

// Requires that no other thread watches, opens or closes ports.
std::vector<PortState> ObservePorts(const Dataplane& plane);

class PlaneView final : public DataplaneView {
 public:
  // All arguments outlive the view. The mutex is held wherever ports are watched, opened or closed. `edge`: the
  // settings that the plane was started with. `carrier` is null if nothing is carried, `dns` if no resolver is
  // configured.
  PlaneView(const Dataplane& plane, std::mutex& mutex, const EdgeSettings& edge, const Carrier* carrier,
            const DnsListener* dns)
      : plane_(plane), mutex_(mutex), edge_(edge), carrier_(carrier), dns_(dns), names_(edge.bpffs) {}

  std::vector<PortState> Ports() const override;
  std::vector<Observation> Workers() const override;
  std::string HookedAt(std::uint32_t port, std::uint16_t tag) const override;
  std::optional<CarriedTotals> Carried() const override;
  std::optional<DnsTotals> Dns() const override;
  bool HasHooks() const override;
  std::optional<HookDrops> DropsOfHooks() const override;
  bool HooksHaveNode(const IpAddress& address) const override;

 private:
  const Dataplane& plane_;
  std::mutex& mutex_;
  const EdgeSettings& edge_;
  const Carrier* const carrier_;
  const DnsListener* const dns_;
  mutable HookNames names_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICED_PLANE_VIEW_H_
