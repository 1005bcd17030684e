// Puts the objects of a source into the feed, and keeps the last good version of each object (NP-16).
#ifndef SLUICE_PROGRAMS_SLUICE_SYNC_CLUSTER_FOLLOWER_H_
#define SLUICE_PROGRAMS_SLUICE_SYNC_CLUSTER_FOLLOWER_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "kube/event_poster.h"
#include "kube/object_sink.h"
#include "model/objects.h"
#include "push/policy_feed.h"
#include "sluice-sync/local_pods.h"
#include "sluice-sync/policy_statuses.h"
#include "sluice/diagnostic.h"

namespace sluice {

// Follows an API server's objects, within the thread of KubeSource::Poll. Until every resource was listed completely,
// objects are gathered here, since the feed takes all at once several times as fast as one by one.
class KubeFollower : public ObjectSink {
 public:
  // Errors of one object. Its replacement (its last good version, or an isolating one) is in the feed already.
  using Refused = std::function<void(const EventSubject&, const Diagnostics&)>;

  // Warnings about a cluster policy in force: the parts of it that failed closed (CNP-08).
  using FailedClosed = std::function<void(const EventSubject&, const Diagnostics&)>;

  // `local_pods`: set if a network plugin reports this node's pods; else null. `statuses` may be null, too. All outlive
  // it. A cluster policy is not reported again if only its status changed.
  KubeFollower(PolicyFeed& feed, Refused refused, FailedClosed failed_closed = {}, LocalPods* local_pods = nullptr,
               PolicyStatuses* statuses = nullptr)
      : feed_(feed),
        refused_(std::move(refused)),
        failed_closed_(std::move(failed_closed)),
        local_pods_(local_pods),
        statuses_(statuses) {}

  void OnReplaceBegin(Resource resource) override;
  void OnReplaceEnd(Resource resource) override;
  Removal RemovalOf(Resource resource) const override;
  bool Holds(Resource resource) const override { return objects(resource) > 0; }
  void OnUpsert(Resource resource, ReceivedObject object, const Arrival& arrival) override;
  void OnDelete(Resource resource, const ObjectKey& key, const Arrival& arrival) override;
  void OnTrouble(Resource resource, const std::string& message) override;
  void OnNotice(Resource resource, const std::string& message) override;
  void OnRecovered(Resource resource) override;

  std::size_t objects(Resource resource) const { return Of(resource).objects.size(); }
  // Empty if no such Node is known.
  std::string UidOfNode(const std::string& name) const;
  // Returns the API server's identification of the policy; nothing if the policy is unknown.
  std::optional<EventSubject> SubjectOfPolicy(const std::string& name) const;
  // The same for what is staged for a policy of that name.
  std::optional<EventSubject> SubjectOfStaged(const std::string& name) const;

 private:
  struct Known {
    std::string uid;
    std::uint32_t since = 0;         // the replacement during which it came, or the last one before it
    std::uint32_t replacement = 0;   // the last one that named it
    bool good = false;               // a good version is in the feed
    std::uint32_t gathered = kNone;  // its index in what is gathered
    std::int64_t generation = 0;     // for a cluster policy
  };
  struct Kept {
    std::unordered_map<std::string, Known> objects;  // "default/web", or a name alone
    std::uint32_t replacement = 0;
    bool listed = false;  // completely, at least once
  };
  static constexpr std::uint32_t kNone = 0xffffffff;

  Kept& Of(Resource resource) { return kept_[static_cast<std::size_t>(resource)]; }
  const Kept& Of(Resource resource) const { return kept_[static_cast<std::size_t>(resource)]; }

  bool gathering() const { return gathered_ != nullptr; }
  static bool has_status(Resource resource) { return IsClusterPolicy(resource); }
  // Removes it from what is gathered, or from the feed.
  void Forget(Resource resource, const std::string& joined, Known& known, const Arrival& arrival);
  void Gather(const DecodedObject& decoded, Known& known);
  void Ungather(Resource resource, const Known& known);
  void LoadGathered();
  std::optional<EventSubject> SubjectOf(Resource resource, const std::string& joined) const;

  PolicyFeed& feed_;
  const Refused refused_;
  const FailedClosed failed_closed_;
  LocalPods* const local_pods_;
  PolicyStatuses* const statuses_;
  std::array<Kept, kAllResourceCount> kept_;
  std::unique_ptr<Cluster> gathered_ =
      std::make_unique<Cluster>();  // removed objects have no name; null: all were listed
};

// Follows manifests, which are always known completely. Any one thread.
class ManifestFollower {
 public:
  explicit ManifestFollower(PolicyFeed& feed, LocalPods* local_pods = nullptr) : feed_(feed), local_pods_(local_pods) {}

  // Makes `cluster` the feed's cluster.
  void Follow(const Cluster& cluster, const ChangeTime& time);

  std::size_t objects(Resource resource) const { return names_[static_cast<std::size_t>(resource)].size(); }

 private:
  PolicyFeed& feed_;
  LocalPods* const local_pods_;
  bool loaded_ = false;
  std::array<std::unordered_set<std::string>, kResourceCount> names_;  // of objects in the feed
  std::set<std::pair<ClusterPolicyKind, std::string>> cluster_policies_;
  std::set<std::tuple<std::string, std::string, StagedBy>> staged_;
  std::set<std::string> staged_cluster_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICE_SYNC_CLUSTER_FOLLOWER_H_
