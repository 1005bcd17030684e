#include "sluice-sync/metrics.h"

#include <prometheus/text_serializer.h>

namespace sluice {
namespace {

// Milliseconds are what we are after; minutes are what an outage takes.
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

void Raise(prometheus::Counter& counter, std::uint64_t value) {
  if (static_cast<double>(value) > counter.Value()) counter.Increment(static_cast<double>(value) - counter.Value());
}

}  // namespace

Metrics::Metrics()
    : objects_(Gauge(registry_, "sluice_sync_objects", "Objects known, by resource")),
      source_age_(Gauge(registry_, "sluice_sync_watch_age_seconds", "Since the API server was last heard of")),
      refused_objects_(Counter(registry_, "sluice_sync_refused_objects_total", "Objects refused, by kind")),
      refused_batches_(Counter(registry_, "sluice_sync_refusals_total", "What a dataplane did not take")),
      batches_(Counter(registry_, "sluice_sync_batches_total", "Batches applied by a dataplane")),
      connected_(Gauge(registry_, "sluice_sync_connected", "1: the stream to the dataplane stands")),
      in_step_(Gauge(registry_, "sluice_sync_in_step", "1: the dataplane took the last batch")),
      held_policies_(Gauge(registry_, "sluice_sync_held_policies", "Policies that isolate only, since refused")),
      generation_(Gauge(registry_, "sluice_sync_generation", "The dataplane's generation after the last batch")),
      received_to_live_(Histogram(registry_, "sluice_sync_received_to_live_seconds",
                                  "From hearing of a batch's oldest change to its being in force")),
      changed_to_live_(Histogram(registry_, "sluice_sync_changed_to_live_seconds",
                                 "The same from the API server's time stamp, which is rounded down to a second")) {}

void Metrics::ObserveApplied(const std::string& target, const AppliedBatch& batch) {
  generation_.Add({{"target", target}}).Set(static_cast<double>(batch.generation));
  if (batch.live_ns == 0 || batch.oldest.received_ns == 0) return;
  constexpr double kNsPerSecond = 1e9;
  const double live_s = static_cast<double>(batch.live_ns) / kNsPerSecond;
  received_to_live_.Add({{"target", target}}, kSeconds)
      .Observe(static_cast<double>(batch.live_ns - batch.oldest.received_ns) / kNsPerSecond);
  if (batch.oldest.changed_s == 0) return;
  changed_to_live_.Add({{"target", target}}, kSeconds).Observe(live_s - static_cast<double>(batch.oldest.changed_s));
}

void Metrics::SetSource(Resource resource, std::size_t objects, std::optional<double> age_s) {
  const std::string name(InfoOf(resource).name);
  objects_.Add({{"resource", name}}).Set(static_cast<double>(objects));
  if (age_s) source_age_.Add({{"resource", name}}).Set(*age_s);
}

void Metrics::SetTarget(const Pusher& pusher) {
  const PushHealth& health = pusher.health();
  const prometheus::Labels target = {{"target", pusher.target()}};
  connected_.Add(target).Set(health.connected ? 1 : 0);
  in_step_.Add(target).Set(health.in_step ? 1 : 0);
  held_policies_.Add(target).Set(static_cast<double>(health.held_policies));
  Raise(batches_.Add({{"target", pusher.target()}, {"kind", "full"}}), health.full_states);
  Raise(batches_.Add({{"target", pusher.target()}, {"kind", "update"}}), health.updates);
}

std::string Metrics::Text() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

}  // namespace sluice
