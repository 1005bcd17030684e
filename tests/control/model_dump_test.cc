// The dump of decoded objects: every field that policy needs is there.
#include <gtest/gtest.h>

#include "model/dump.h"
#include "model/selector_text.h"
#include "support/cluster_builder.h"

namespace sluice {
namespace {

TEST(ModelDump, ShowsEveryObjectAndRule) {
  const Cluster cluster = ClusterBuilder()
                              .Namespace("a", {{"team", "red"}})
                              .Node("n1", {"192.168.0.1"}, {"10.0.0.0/24"})
                              .Annotated({"10.0.0.9"})
                              .Pod("a/web", {{"app", "web"}}, {"10.0.0.2", "fd00::2"})
                              .OnNode("n1")
                              .Port("http", kProtoTcp, 8080)
                              .Created(7)
                              .Pod("a/agent", {}, {"192.168.0.1"})
                              .HostNetwork()
                              .HostAddresses({"192.168.0.1"})
                              .InPhase(Pod::Phase::kFailed)
                              .Policy("a/p", Where({NotIn("app", {"db"})}))
                              .Ingress({CidrPeer("10.0.0.0/8", {"10.1.0.0/16"}), PodPeer(Match({{"app", "web"}})),
                                        PodPeerIn(Match({{"team", "red"}}), Everything())},
                                       {Tcp(80), Tcp(90, 99), Udp("dns"), AllPorts(kProtoSctp)})
                              .Egress()
                              .Policy("a/q")
                              .DenyIngress()
                              .Refused()
                              .Build();
  EXPECT_EQ(Dump(cluster),
            "namespace a labels=kubernetes.io/metadata.name=a,team=red\n"
            "node n1 addresses=192.168.0.1 podCIDRs=10.0.0.0/24 annotated=10.0.0.9\n"
            "pod a/web labels=app=web addresses=10.0.0.2,fd00::2 node=n1 ports=http:TCP/8080 created=7\n"
            "pod a/agent addresses=192.168.0.1 hostIPs=192.168.0.1 phase=Failed hostNetwork\n"
            "policy a/p pods[app!=db] ingress egress\n"
            "  ingress[0] peers={10.0.0.0/8 except 10.1.0.0/16 or pods[app=web] or pods[] in namespaces[team=red]} "
            "ports=TCP/80,TCP/90-99,UDP/dns,SCTP\n"
            "  egress[0] peers={any} ports=any\n"
            "policy a/q pods[] ingress refused\n");
}

TEST(SelectorText, WritesEveryOperatorInOneOrder) {
  EXPECT_EQ(SelectorText(Everything()), "");
  EXPECT_EQ(SelectorText({{NotIn("d", {"x", "y"}), Exists("c"), In("b", {""}), DoesNotExist("a"), In("b", {"", "z"}),
                           NotIn("e", {"x"}), Exists("c")}}),
            "!a,b in (,z),b=,c,d notin (x,y),e!=x");
}

}  // namespace
}  // namespace sluice
