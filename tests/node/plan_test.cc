// Which interfaces of a node are hooked.
#include "hook/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if_arp.h>

#include "hook/steering.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Link Device(std::uint32_t index, std::string name, std::string kind = "") {
  Link link;
  link.index = index;
  link.name = std::move(name);
  link.kind = std::move(kind);
  link.mtu = 1500;
  link.type = ARPHRD_ETHER;
  link.is_up = true;
  return link;
}

Link Veth(std::uint32_t index, std::string name, std::int32_t peer, std::uint32_t master = 0) {
  Link link = Device(index, std::move(name), "veth");
  link.peer = peer;
  link.master = master;
  return link;
}

TEST(Plan, AVethThatLeadsToASandboxIsAPods) {
  const PlanInput input{{Veth(5, "veth1", 7)}, {}, {7}, false, {}};
  EXPECT_THAT(Plan(input), ElementsAre(PlannedHook{5, "veth1", Role::kPod, 1500}));
}

TEST(Plan, AVethOfAnotherContainerIsLeftAlone) {
  const PlanInput input{{Veth(5, "veth1", 8)}, {}, {7}, false, {}};
  EXPECT_THAT(Plan(input), IsEmpty());
}

TEST(Plan, EveryVethIsAPodsWhereThatIsAskedFor) {
  const PlanInput input{{Veth(5, "veth1", 8)}, {}, {}, true, {}};
  EXPECT_THAT(Plan(input), ElementsAre(PlannedHook{5, "veth1", Role::kPod, 1500}));
}

TEST(Plan, AVethWithBothEndsHereIsNoPods) {
  const PlanInput input{{Device(5, "veth1", "veth")}, {}, {}, true, {}};
  EXPECT_THAT(Plan(input), IsEmpty());
}

TEST(Plan, TheSteeringPairIsNeverHooked) {
  Link steering = Veth(5, std::string(kSteeringIn), 3);
  const PlanInput input{{steering}, {5}, {3}, true, {}};
  EXPECT_THAT(Plan(input), IsEmpty());
}

TEST(Plan, TheBridgeOfPodsIsKnownAndNotAWayOut) {
  const PlanInput input{{Device(2, "cni0", "bridge"), Veth(5, "veth1", 7, 2)}, {}, {7}, false, {}};
  EXPECT_THAT(Plan(input),
              ElementsAre(PlannedHook{5, "veth1", Role::kPod, 1500}, PlannedHook{2, "cni0", Role::kBridge, 1500}));
}

TEST(Plan, AnInterfaceWithARouteToAGatewayIsAWayOut) {
  const PlanInput input{{Device(2, "eth0"), Device(3, "eth1")}, {2}, {}, false, {}};
  EXPECT_THAT(Plan(input), ElementsAre(PlannedHook{2, "eth0", Role::kUplink, 1500}));
}

TEST(Plan, AVxlanDeviceIsAWayOut) {
  const PlanInput input{{Device(4, "flannel.1", "vxlan")}, {}, {}, false, {}};
  EXPECT_THAT(Plan(input), ElementsAre(PlannedHook{4, "flannel.1", Role::kUplink, 1500}));
}

TEST(Plan, WaysOutThatAreNamedAreTheOnlyOnes) {
  const PlanInput input{{Device(2, "eth0"), Device(3, "eth1")}, {2}, {}, false, {"eth1"}};
  EXPECT_THAT(Plan(input), ElementsAre(PlannedHook{3, "eth1", Role::kUplink, 1500}));
}

TEST(Plan, ADeviceWithoutAnEthernetHeaderIsNotHooked) {
  Link tunnel = Device(4, "tunl0", "ipip");
  tunnel.type = ARPHRD_TUNNEL;
  const PlanInput input{{tunnel}, {4}, {}, false, {"tunl0"}};
  EXPECT_THAT(Plan(input), IsEmpty());
}

TEST(Plan, WherePodsShareTheBridgeWithTheWorldOutsideItsOtherPortsAreWaysOut) {
  Link port = Device(3, "eth0");
  port.master = 2;
  const PlanInput input{{Device(2, "br0", "bridge"), port, Veth(5, "veth1", 7, 2)}, {2}, {7}, false, {}};
  EXPECT_THAT(Plan(input),
              ElementsAre(PlannedHook{5, "veth1", Role::kPod, 1500}, PlannedHook{2, "br0", Role::kBridge, 1500},
                          PlannedHook{3, "eth0", Role::kUplink, 1500}));
}

TEST(Plan, SandboxesHaveTheNamesOfContainerdAndCriO) {
  EXPECT_TRUE(IsSandboxName("cni-0b2c8f9e-1d37-4d5c-9a1b-7f6b2f0c1e55"));
  EXPECT_TRUE(IsSandboxName("0b2c8f9e-1d37-4d5c-9a1b-7f6b2f0c1e55"));
  EXPECT_FALSE(IsSandboxName("mine"));
  EXPECT_FALSE(IsSandboxName("cni-mine"));
  EXPECT_FALSE(IsSandboxName("0b2c8f9e-1d37-4d5c-9a1b-7f6b2f0c1e5z"));
}

TEST(Steering, ThePairTakesTheLargestFrameWithItsTags) {
  EXPECT_EQ(SteeringMtu({}), 1508u);
  EXPECT_EQ(SteeringMtu({{5, "veth1", Role::kPod, 8950}, {2, "eth0", Role::kUplink, 1500}}), 8958u);
  EXPECT_EQ(SteeringMtu({{2, "cni0", Role::kBridge, 65535}}), 1508u);
}

}  // namespace
}  // namespace sluice
