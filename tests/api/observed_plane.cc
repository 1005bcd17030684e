#include "api/observed_plane.h"

namespace sluice {

std::vector<PortState> ObservedPlane::Ports() const {
  PortState port;
  port.device = "null";
  port.link_up = true;
  port.rx_packets = 7;
  return {port};
}

std::vector<Observation> ObservedPlane::Workers() const {
  Observation observation = const_cast<PipelineFixture&>(worker).pipeline().Observe();
  observation.busy = 0.25;
  observation.AddLostForwarded(DropReason::kTxFull, 3);
  return {observation};
}

ObservedFixture::ObservedFixture(std::uint64_t last_generation, const ReadLimits& limits) {
  last_generation_ = last_generation;
  read_limits_ = limits;
  Serve(plane_);
  StartServer();
  Sender sender(Connect(), "test");
  EXPECT_TRUE(sender.SendFullState(ServerAdmitsClient(), 7, 1).applied());
  const auto table = intake_->store().table();
  plane_.worker.pipeline().Reserve(*table);
  plane_.worker.Load(table);
  for (const std::uint16_t port : {std::uint16_t{80}, std::uint16_t{81}}) {
    plane_.worker.Send(PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2").Tcp(1234, port, kTcpSyn));
  }
  plane_.worker.SweepAll();
}

}  // namespace sluice
