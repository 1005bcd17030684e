// What the API may see of ports and workers, whose types it does not know. Implemented where they are.
//
// Any thread; stops no worker.
#ifndef SLUICE_DATAPLANE_API_DATAPLANE_VIEW_H_
#define SLUICE_DATAPLANE_API_DATAPLANE_VIEW_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/pipeline.h"
#include "sluice/drop_reason.h"

namespace sluice {

struct PortState {
  std::uint32_t wire = 0;
  std::string device;
  bool link_up = false;
  std::uint64_t rx_packets = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t tx_packets = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t rx_missed = 0;
  std::uint64_t rx_errors = 0;
};

struct WorkerState {
  const Pipeline* pipeline = nullptr;  // lives as long as the view
  std::uint64_t handed_over = 0;
  double busy = 0;                                      // rounds that found work, of all, 0 to 1
  std::array<std::uint64_t, kDropReasonCount> dropped;  // outside the pipeline, by DropReason
};

class DataplaneView {
 public:
  virtual ~DataplaneView() = default;
  virtual std::vector<PortState> Ports() const = 0;
  virtual std::vector<WorkerState> Workers() const = 0;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_DATAPLANE_VIEW_H_
