// The running dataplane: ports, workers, the table in force. Made, watched and stopped by the control thread.
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
  using Say = std::function<void(std::string_view)>;  // a line for the log

  // MB of packet buffers that Start will want of EAL, for so many workers.
  static std::uint32_t MemoryMb(const EdgeSettings& edge, const PipelineConfig& pipeline, std::uint32_t workers);

  // Of each worker's pipeline, before the worker starts.
  using Prepare = std::function<void(Pipeline&)>;

  // Opens the ports and starts a worker on each of EAL's worker cores. Requires EAL. The error names the device, or
  // what there was no memory for, and a remedy; then nothing runs.
  static std::variant<std::unique_ptr<Dataplane>, std::string> Start(const EdgeSettings& edge,
                                                                     const PipelineConfig& pipeline,
                                                                     std::shared_ptr<const Table> first, Say say,
                                                                     const Prepare& prepare = {});
  ~Dataplane();
  Dataplane(const Dataplane&) = delete;
  Dataplane& operator=(const Dataplane&) = delete;

  // The table for every packet from a worker's next burst on. Does not wait.
  void Publish(std::shared_ptr<const Table> table);

  // Looks after ports and retired tables; call it a few times a second. Returns the tables that nobody reads any more:
  // freeing them takes time, and whoever keeps others waiting should do it afterwards.
  std::vector<std::shared_ptr<const Table>> Watch();

  // Receives no more, sends out what is under way (for a second at most), ends the workers, closes the ports.
  void Stop();

  const std::shared_ptr<const Table>& table() const { return tables_->current(); }
  // The workers, as readers of whatever is published beside tables.
  Readers& readers() { return readers_; }
  const std::vector<std::unique_ptr<Port>>& ports() const { return ports_; }
  const std::vector<std::unique_ptr<Worker>>& workers() const { return workers_; }
  // Of each worker, in their order. Any thread; what is in them to read on lives as long as the plane.
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
