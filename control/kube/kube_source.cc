#include "kube/kube_source.h"

#include <algorithm>
#include <random>

namespace sluice {

KubeSource::KubeSource(const KubeAccess& access, const KubeOptions& options, ObjectSink& sink)
    : options_(options),
      sink_(sink),
      seed_(options.seed != 0 ? options.seed : std::random_device()()),
      client_(access),
      events_(options.events, client_, event_health_),
      statuses_(
          options.statuses, client_, status_health_,
          [this](Resource resource) { return versions_[static_cast<std::size_t>(resource)]; },
          [this](Resource resource, const std::string& why) { sink_.OnNotice(resource, why); }, seed_++),
      reports_(options.reports, client_,
               [this](const std::string& why) { sink_.OnNotice(Resource::kClusterNetworkPolicies, why); }),
      discovery_(options.discovery, client_, sink, seed_++) {
  for (const Resource resource : kResources) {
    const auto index = static_cast<std::size_t>(resource);
    watches_[index] =
        std::make_unique<ListWatch>(resource, options.watches[index], client_, sink, health_[index], seed_++);
  }
}

KubeSource::~KubeSource() = default;

// When a resource goes, its objects are deleted one by one. If the resource is not found any more while its objects are
// still there, they stay in force, and the watch goes on.
void KubeSource::FollowDiscovery() {
  for (const Resource resource : kOptionalResources) {
    const auto index = static_cast<std::size_t>(resource);
    const std::string version = discovery_.VersionOf(resource);
    if (version == versions_[index]) continue;
    if (version.empty() && (!watches_[index]->synced() || sink_.Holds(resource))) continue;
    versions_[index] = version;
    watches_[index].reset();
    health_[index].synced = false;
    if (version.empty()) continue;
    WatchOptions watch = options_.optional_watches;
    watch.api_version = version;
    watches_[index] = std::make_unique<ListWatch>(resource, watch, client_, sink_, health_[index], seed_++);
  }
}

void KubeSource::Poll(std::chrono::milliseconds timeout) {
  using std::chrono::milliseconds;
  const auto now = ListWatch::Clock::now();
  discovery_.Tick(now);
  FollowDiscovery();
  auto until = std::min(now + timeout, discovery_.Due());
  for (const auto& watch : watches_) {
    if (watch == nullptr) continue;
    watch->Tick(now);
    until = std::min(until, watch->Due());
  }
  events_.Tick(now);
  statuses_.Tick(now);
  reports_.Tick(now);
  until = std::min({until, statuses_.Due(), reports_.Due()});
  client_.Poll(std::max(milliseconds(0), std::chrono::ceil<milliseconds>(until - now)));
}

void KubeSource::Wake() { client_.Wake(); }

// If we may not read what is only staged (the role is older than the kind), what is in force does not wait for it.
bool KubeSource::synced() const {
  if (!discovery_.known()) return false;
  const auto read = [this](Resource each) {
    const WatchHealth& known = health(each);
    return watches(each) && (known.synced || (IsStaged(each) && known.forbidden));
  };
  return std::all_of(kResources.begin(), kResources.end(), read) &&
         std::all_of(kOptionalResources.begin(), kOptionalResources.end(),
                     [&](Resource each) { return watches(each) ? read(each) : discovery_.VersionOf(each).empty(); });
}

void KubeSource::PostEvent(const EventSubject& subject, const std::string& reason, const std::string& message) {
  events_.Post(subject, reason, message);
}

}  // namespace sluice
