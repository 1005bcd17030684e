// What the control API shows of the dataplane's ports and workers.
#ifndef SLUICE_PROGRAMS_SLUICED_PLANE_VIEW_H_
#define SLUICE_PROGRAMS_SLUICED_PLANE_VIEW_H_

#include <mutex>
#include <vector>

#include "edge/dataplane.h"
#include "observe/dataplane_view.h"

namespace sluice {

// While no other thread watches, opens or closes ports.
std::vector<PortState> ObservePorts(const Dataplane& plane);

class PlaneView final : public DataplaneView {
 public:
  // Both outlive the view. The mutex is held wherever ports are watched, opened or closed.
  PlaneView(const Dataplane& plane, std::mutex& mutex) : plane_(plane), mutex_(mutex) {}

  std::vector<PortState> Ports() const override;
  std::vector<Observation> Workers() const override;

 private:
  const Dataplane& plane_;
  std::mutex& mutex_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICED_PLANE_VIEW_H_
