// The running dataplane: ports, workers and the table in force. The control thread makes, watches and stops it.
#ifndef SLUICE_DATAPLANE_EDGE_DATAPLANE_H_
#define SLUICE_DATAPLANE_EDGE_DATAPLANE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/pipeline.h"
#include "edge/port.h"
#include "edge/settings.h"
#include "edge/worker.h"

namespace sluice {

class Dataplane {
 public:
  using Say = std::function<void(std::string_view)>;  // writes a line to the log

  // The MB of packet buffers that Start will want from EAL for this many workers.
  static std::uint32_t MemoryMb(const EdgeSettings& edge, const PipelineConfig& pipeline, std::uint32_t workers);

  // Called with each worker's pipeline, before the worker starts.
  using Prepare = std::function<void(Pipeline&)>;

  // Opens the ports and starts a worker on each of EAL's worker cores. Requires EAL. The error
  // names the device, or what there was no memory for, and a remedy; then nothing is left running.
  static std::variant<std::unique_ptr<Dataplane>, std::string> Start(const EdgeSettings& edge,
                                                                     const PipelineConfig& pipeline,
                                                                     std::shared_ptr<const Table> first, Say say,
                                                                     const Prepare& prepare = {});
  ~Dataplane();
  Dataplane(const Dataplane&) = delete;
  Dataplane& operator=(const Dataplane&) = delete;

  // Every worker uses this table for all packets, from its next burst on. Does not wait.
  void Publish(std::shared_ptr<const Table> table);

  // Looks after ports and retired tables; call it a few times a second. Returns the tables that nobody reads
  // any more. Freeing them takes time: a caller that keeps others waiting should free them afterwards.
  std::vector<std::shared_ptr<const Table>> Watch();

  // Stops receiving, sends out what is under way (for one second at most), ends the workers and closes the ports.
  void Stop();

  const std::shared_ptr<const Table>& table() const { return tables_->current(); }
  // The workers, as readers of what is published beside tables.
  Readers& readers() { return readers_; }
  const std::vector<std::unique_ptr<Port>>& ports() const { return ports_; }
  const std::vector<std::unique_ptr<Worker>>& workers() const { return workers_; }
  // One for each worker, in their order. Any thread. The rings and readers in them live as long as the plane.
  std::vector<Observation> Observe() const;

 private:
  Dataplane(const PipelineConfig& pipeline, std::uint32_t workers, std::shared_ptr<const Table> first, Say say);

  void WaitForLinks();
  bool RingsAreEmpty() const;
  bool NobodyHoldsAnswers() const;

  Say say_;
  Readers readers_;
  std::unique_ptr<TableSlot> tables_;
  Workplace place_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::vector<std::unique_ptr<Worker>> workers_;
  bool running_ = false;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_DATAPLANE_H_
