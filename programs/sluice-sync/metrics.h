// The metrics of sluice-sync for Prometheus.
#ifndef SLUICE_PROGRAMS_SLUICE_SYNC_METRICS_H_
#define SLUICE_PROGRAMS_SLUICE_SYNC_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "kube/event_poster.h"
#include "kube/list_watch.h"
#include "kube/resource.h"
#include "kube/status_writer.h"
#include "push/pusher.h"

namespace sluice {

// Any thread.
class Metrics {
 public:
  explicit Metrics(const std::vector<std::string>& targets);

  void CountRefused(const std::string& kind) { refused_objects_.Add({{"kind", kind}}).Increment(); }
  void CountRefusedBatch(const std::string& target) { refused_batches_.Add({{"target", target}}).Increment(); }
  void ObserveApplied(const std::string& target, const AppliedBatch& batch);

  // For an API server, whose watches and Events provide the rest.
  void SetSource(Resource resource, std::size_t objects, const WatchHealth& health);
  void SetEvents(const EventHealth& health);
  void SetStatuses(const StatusHealth& health);
  // For manifests.
  void SetSource(Resource resource, std::size_t objects);
  void SetTarget(const Pusher& pusher);
  void SetBehind(const Pusher& pusher);
  // Sets when the certificate in that file ends.
  void SetCertificate(const std::string& file, std::int64_t ends_unix_s);

  std::string Text();

 private:
  static constexpr std::int64_t kNever = 0;

  prometheus::Registry registry_;
  prometheus::Family<prometheus::Gauge>& objects_;
  prometheus::Family<prometheus::Gauge>& watch_age_;
  prometheus::Family<prometheus::Counter>& watch_errors_;
  prometheus::Family<prometheus::Counter>& doubted_lists_;
  prometheus::Family<prometheus::Counter>& large_removals_;
  prometheus::Family<prometheus::Counter>& lists_;
  prometheus::Family<prometheus::Counter>& events_;
  prometheus::Family<prometheus::Counter>& statuses_;
  prometheus::Family<prometheus::Counter>& refused_objects_;
  prometheus::Family<prometheus::Counter>& refused_batches_;
  prometheus::Family<prometheus::Counter>& batches_;
  prometheus::Family<prometheus::Counter>& connects_;
  prometheus::Family<prometheus::Gauge>& connected_;
  prometheus::Family<prometheus::Gauge>& in_step_;
  prometheus::Family<prometheus::Gauge>& behind_;
  prometheus::Family<prometheus::Gauge>& held_policies_;
  prometheus::Family<prometheus::Gauge>& generation_;
  prometheus::Family<prometheus::Gauge>& kept_;
  prometheus::Family<prometheus::Gauge>& certificate_end_;
  prometheus::Family<prometheus::Histogram>& received_to_live_;
  prometheus::Family<prometheus::Histogram>& changed_to_live_;
  // When each watch last heard of the API server, steady clock. Ages are computed when they are asked for, so that they
  // grow even if the main loop hangs.
  std::array<std::atomic<std::int64_t>, kAllResourceCount> last_contact_ns_{};
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICE_SYNC_METRICS_H_
