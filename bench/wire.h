// The dataplane on the wire that a worker is measured with: a capture repeated without end on one side (the pcap
// driver's infinite_rx), nothing on the other (the null driver).
#ifndef SLUICE_BENCH_WIRE_H_
#define SLUICE_BENCH_WIRE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "edge/dataplane.h"
#include "source.h"
#include "table/compile.h"
#include "traffic.h"

namespace sluice {

struct WireOptions {
  std::string capture;
  std::uint32_t captured = 0;  // packets in it, each of which stays in a buffer
  PipelineConfig pipeline;
};

// What the worker did within some time.
struct Window {
  double seconds = 0;
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  std::uint64_t dropped = 0;  // by the pipeline and the edge

  double PacketsPerSecond() const { return static_cast<double>(sent) / seconds; }
};

class Wire {
 public:
  // Starts DPDK and the dataplane, without policy: all is dropped until Publish. Ends the program where it cannot.
  Wire(std::string_view program, const WireOptions& options);
  ~Wire();

  std::uint16_t source_port() const { return plane_->ports().front()->view().id; }
  void Publish(std::shared_ptr<const Table> table);
  Dataplane& plane() { return *plane_; }
  const PipelineCounters& counters() const { return plane_->workers().front()->pipeline().counters(); }
  Pipeline& pipeline() { return plane_->workers().front()->pipeline(); }

  // Calls `step` until it says false, and tells what the worker did meanwhile.
  using Step = std::function<bool()>;
  Window Watch(const Step& step);

 private:
  Window Totals() const;

  std::unique_ptr<Dataplane> plane_;
};

double Seconds();  // of a steady clock

// A step that does nothing until this much time has passed.
Wire::Step For(double seconds);

}  // namespace sluice

#endif  // SLUICE_BENCH_WIRE_H_
