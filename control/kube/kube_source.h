// A cluster's objects from its API server, as ManifestSource has them from files. Lists and watches Namespaces, Nodes,
// Pods and NetworkPolicies, and cluster policies if the API server has them. Posts Events on objects that are refused,
// and writes the status of cluster policies.
//
// Everything happens in the thread that calls Poll. There is no other thread.
//
//   KubeSource source(access, options, sink);    // access: FindAccess of kube/kubeconfig.h
//   while (running) {
//     source.Poll(std::chrono::milliseconds(100));  // calls sink.OnUpsert, OnDelete, ...
//     if (source.synced() && store.changed()) Resolve and push what changed, once for all that came in one Poll.
//   }
//
// A slow sink only delays: bytes wait in the sockets, and before them in the API server's own buffers. A sink that
// takes minutes loses its watches and gets a new list.
#ifndef SLUICE_CONTROL_KUBE_KUBE_SOURCE_H_
#define SLUICE_CONTROL_KUBE_KUBE_SOURCE_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "kube/access.h"
#include "kube/discovery.h"
#include "kube/event_poster.h"
#include "kube/list_watch.h"
#include "kube/node_reports.h"
#include "kube/object_sink.h"
#include "kube/resource.h"
#include "kube/status_writer.h"

namespace sluice {

struct KubeOptions {
  // By Resource. Mostly they differ only in their selectors: pods of one node are "spec.nodeName=NAME".
  std::array<WatchOptions, kResourceCount> watches;
  WatchOptions optional_watches;  // of the optional resources
  DiscoveryOptions discovery;
  EventOptions events;
  StatusOptions statuses;
  NodeReportOptions reports;
  std::uint64_t seed = 0;  // for everything random (back-off, time-outs); 0: a random one
};

class KubeSource {
 public:
  // `sink` must outlive it.
  KubeSource(const KubeAccess& access, const KubeOptions& options, ObjectSink& sink);
  ~KubeSource();
  KubeSource(const KubeSource&) = delete;
  KubeSource& operator=(const KubeSource&) = delete;

  // Delivers what has come. Waits at most `timeout` for the first part of it.
  void Poll(std::chrono::milliseconds timeout);
  // Ends a Poll that waits. Any thread.
  void Wake();

  // True once every resource of the API server, also optional ones, was listed whole since the start. Staged resources
  // that the API server forbids us do not count.
  bool synced() const;
  // Posts a Kubernetes Event on the object, at some later Poll; see EventPoster::Post.
  void PostEvent(const EventSubject& subject, const std::string& reason, const std::string& message);

  // For cluster policies; see StatusWriter::Want and Forget.
  void WantStatus(const EventSubject& subject, const ObjectStatus& status) { statuses_.Want(subject, status); }
  void ForgetStatus(Resource resource, const std::string& name) { statuses_.Forget(resource, name); }

  StatusWriter& statuses() { return statuses_; }
  // Which cluster policies the nodes have in force.
  NodeReports& reports() { return reports_; }

  // False for an optional resource that the API server does not have, or may not have.
  bool watches(Resource resource) const { return watches_[static_cast<std::size_t>(resource)] != nullptr; }

  // Any thread.
  const WatchHealth& health(Resource resource) const { return health_[static_cast<std::size_t>(resource)]; }
  const EventHealth& event_health() const { return event_health_; }
  const StatusHealth& status_health() const { return status_health_; }

 private:
  void FollowDiscovery();

  const KubeOptions options_;
  ObjectSink& sink_;
  std::uint64_t seed_;
  std::array<WatchHealth, kAllResourceCount> health_;
  EventHealth event_health_;
  StatusHealth status_health_;
  ApiClient client_;
  EventPoster events_;
  StatusWriter statuses_;
  NodeReports reports_;
  Discovery discovery_;
  std::array<std::unique_ptr<ListWatch>, kAllResourceCount> watches_;
  std::array<std::string, kAllResourceCount> versions_;  // of the optional resources that are watched
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_KUBE_SOURCE_H_
