// What sluiced serves by HTTP: whether it is alive, whether it is ready, and its metrics.
#ifndef SLUICE_PROGRAMS_SLUICED_MONITOR_H_
#define SLUICE_PROGRAMS_SLUICED_MONITOR_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "api/drop_feed.h"
#include "edge/dataplane.h"
#include "names/name_store.h"
#include "observe/dataplane_view.h"
#include "observe/flow_log.h"
#include "observe/metrics.h"
#include "store/policy_intake.h"
#include "table/compile.h"

namespace sluice {

class Monitor {
 public:
  struct Settings {
    CompileLimits limits;
    std::size_t policies = 0;  // as for Metrics
    bool fail_closed = true;
    bool has_sender = true;  // policy comes from senders, not from manifests
    const FlowLog* flow_log = nullptr;
    const StagedLedger* staged = nullptr;
    const NameStore* names = nullptr;
  };

  // `intake`, the flow log, the ledger and the names outlive it.
  Monitor(const PolicyIntake& intake, Settings settings);

  // The control thread calls these.

  // Call it a few times a second: it says that the process is alive.
  void Turn() { turned_ = std::chrono::steady_clock::now().time_since_epoch(); }
  // The same. Each worker that went round since the last call is alive, too.
  void Turn(const Dataplane& plane);
  void SetCertificateEnd(std::int64_t unix_s) { certificate_end_unix_s_ = unix_s; }
  // Packets flow from now on. The view and the feed outlive the monitor, or the call of EndTraffic, which waits until
  // no thread uses them.
  void BeginTraffic(const DataplaneView& view, const DropFeed& drops);
  void EndTraffic();

  // Any thread. Empty: all is well.
  std::string Dead() const;
  std::string Unready() const;
  std::string MetricsText();

 private:
  using Clock = std::chrono::steady_clock;

  const PolicyIntake& intake_;
  const Settings settings_;
  const std::uint64_t start_unix_ns_;
  std::atomic<Clock::duration> turned_;
  std::atomic<std::int64_t> certificate_end_unix_s_ = 0;
  mutable std::mutex rounds_mutex_;
  struct Rounds {
    std::uint64_t count = 0;
    Clock::time_point since;
  };
  std::vector<Rounds> rounds_;  // by worker
  mutable std::shared_mutex view_mutex_;
  const DataplaneView* view_ = nullptr;
  const DropFeed* drops_ = nullptr;  // set if there is a view
  Metrics metrics_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICED_MONITOR_H_
