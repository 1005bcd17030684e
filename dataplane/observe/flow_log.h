// The flow log: a line for each ended flow, and one for each (source, destination, port, rule) that was denied, with
// the number of denials. Sinks take the lines that they want. What a sink does not get is counted, and also reported in
// the sink's own stream. The latest records stay in memory for a while (flow_history.h).
//
// It has a thread of its own. Workers never wait for it: they write into a ring and a table (WorkerTap).
#ifndef SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_H_
#define SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_H_

#include <algorithm>
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
#include <unordered_map>
#include <vector>

#include "core/deny_table.h"
#include "core/observation.h"
#include "observe/flow_end_ring.h"
#include "observe/flow_history.h"
#include "observe/flow_log_record.h"
#include "observe/flow_log_settings.h"
#include "observe/flow_log_sink.h"
#include "observe/live_flows.h"
#include "table/table.h"

namespace sluice {

// Names of addresses and rules. Any thread.
class FlowLogNames {
 public:
  virtual ~FlowLogNames() = default;
  // Returns one owner for each address, in their order.
  virtual std::vector<FlowLogOwner> OwnersOf(std::span<const IpAddress> addresses) const = 0;
  virtual std::shared_ptr<const Table> table() const = 0;
};

// What one worker writes into.
struct WorkerTap {
  // `small`: set if no sink wants everything. A worker then touches little memory for each denied packet.
  WorkerTap(std::uint64_t seed, bool small, std::uint32_t deny_keys = DenyTable::kMostPairs)
      : ends(small ? kSmall : FlowEndRing::kCapacity),
        denies(seed, small ? std::min(kSmall, deny_keys) : deny_keys, small ? kSmall / 4 : DenyTable::kMostRules) {}

  static constexpr std::uint32_t kSmall = 8192;

  FlowEndRing ends;
  DenyTable denies;
};

class FlowLog {
 public:
  using Say = std::function<void(std::string_view)>;  // a warning for the log, from the flow log's thread
  using Workers = std::function<std::vector<Observation>()>;

  struct SinkCounts {
    std::string sink;
    std::uint64_t lines = 0;
    std::array<std::uint64_t, kLogLossNames.size()> lost{};
  };

  // Requires that CheckLogPlace accepts each sink's place. Opens nothing yet. `names` outlives the flow log.
  FlowLog(const FlowLogSettings& settings, const FlowLogNames& names, Say say);
  ~FlowLog();  // if Stop was not called, what is left is not written
  FlowLog(const FlowLog&) = delete;
  FlowLog& operator=(const FlowLog&) = delete;

  // Call it once for each worker, before the worker starts. The tap lives as long as the flow log.
  WorkerTap& AddTap(std::uint64_t seed);
  // Call it after all AddTap calls. It asks `workers` for live flows, until Stop; null: live flows have no records.
  void Start(Workers workers = nullptr);
  // Writes what is left, and live flows as `stopped`. Requires that the workers have ended.
  void Stop(const std::vector<Observation>& workers);

  // Any thread.

  std::vector<SinkCounts> Counts() const;
  // Null if the settings want no history.
  const FlowHistory* history() const { return history_.get(); }
  // Waits until the history has all flows that ended and packets that were denied before, but at most `patience`.
  void Refresh(std::chrono::milliseconds patience);

 private:
  using Clock = std::chrono::steady_clock;
  // The newest table of an epoch, and the generations that are known to belong to the epoch.
  struct KnownTable {
    std::shared_ptr<const Table> table;
    std::uint64_t first_generation = 0;
    std::unordered_map<RuleId, std::shared_ptr<const TableRule>> rules;  // rules that records named
  };
  struct TapState {
    std::unique_ptr<WorkerTap> tap;
    bool asked = false;           // the worker owes its other half
    std::uint64_t asked_for = 0;  // the newest Refresh when the worker was asked, ...
    std::uint64_t taken_for = 0;  // ... and the newest Refresh when the half was asked for that was taken last
    std::uint64_t lost_seen = 0;  // the ring's losses that were counted
  };

  void Run();
  void End();
  void LookAtTable();
  KnownTable* TableOfEpoch(std::uint64_t epoch);
  KnownTable* TableOfGeneration(std::uint64_t generation);
  static std::shared_ptr<const TableRule> RuleOf(KnownTable* known, RuleId rule);
  void NameIsolating(const DenyTable::Entry& entry, FlowLogRecord& record);
  std::shared_ptr<const FlowLogOwner> Share(const IpAddress& address, FlowLogOwner owner);
  bool TakeEnds();
  void WriteEnds(std::span<const FlowEndRecord> ends);
  bool TellLiveFlows();
  std::vector<FlowLogRecord> RecordsOf(std::span<const FlowView* const> flows, std::uint64_t now_ns);
  void TakeDenies(bool is_last, std::uint64_t refresh);
  void WriteDenies(std::span<const DenyTable::Entry> entries, std::uint64_t now_ns);
  bool IsRefreshed(std::uint64_t asked) const;
  void Write(FlowLogRecord record);
  void WriteToSinks(const FlowLogRecord& record);
  void CountRingLosses();
  void LoseEnds(std::uint64_t count);
  void TendSinks();

  const FlowLogNames& names_;
  const Say say_;
  const std::chrono::seconds deny_interval_;
  const std::uint32_t deny_keys_;
  const std::chrono::seconds live_interval_;  // 0: never
  std::vector<std::unique_ptr<FlowLogSink>> sinks_;
  const std::unique_ptr<FlowHistory> history_;
  std::vector<TapState> taps_;
  std::vector<KnownTable> tables_;  // newest first
  IsolatingPolicies isolating_;
  std::unordered_map<IpAddress, std::shared_ptr<const FlowLogOwner>> owners_;
  Clock::time_point denies_due_;
  Workers workers_;
  LiveFlows live_;
  Clock::time_point live_due_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stops_ = false;
  std::uint64_t refresh_asked_ = 0;  // calls of Refresh
  std::uint64_t refreshed_ = 0;      // ... of these, the last one after which the history is complete
  std::condition_variable refresh_done_;
  std::thread thread_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_H_
