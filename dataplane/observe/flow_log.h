// The flow log: a line for each flow that ended, and one for each (source, destination, port, rule) that was denied,
// with how often. Sinks take the lines that they want; what a sink does not get is counted, in its own stream too.
//
// It has a thread of its own, which the workers never wait for: they write into a ring and a table (WorkerTap).
#ifndef SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_H_
#define SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_H_

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/deny_table.h"
#include "core/observation.h"
#include "observe/flow_end_ring.h"
#include "observe/flow_log_record.h"
#include "observe/flow_log_settings.h"
#include "observe/log_sink.h"
#include "table/table.h"

namespace sluice {

// What addresses and rules are called. Any thread.
class FlowLogNames {
 public:
  virtual ~FlowLogNames() = default;
  // As many as there are addresses, in their order.
  virtual std::vector<FlowLogOwner> OwnersOf(std::span<const IpAddress> addresses) const = 0;
  virtual std::shared_ptr<const Table> table() const = 0;
};

// What one worker writes into.
struct WorkerTap {
  explicit WorkerTap(std::uint64_t seed) : denies(seed) {}

  FlowEndRing ends;
  DenyTable denies;
};

// Lines that a sink did not get, by cause.
enum class LogLoss : std::uint8_t {
  kRing,  // a worker's ring was full: flows that ended, of whatever kind
  kSink,  // the sink could not take them
  kRate,  // beyond lines_per_second
};
inline constexpr std::array<std::string_view, 3> kLogLossNames = {"ring", "sink", "rate"};

class FlowLog {
 public:
  using Say = std::function<void(std::string_view)>;  // a warning for the log, from the flow log's thread

  struct SinkCounts {
    std::string sink;
    std::uint64_t lines = 0;
    std::array<std::uint64_t, kLogLossNames.size()> lost{};
  };

  // Requires sinks whose places CheckLogPlace takes. Opens nothing yet. `names` outlives it.
  FlowLog(const FlowLogSettings& settings, const FlowLogNames& names, Say say);
  ~FlowLog();  // without Stop, what is left is not written
  FlowLog(const FlowLog&) = delete;
  FlowLog& operator=(const FlowLog&) = delete;

  // One for each worker, before it starts; good as long as the flow log.
  WorkerTap& AddTap(std::uint64_t seed);
  // Once all taps are there.
  void Start();
  // Writes what is left, the flows that live on included, as `stopped`. Requires that the workers have ended.
  void Stop(const std::vector<Observation>& workers);

  // Any thread.
  std::vector<SinkCounts> Counts() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Sink;
  // The newest table of an epoch, and the generations that are known to be of it.
  struct KnownTable {
    std::shared_ptr<const Table> table;
    std::uint64_t first_generation = 0;
  };

  void Run();
  void End();
  void LookAtTable();
  const Table* TableOfEpoch(std::uint64_t epoch) const;
  const Table* TableOfGeneration(std::uint64_t generation) const;
  bool TakeEnds();
  void WriteEnds(std::span<const FlowEndRecord> ends);
  void TakeDenies(bool is_last);
  void WriteDenies(std::span<const DenyTable::Entry> entries, std::uint64_t now_ns);
  void Write(const FlowLogRecord& record);
  void CountRingLosses();
  void LoseEnds(std::uint64_t count);
  void TendSinks();

  const FlowLogNames& names_;
  const Say say_;
  const std::chrono::seconds deny_interval_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  std::vector<std::unique_ptr<WorkerTap>> taps_;
  std::vector<bool> asked_;               // by tap: its other half is due
  std::vector<std::uint64_t> ring_lost_;  // by tap, as last seen
  std::vector<KnownTable> tables_;        // newest first
  Clock::time_point denies_due_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stops_ = false;
  std::thread thread_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_H_
