#include "sluice-sync/metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <chrono>

#include "push/stall.h"

namespace sluice {
namespace {

// We watch for milliseconds; an outage takes minutes.
const prometheus::Histogram::BucketBoundaries kSeconds = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2,
                                                          0.5,   1,     2,     5,    10,   30,   60,  300};

prometheus::Family<prometheus::Gauge>& Gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

prometheus::Family<prometheus::Counter>& Counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

prometheus::Family<prometheus::Histogram>& Histogram(prometheus::Registry& registry, const char* name,
                                                     const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

void BuildInfo(prometheus::Registry& registry) {
  Gauge(registry, "sluice_sync_build_info", "1; the version is in the label").Add({{"version", SLUICE_VERSION}}).Set(1);
}

void Raise(prometheus::Counter& counter, std::uint64_t value) {
  if (static_cast<double>(value) > counter.Value()) counter.Increment(static_cast<double>(value) - counter.Value());
}

}  // namespace

Metrics::Metrics(const std::vector<std::string>& targets)
    : objects_(Gauge(registry_, "sluice_sync_objects", "Objects known, by resource")),
      watch_age_(Gauge(registry_, "sluice_sync_watch_age_seconds", "Time since the API server was last heard of")),
      watch_errors_(Counter(registry_, "sluice_sync_watch_errors_total", "Lists and watches that failed")),
      doubted_lists_(Counter(registry_, "sluice_sync_doubted_lists_total",
                             "Lists that would remove more than half of the objects, and so were asked for once more")),
      large_removals_(Counter(registry_, "sluice_sync_large_removals_total",
                              "Lists that removed more than half of the objects, as the one before had said")),
      lists_(Counter(registry_, "sluice_sync_lists_total", "Lists that were begun; a watch that lasts needs none")),
      events_(Counter(registry_, "sluice_sync_events_total", "Kubernetes Events on refused objects, by outcome")),
      statuses_(Counter(registry_, "sluice_sync_statuses_total", "Statuses of cluster policies, by outcome")),
      refused_objects_(
          Counter(registry_, "sluice_sync_refused_objects_total", "Versions of objects that were refused")),
      refused_batches_(
          Counter(registry_, "sluice_sync_refusals_total", "Problems that a dataplane refused a batch for")),
      batches_(Counter(registry_, "sluice_sync_batches_total", "Batches that a dataplane applied")),
      connects_(Counter(registry_, "sluice_sync_connects_total", "Streams to a dataplane that were opened")),
      connected_(Gauge(registry_, "sluice_sync_connected", "1 while the stream to the dataplane stands, else 0")),
      in_step_(Gauge(registry_, "sluice_sync_in_step", "1 while the dataplane has taken all that was sent, else 0")),
      behind_(Gauge(registry_, "sluice_sync_behind_seconds",
                    "Time without a batch that the dataplane took, though there is something for it; 0: there is not")),
      held_policies_(Gauge(registry_, "sluice_sync_held_policies", "Policies sent without their rules, since refused")),
      generation_(Gauge(registry_, "sluice_sync_generation", "The dataplane's generation after the last batch")),
      kept_(Gauge(registry_, "sluice_sync_kept",
                  "1 if the dataplane, started again, would begin with what is in force, or need not; else 0")),
      certificate_end_(Gauge(registry_, "sluice_sync_certificate_end_timestamp_seconds",
                             "When the certificate that we show to dataplanes ends, since 1970")),
      received_to_live_(Histogram(registry_, "sluice_sync_received_to_live_seconds",
                                  "From hearing of a change to its being in force, of each change")),
      changed_to_live_(
          Histogram(registry_, "sluice_sync_changed_to_live_seconds",
                    "From the API server's time stamp, cut to whole seconds, to the change being in force, "
                    "of each change that has one")) {
  BuildInfo(registry_);
  for (const ResourceInfo& resource : kResourceInfos) refused_objects_.Add({{"kind", std::string(resource.kind)}});
  for (const std::string& target : targets) {
    refused_batches_.Add({{"target", target}});
    received_to_live_.Add({{"target", target}}, kSeconds);
    changed_to_live_.Add({{"target", target}}, kSeconds);
  }
}

void Metrics::ObserveApplied(const std::string& target, const AppliedBatch& batch) {
  generation_.Add({{"target", target}}).Set(static_cast<double>(batch.generation));
  kept_.Add({{"target", target}}).Set(batch.not_kept.empty() ? 1 : 0);
  constexpr double kNsPerSecond = 1e9;
  prometheus::Histogram& received = received_to_live_.Add({{"target", target}}, kSeconds);
  prometheus::Histogram& changed = changed_to_live_.Add({{"target", target}}, kSeconds);
  for (const auto& [time, changes] : batch.changes.entries()) {
    const double received_s = static_cast<double>(batch.live_ns - time.received_ns) / kNsPerSecond;
    const double changed_s = static_cast<double>(batch.live_ns) / kNsPerSecond - static_cast<double>(time.changed_s);
    for (std::uint64_t i = 0; i < changes; ++i) {
      received.Observe(std::max(received_s, 0.0));
      if (time.changed_s != 0) changed.Observe(std::max(changed_s, 0.0));
    }
  }
}

void Metrics::SetSource(Resource resource, std::size_t objects) {
  objects_.Add({{"resource", std::string(InfoOf(resource).name)}}).Set(static_cast<double>(objects));
}

void Metrics::SetSource(Resource resource, std::size_t objects, const WatchHealth& health) {
  SetSource(resource, objects);
  const prometheus::Labels labels = {{"resource", std::string(InfoOf(resource).name)}};
  Raise(watch_errors_.Add(labels), health.errors);
  Raise(doubted_lists_.Add(labels), health.doubted_lists);
  Raise(large_removals_.Add(labels), health.large_removals);
  Raise(lists_.Add(labels), health.lists);
  last_contact_ns_[static_cast<std::size_t>(resource)] = health.last_contact_ns.load();
}

void Metrics::SetEvents(const EventHealth& health) {
  Raise(events_.Add({{"outcome", "posted"}}), health.posted);
  Raise(events_.Add({{"outcome", "repeated"}}), health.repeated);
  Raise(events_.Add({{"outcome", "dropped"}}), health.dropped);
}

void Metrics::SetStatuses(const StatusHealth& health) {
  Raise(statuses_.Add({{"outcome", "written"}}), health.written);
  Raise(statuses_.Add({{"outcome", "same"}}), health.same);
  Raise(statuses_.Add({{"outcome", "failed"}}), health.failed);
}

void Metrics::SetTarget(const Pusher& pusher) {
  const PushHealth& health = pusher.health();
  const prometheus::Labels target = {{"target", pusher.target()}};
  Raise(connects_.Add(target), health.connects);
  connected_.Add(target).Set(health.connected ? 1 : 0);
  in_step_.Add(target).Set(health.in_step ? 1 : 0);
  held_policies_.Add(target).Set(static_cast<double>(health.held_policies));
  Raise(batches_.Add({{"target", pusher.target()}, {"kind", "full"}}), health.full_states);
  Raise(batches_.Add({{"target", pusher.target()}, {"kind", "update"}}), health.updates);
}

void Metrics::SetBehind(const Pusher& pusher) {
  const auto lacks_for = LacksFor(pusher.health(), std::chrono::steady_clock::now());
  behind_.Add({{"target", pusher.target()}}).Set(std::chrono::duration<double>(lacks_for).count());
}

void Metrics::SetCertificate(const std::string& file, std::int64_t ends_unix_s) {
  certificate_end_.Add({{"certificate", file}}).Set(static_cast<double>(ends_unix_s));
}

std::string Metrics::Text() {
  for (std::size_t index = 0; index < kAllResourceCount; ++index) {
    const auto resource = static_cast<Resource>(index);
    const std::int64_t last = last_contact_ns_[index];
    if (last == kNever) continue;
    const auto age = std::chrono::steady_clock::now().time_since_epoch() - std::chrono::nanoseconds(last);
    watch_age_.Add({{"resource", std::string(InfoOf(resource).name)}}).Set(std::chrono::duration<double>(age).count());
  }
  return prometheus::TextSerializer().Serialize(registry_.Collect());
}

}  // namespace sluice
