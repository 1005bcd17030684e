#include "wire.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>
#include <variant>

#include "start.h"

namespace sluice {

double Seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

Wire::Wire(std::string_view program, const WireOptions& options) {
  EdgeSettings edge;
  edge.idle = Idle::kPoll;
  edge.wires.resize(1);
  edge.wires[0].ports[0].device = "net_pcap0,rx_pcap=" + options.capture + ",infinite_rx=1";
  edge.wires[0].ports[1].device = "null";
  // There are as many buffers as descriptors, of two ports and two directions.
  edge.rx_descriptors += options.captured / 4;
  edge.tx_descriptors += options.captured / 4;
  const auto fail = [&](const std::string& what) {
    std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(program.size()), program.data(), what.c_str());
    std::exit(1);
  };
  if (!StartOnTwoCores(program, Dataplane::MemoryMb(edge, options.pipeline, 1))) std::exit(1);
  Compiler compiler;
  auto plane = Dataplane::Start(edge, options.pipeline, compiler.EmptyTable(), [](std::string_view) {});
  if (const auto* error = std::get_if<std::string>(&plane)) fail(*error);
  plane_ = std::get<0>(std::move(plane));
}

Wire::~Wire() = default;

void Wire::Publish(std::shared_ptr<const Table> table) {
  plane_->Publish(std::move(table));
  plane_->Watch();
}

Window Wire::Totals() const {
  const Worker& worker = *plane_->workers().front();
  Window totals;
  for (const PortTraffic& port : worker.counters().ports) {
    totals.received += port.received.value();
    totals.sent += port.sent.value();
  }
  const Observation observation = plane_->Observe().front();
  totals.dropped = observation.dropped() + observation.rejected;
  totals.seconds = Seconds();
  return totals;
}

Window Wire::Watch(const Step& step) {
  const Window before = Totals();
  while (step()) {
  }
  const Window after = Totals();
  return {after.seconds - before.seconds, after.received - before.received, after.sent - before.sent,
          after.dropped - before.dropped};
}

Wire::Step For(double seconds) {
  return [end = Seconds() + seconds] {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return Seconds() < end;
  };
}

}  // namespace sluice
