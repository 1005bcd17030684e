// A dataplane to observe, without devices: one worker's real pipeline, and a port that is made up.
#ifndef SLUICE_TESTS_API_OBSERVED_PLANE_H_
#define SLUICE_TESTS_API_OBSERVED_PLANE_H_

#include <optional>
#include <vector>

#include "api/api_fixture.h"
#include "core/pipeline_fixture.h"
#include "observe/dataplane_view.h"

namespace sluice {

class ObservedPlane final : public DataplaneView {
 public:
  std::vector<PortState> Ports() const override;
  std::vector<Observation> Workers() const override;

  bool HasHooks() const override { return hook_drops.has_value(); }
  std::optional<HookDrops> DropsOfHooks() const override { return hook_drops; }
  bool HooksHaveNode(const IpAddress& address) const override { return address == Ip("192.168.0.9"); }

  PipelineFixture worker{RoomForManyFlows()};
  std::optional<HookDrops> hook_drops;  // where it stands at a node's hooks

 private:
  static PipelineConfig RoomForManyFlows() {
    PipelineConfig config = PipelineFixture::SmallConfig();
    config.flow_capacity_ipv4 = 16384;
    return config;
  }
};

// The policy of ServerAdmitsClient is in force, the client has connected to port 80, and was denied port 81.
class ObservedFixture : public ApiFixture {
 protected:
  explicit ObservedFixture(std::uint64_t last_generation = 0, const ReadLimits& limits = {});
  ~ObservedFixture() override { StopServer(); }  // before the plane, which calls may look at until then

  ObservedPlane plane_;
};

}  // namespace sluice

#endif  // SLUICE_TESTS_API_OBSERVED_PLANE_H_
