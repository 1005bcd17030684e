#include "sluice/port_ranges.h"

#include <gtest/gtest.h>

#include "sluice/protocol.h"

namespace sluice {
namespace {

TEST(PortRanges, ThatOverlapOrTouchBecomeOne) {
  std::vector<PortRange> ranges = {
      {kProtoUdp, 53, 53}, {kProtoTcp, 90, 99}, {kProtoTcp, 80, 95}, {kProtoTcp, 100, 100}, {kProtoTcp, 102, 65535},
  };
  SortAndMerge(ranges);
  EXPECT_EQ(ranges, (std::vector<PortRange>{{kProtoTcp, 80, 100}, {kProtoTcp, 102, 65535}, {kProtoUdp, 53, 53}}));
}

TEST(PortRanges, OfDifferentProtocolsStayApart) {
  std::vector<PortRange> ranges = {{kProtoUdp, 0, 65535}, {kProtoTcp, 0, 65535}, {kProtoTcp, 65535, 65535}};
  SortAndMerge(ranges);
  EXPECT_EQ(ranges, (std::vector<PortRange>{{kProtoTcp, 0, 65535}, {kProtoUdp, 0, 65535}}));
}

TEST(PortRanges, AreToldAsToolsDo) {
  EXPECT_EQ(ToText(PortRange{kProtoTcp, 80, 80}), "tcp/80");
  EXPECT_EQ(ToText(PortRange{kProtoUdp, 30000, 32767}), "udp/30000-32767");
  EXPECT_EQ(ToText(PortRange{kProtoSctp, 0, 65535}), "sctp");
  EXPECT_EQ(ToText(PortRange{99, 1, 1}), "99/1");
}

}  // namespace
}  // namespace sluice
