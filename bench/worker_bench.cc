// A worker alone: packets from memory through the real pipeline to nowhere.
//
// Usage: worker_bench capture=FILE captured=N [family=4] [flows=1000] [rules=1000] [tuples=1] [protocol=udp] [hit=100]
//                     [windows=5] [seconds=0.2] [turns=0] [staged=0]
// `hit` is the percentage of packets whose flow is known; 0 opens a flow with each packet. Where `flows` are more than
// the packets captured, addresses are written on the way. With turns=1 it says "ready", and then measures for each
// line of its standard input, so that it may be stopped in between. With staged=1 a second table of the same policies
// is staged, by which new flows are judged, too.
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "arguments.h"
#include "measure.h"
#include "source.h"
#include "wire.h"

namespace sluice {
namespace {

constexpr std::uint32_t kFresh = 2u << 20;      // new flows until the first of them comes again
constexpr std::uint32_t kFreshRoom = 1u << 18;  // of them, those that the table holds

int Run(const Arguments& arguments) {
  const Traffic traffic = TrafficOf(arguments);
  const FrameShape shape = ShapeOf(arguments);
  const std::uint32_t flows = arguments.Number("flows", 1000);
  const std::uint32_t captured = arguments.Number("captured", flows);
  const std::uint32_t hit = arguments.Number("hit", 100);
  const bool opens = hit < 100;
  const std::uint32_t known = hit == 0 ? 0 : flows;

  WireOptions options;
  options.capture = arguments.Text("capture", "");
  options.captured = captured;
  std::uint32_t room = known + known / 4 + 64;
  if (opens) room = known + std::max(kFreshRoom, hit == 0 ? flows : 0);
  options.pipeline.flow_capacity_ipv4 = shape.family == Family::kIpv4 ? room : 64;
  options.pipeline.flow_capacity_ipv6 = shape.family == Family::kIpv6 ? room : 64;
  Wire wire("worker_bench", options);
  Compiler compiler;
  auto compiled = compiler.Compile(traffic.Policy());
  if (const auto* error = std::get_if<Diagnostic>(&compiled)) {
    std::fprintf(stderr, "worker_bench: %s\n", error->ToString().c_str());
    return 1;
  }
  Compiler staged_compiler;
  if (arguments.Number("staged", 0) != 0) {
    compiler.Stage({std::get<0>(staged_compiler.Compile(traffic.Policy())), 1, StagedTable::Changed::kAll});
  }
  Source source(wire.source_port(), traffic, shape, known, opens ? std::max(kFresh, 2 * room) : 0);
  wire.Publish(std::get<0>(compiled));
  source.Establish();
  if (wire.counters().flows_created.value() != known) {
    std::fprintf(stderr, "worker_bench: %u flows wanted, %llu opened\n", known,
                 static_cast<unsigned long long>(wire.counters().flows_created.value()));
    return 1;
  }

  Mix mix;
  mix.rewrite_known = known > captured;
  if (opens) {
    mix.new_in = hit == 0 ? 1 : 100 / (100 - hit);
    mix.new_packets = 1;
  }
  if (opens || mix.rewrite_known) {
    source.Run(mix);
  } else {
    source.Remove();
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(100 + known / 10'000));
  const auto measure = [&](std::uint32_t windows) {
    std::vector<double> mpps;
    const std::uint64_t created = wire.counters().flows_created.value();
    const double start = Seconds();
    for (std::uint32_t i = 0; i < windows; ++i) {
      const Window window = wire.Watch(For(arguments.Real("seconds", 0.2)));
      if (window.dropped != 0) {
        std::fprintf(stderr, "worker_bench: %llu packets were dropped\n",
                     static_cast<unsigned long long>(window.dropped));
        return false;
      }
      mpps.push_back(window.PacketsPerSecond() / 1e6);
    }
    const double opened = static_cast<double>(wire.counters().flows_created.value() - created) / (Seconds() - start);
    if (!opens && opened != 0) {
      std::fprintf(stderr, "worker_bench: flows were opened anew\n");
      return false;
    }
    Result("worker", "sluice")
        .Number("family", shape.family == Family::kIpv4 ? 4 : 6)
        .Number("flows", flows)
        .Number("rules", arguments.Number("rules", 1000))
        .Number("tuples", arguments.Number("tuples", 1))
        .Number("hit", hit)
        .Number("staged", arguments.Number("staged", 0))
        .Text("protocol", arguments.Text("protocol", "udp"))
        .Number("opened_per_second", opened)
        .Number("evicted", static_cast<double>(wire.counters().flows_evicted.value()))
        .Number("expired", static_cast<double>(wire.counters().flows_expired.value()))
        .Values("mpps", mpps);
    std::fflush(stdout);
    return true;
  };
  const std::uint32_t windows = arguments.Number("windows", 5);
  if (arguments.Number("turns", 0) == 0) return measure(windows) ? 0 : 1;
  std::puts("ready");
  std::fflush(stdout);
  while (std::getchar() == '\n') {
    if (!measure(windows)) return 1;
  }
  return 0;
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) { return sluice::Run(sluice::Arguments("worker_bench", argc, argv)); }
