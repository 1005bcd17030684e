// What is said of a node's links: what cannot be hooked, and who else is at pods' interfaces.
#include "hook/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if_arp.h>

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

auto Says(Level level, const std::string& what, const std::string& text) {
  return testing::AllOf(Field(&Finding::level, level), Field(&Finding::what, what),
                        Field(&Finding::text, HasSubstr(text)));
}

Link Named(std::string name, std::string kind, std::uint16_t type = ARPHRD_ETHER) {
  Link link;
  link.index = 4;
  link.name = std::move(name);
  link.kind = std::move(kind);
  link.type = type;
  link.is_up = true;
  return link;
}

TEST(CheckLinks, OfAnOrdinaryNodeThereIsNothingToSay) {
  Link veth = Named("veth1", "veth");
  veth.peer = 7;
  EXPECT_THAT(CheckLinks({Named("eth0", ""), Named("lo", "", ARPHRD_LOOPBACK), veth}, {4}, {{"cni-1", 7}}), IsEmpty());
}

TEST(CheckLinks, ATunnelWithoutAnEthernetHeaderIsNamed) {
  EXPECT_THAT(CheckLinks({Named("tunl0", "ipip", ARPHRD_TUNNEL)}, {}, {}),
              ElementsAre(Says(Level::kWarning, "interface tunl0", "no Ethernet header")));
  EXPECT_THAT(CheckLinks({Named("wg0", "wireguard", ARPHRD_NONE)}, {}, {}),
              ElementsAre(Says(Level::kWarning, "interface wg0", "no Ethernet header")));
}

TEST(CheckLinks, PluginsThatTakePacketsFirstAreErrors) {
  EXPECT_THAT(CheckLinks({Named("ovs-system", "openvswitch")}, {}, {}),
              ElementsAre(Says(Level::kError, "interface ovs-system", "Open vSwitch")));
  EXPECT_THAT(CheckLinks({Named("cilium_host", "veth")}, {}, {}),
              ElementsAre(Says(Level::kError, "interface cilium_host", "Cilium")));
}

TEST(CheckLinks, ASandboxThatNoVethLeadsToIsNamed) {
  EXPECT_THAT(CheckLinks({}, {}, {{"cni-macvlan", -1}}),
              ElementsAre(Says(Level::kWarning, "sandbox cni-macvlan", "macvlan, ipvlan, SR-IOV")));
}

TEST(CheckPlan, SaysWhatWouldBeHooked) {
  Link pod = Named("veth1", "veth"), other = Named("veth2", "veth");
  pod.index = 7;
  pod.peer = 1;
  other.index = 8;
  other.peer = 2;
  const std::vector<Finding> findings =
      CheckPlan({pod, other}, {{7, "veth1", Role::kPod, 1500}, {4, "eth0", Role::kUplink, 1500}});
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_THAT(findings[0].text, testing::AllOf(HasSubstr("1 interface to be hooked"), HasSubstr("sandbox: 1 ")));
  EXPECT_EQ(findings[1].text, "eth0");
  EXPECT_EQ(findings[1].level, Level::kFine);
}

TEST(CheckPlan, ANodeWithoutAWayOutIsToldToNameOne) {
  const std::vector<Finding> findings = CheckPlan({}, {});
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].text, "0 interfaces to be hooked");
  EXPECT_EQ(findings[1].level, Level::kWarning);
  EXPECT_THAT(findings[1].text, HasSubstr("--uplink IFACE"));
}

}  // namespace
}  // namespace sluice
