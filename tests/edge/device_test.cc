// Device names: what DPDK is asked for, and what each mistake is told.
#include "edge/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "edge/device_lock.h"
#include "edge/hooks_wire.h"
#include "edge/kernel_interface.h"

namespace sluice {
namespace {

using testing::HasSubstr;

struct Accepted {
  const char* name;
  const char* text;
  SocketRole role;
  const char* device;
  const char* arguments;
};

class DeviceText : public testing::TestWithParam<Accepted> {};

TEST_P(DeviceText, BecomesDpdkArguments) {
  const auto parsed = ParseDevice({GetParam().text, GetParam().role, 0}, 3);
  const auto* device = std::get_if<Device>(&parsed);
  ASSERT_NE(device, nullptr) << std::get<std::string>(parsed);
  EXPECT_EQ(device->name, GetParam().device);
  EXPECT_EQ(device->arguments, GetParam().arguments);
}

constexpr auto kByKind = SocketRole::kByKind;

INSTANTIATE_TEST_SUITE_P(
    Device, DeviceText,
    testing::Values(
        Accepted{"PciShort", "03:00.1", kByKind, "0000:03:00.1", ""},
        Accepted{"PciLong", "0000:AF:00.0", kByKind, "0000:af:00.0", ""},
        Accepted{"AfPacket", "af_packet:eth0", kByKind, "net_af_packet3", "iface=eth0"},
        Accepted{"AfXdp", "af_xdp:eth0", kByKind, "net_af_xdp3", "iface=eth0"},
        Accepted{"Tap", "tap:pods", kByKind, "net_tap3", "iface=pods"},
        Accepted{"MemifClientByDefault", "memif:/run/m.sock", kByKind, "net_memif3",
                 "role=client,socket=/run/m.sock,socket-abstract=no,id=0"},
        Accepted{"MemifServerWithId", "memif:/run/m.sock:7", SocketRole::kServer, "net_memif3",
                 "role=server,socket=/run/m.sock,socket-abstract=no,id=7"},
        Accepted{"VhostServerByDefault", "vhost:/run/v.sock", kByKind, "net_vhost3", "iface=/run/v.sock,client=0"},
        Accepted{"VhostClient", "vhost:/run/v.sock", SocketRole::kClient, "net_vhost3", "iface=/run/v.sock,client=1"},
        Accepted{"PcapIn", "pcap:in.pcap", kByKind, "net_pcap3", "rx_pcap=in.pcap"},
        Accepted{"PcapInOut", "pcap:in.pcap:out.pcap", kByKind, "net_pcap3", "rx_pcap=in.pcap,tx_pcap=out.pcap"},
        Accepted{"Null", "null", kByKind, "net_null3", "no-rx=1"}, Accepted{"Ring", "ring", kByKind, "net_ring3", ""},
        Accepted{"AnyOther", "net_bonding0,mode=1,member=x", kByKind, "net_bonding0", "mode=1,member=x"}),
    [](const auto& accepted) { return accepted.param.name; });

struct Refused {
  const char* name;
  const char* text;
  const char* error;
};

class BadDeviceText : public testing::TestWithParam<Refused> {};

TEST_P(BadDeviceText, IsRefusedByName) {
  const auto parsed = ParseDevice({GetParam().text, kByKind, 0}, 0);
  const auto* error = std::get_if<std::string>(&parsed);
  ASSERT_NE(error, nullptr) << std::get<Device>(parsed).name;
  EXPECT_THAT(*error, HasSubstr("device '" + std::string(GetParam().text) + "': "));
  EXPECT_THAT(*error, HasSubstr(GetParam().error));
}

INSTANTIATE_TEST_SUITE_P(
    Device, BadDeviceText,
    testing::Values(Refused{"Empty", "", "no such kind; wants a PCI address, af_packet:IFACE"},
                    Refused{"PlainInterface", "eth0", "no such kind"},
                    Refused{"PciWithoutFunction", "0000:03:00", "no such kind"},
                    Refused{"PciFunctionPastSeven", "0000:03:00.8", "no such kind"},
                    Refused{"AfPacketWithoutName", "af_packet:", "wants the name of an interface"},
                    Refused{"AfPacketWithoutColon", "af_packet", "wants a colon"},
                    Refused{"InterfaceNameTooLong", "af_packet:sixteencharacter", "wants the name of an interface"},
                    Refused{"ArgumentsSmuggledIn", "af_packet:eth0,qpairs=9", "wants the name of an interface"},
                    Refused{"MemifWithBadId", "memif:/run/m.sock:x", "ID wants a number"},
                    Refused{"MemifWithoutSocket", "memif::3", "wants memif:SOCKET[:ID]"},
                    Refused{"PcapWithoutFile", "pcap:", "wants pcap:IN[:OUT]"},
                    Refused{"PcapWithoutOut", "pcap:in:", "wants pcap:IN[:OUT]"},
                    Refused{"NullWithArgument", "null:1", "takes nothing after the kind"}),
    [](const auto& refused) { return refused.param.name; });

TEST(Device, SocketPathLongerThanTheKernelTakesIsRefused) {
  const auto parsed = ParseDevice({"vhost:/" + std::string(107, 'x'), kByKind, 0}, 0);
  EXPECT_TRUE(std::holds_alternative<std::string>(parsed));
}

TEST(Device, OnlyWhatCanBeSharedHasNoLock) {
  const auto lock_of = [](const char* text) { return std::get<Device>(ParseDevice({text, kByKind, 0}, 0)).lock; };
  EXPECT_EQ(lock_of("null"), "");
  EXPECT_EQ(lock_of("ring"), "");
  EXPECT_EQ(lock_of("pcap:in"), "");
  EXPECT_EQ(lock_of("af_packet:eth0"), lock_of("af_xdp:eth0"));
  EXPECT_NE(lock_of("af_packet:eth0"), lock_of("af_packet:eth1"));
  EXPECT_NE(lock_of("pcap:in:out"), "");
}

TEST(Device, PacketSocketFrameHoldsTheMtu) {
  EXPECT_EQ(PacketSocketFrame(1500), 2048u);
  EXPECT_EQ(PacketSocketFrame(9000), 16384u);
}

TEST(Wire, TextOfTwoDevicesIsRead) {
  const auto wire = ParseWire("af_packet:a,pcap:in:out");
  ASSERT_TRUE(std::holds_alternative<WireSettings>(wire));
  EXPECT_EQ(std::get<WireSettings>(wire).ports[0].device, "af_packet:a");
  EXPECT_EQ(std::get<WireSettings>(wire).ports[1].device, "pcap:in:out");
}

TEST(Wire, HooksNameNoDevices) {
  const auto wire = ParseWire("hooks");
  ASSERT_TRUE(std::holds_alternative<WireSettings>(wire));
  EXPECT_TRUE(std::get<WireSettings>(wire).is_hooks);
}

TEST(Wire, HooksGoByXdpWhereAFrameFitsItsBuffers) {
  EXPECT_EQ(HooksPortKind(1508), "af_xdp");
  EXPECT_EQ(HooksPortKind(3008), "af_xdp");
  EXPECT_EQ(HooksPortKind(9008), "af_packet");
}

TEST(Wire, HooksWithoutTheirDevicesNameWhatMakesThem) {
  EdgeSettings edge;
  edge.wires.emplace_back().is_hooks = true;
  const auto error = FillHooksWires(edge);
  ASSERT_TRUE(error);
  EXPECT_NE(error->find("`sluice-node run`"), std::string::npos) << *error;
}

TEST(Wire, HooksGivenTwiceAreRefused) {
  EdgeSettings edge;
  edge.wires.emplace_back().is_hooks = true;
  edge.wires.emplace_back().is_hooks = true;
  const auto error = FillHooksWires(edge);
  ASSERT_TRUE(error);
  EXPECT_NE(error->find("given twice"), std::string::npos) << *error;
}

TEST(Wire, TextOfOneOrThreeDevicesIsRefused) {
  for (const char* text : {"", "af_packet:a", "a,b,c"}) {
    EXPECT_TRUE(std::holds_alternative<std::string>(ParseWire(text))) << text;
  }
}

TEST(DeviceLock, SecondHolderIsRefusedUntilTheFirstLetsGo) {
  auto first = DeviceLock::Acquire("interface lock-test");
  ASSERT_TRUE(first);
  EXPECT_FALSE(DeviceLock::Acquire("interface lock-test"));
  EXPECT_TRUE(DeviceLock::Acquire("interface lock-test-2"));
  first.reset();
  EXPECT_TRUE(DeviceLock::Acquire("interface lock-test"));
}

TEST(KernelInterface, LoopbackIsThereAndAMadeUpNameIsNot) {
  const auto loopback = QueryInterface("lo");
  ASSERT_TRUE(loopback);
  EXPECT_NE(loopback->index, 0u);
  EXPECT_GT(loopback->mtu, 0u);
  EXPECT_FALSE(QueryInterface("no-such-iface"));
  EXPECT_FALSE(QueryInterface("a-name-longer-than-any"));
}

}  // namespace
}  // namespace sluice
