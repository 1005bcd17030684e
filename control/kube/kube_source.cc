#include "kube/kube_source.h"

#include <algorithm>
#include <random>

namespace sluice {

KubeSource::KubeSource(const KubeAccess& access, const KubeOptions& options, ObjectSink& sink)
    : client_(access), events_(options.events, client_, event_health_) {
  std::uint64_t seed = options.seed != 0 ? options.seed : std::random_device()();
  for (const Resource resource : kResources) {
    const auto index = static_cast<std::size_t>(resource);
    watches_[index] =
        std::make_unique<ListWatch>(resource, options.watches[index], client_, sink, health_[index], seed++);
  }
}

KubeSource::~KubeSource() = default;

void KubeSource::Poll(std::chrono::milliseconds timeout) {
  using std::chrono::milliseconds;
  const auto now = ListWatch::Clock::now();
  auto until = now + timeout;
  for (const auto& watch : watches_) {
    watch->Tick(now);
    until = std::min(until, watch->Due());
  }
  events_.Tick(now);
  client_.Poll(std::max(milliseconds(0), std::chrono::ceil<milliseconds>(until - now)));
}

void KubeSource::Wake() { client_.Wake(); }

bool KubeSource::synced() const {
  return std::all_of(watches_.begin(), watches_.end(), [](const auto& watch) { return watch->synced(); });
}

void KubeSource::PostEvent(const EventSubject& subject, const std::string& reason, const std::string& message) {
  events_.Post(subject, reason, message);
}

}  // namespace sluice
