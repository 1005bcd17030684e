// The metrics of sluiced for Prometheus. The text is made on request, from counters that exist anyway.
#ifndef SLUICE_DATAPLANE_OBSERVE_METRICS_H_
#define SLUICE_DATAPLANE_OBSERVE_METRICS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/observation.h"
#include "observe/dataplane_view.h"
#include "observe/flow_log.h"
#include "observe/policy_totals.h"
#include "observe/staged_ledger.h"
#include "observe/step_times.h"
#include "table/compile.h"
#include "table/table.h"

namespace sluice {

// Times are nanoseconds since 1970; 0: never.
struct PolicyFacts {
  std::uint64_t published_unix_ns = 0;
  std::uint64_t sender_heard_unix_ns = 0;
  bool has_sender = true;  // policy comes from senders, not from manifests
  bool sender_connected = false;
  bool kept = true;
  bool refused = false;
  std::uint64_t large_removals = 0;
  std::size_t policies = 0;
  std::size_t endpoints = 0;
};

// Facts about the learnt names that rules ask for.
struct NameTotals {
  std::uint64_t patterns = 0;
  std::uint64_t names = 0;
  std::uint64_t addresses = 0;  // pairs of a name and an address in force
  std::uint64_t learnt = 0;     // pairs, since the start
  std::uint64_t expired = 0;
  std::uint64_t evicted = 0;
};

struct MetricsInput {
  std::string version;
  std::uint64_t start_unix_ns = 0;
  std::vector<Observation> workers;
  std::vector<PortState> ports;
  std::optional<CarriedTotals> carried;  // nothing: there are no hooks
  std::optional<HookDrops> hook_drops;
  std::optional<DnsTotals> dns;  // nothing: no resolver is configured
  NameTotals names;
  std::shared_ptr<const Table> table;
  PolicyTotals::IsInForce is_in_force;
  PolicyFacts policy;
  CompileLimits limits;
  const StepTimes* steps = nullptr;
  std::vector<FlowLog::SinkCounts> flow_log;
  std::optional<std::uint64_t> history_lost;  // ended flows that the history lacks; nothing: there is no history
  std::uint64_t drops_not_shown = 0;          // to clients that watch drops
  std::size_t staged_policies = 0;
  bool staged_refused = false;
  StagedTotals staged;
  std::uint64_t staged_silent_pods = 0;     // pods without traffic since then
  std::int64_t certificate_end_unix_s = 0;  // 0: there is none
};

// Any thread.
class Metrics {
 public:
  // `policies`: how many policies have series of their own, at most.
  explicit Metrics(std::size_t policies) : totals_(policies) {}

  // Returns the text format, version 0.0.4. Requires a table, and steps.
  std::string Text(const MetricsInput& input);

 private:
  std::mutex mutex_;
  PolicyTotals totals_;
};

// Returns the table of docs/metrics.md: name, type, labels, meaning.
std::string MetricsReference();

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_METRICS_H_
