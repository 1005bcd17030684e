// From the objects of a source to the feed, keeping of each object the last good version (NP-16).
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

// Of an API server's objects. Within the thread of KubeSource::Poll. Until every resource was listed whole, objects are
// gathered here: the feed takes all of them at once several times as fast as one by one.
class KubeFollower : public ObjectSink {
 public:
  // Errors of one object; what stands for it (its last good version, or what isolates) is in the feed already.
  using Refused = std::function<void(const EventSubject&, const Diagnostics&)>;

  // What failed closed in a cluster policy that is in force (CNP-08): warnings.
  using FailedClosed = std::function<void(const EventSubject&, const Diagnostics&)>;

  // `local_pods`: where a network plugin tells of this node's pods; else null. `statuses` may be null, too. All outlive
  // it. A cluster policy whose status alone changed is not told of again.
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
  // Empty: no such Node is known.
  std::string UidOfNode(const std::string& name) const;
  // What names the policy to the API server; nothing of one that is not known.
  std::optional<EventSubject> SubjectOfPolicy(const std::string& name) const;
  // The same of what is staged for a policy of that name.
  std::optional<EventSubject> SubjectOfStaged(const std::string& name) const;

 private:
  struct Known {
    std::string uid;
    std::uint32_t since = 0;         // the replacement under way, or the last one, when it came
    std::uint32_t replacement = 0;   // the last in which it was named
    bool good = false;               // a good version is in the feed
    std::uint32_t gathered = kNone;  // its index among those gathered
    std::int64_t generation = 0;     // of a cluster policy
  };
  struct Kept {
    std::unordered_map<std::string, Known> objects;  // "default/web", or a name alone
    std::uint32_t replacement = 0;
    bool listed = false;  // whole, once
  };
  static constexpr std::uint32_t kNone = 0xffffffff;

  Kept& Of(Resource resource) { return kept_[static_cast<std::size_t>(resource)]; }
  const Kept& Of(Resource resource) const { return kept_[static_cast<std::size_t>(resource)]; }

  bool gathering() const { return gathered_ != nullptr; }
  static bool has_status(Resource resource) { return IsClusterPolicy(resource); }
  // Takes it out of what is gathered, or of the feed.
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
      std::make_unique<Cluster>();  // those without a name went again; null: all listed
};

// Of manifests, which are always known whole. Any one thread.
class ManifestFollower {
 public:
  explicit ManifestFollower(PolicyFeed& feed, LocalPods* local_pods = nullptr) : feed_(feed), local_pods_(local_pods) {}

  // The feed's cluster becomes `cluster`.
  void Follow(const Cluster& cluster, const ChangeTime& time);

  std::size_t objects(Resource resource) const { return names_[static_cast<std::size_t>(resource)].size(); }

 private:
  PolicyFeed& feed_;
  LocalPods* const local_pods_;
  bool loaded_ = false;
  std::array<std::unordered_set<std::string>, kResourceCount> names_;  // of what is in the feed
  std::set<std::pair<ClusterPolicyKind, std::string>> cluster_policies_;
  std::set<std::tuple<std::string, std::string, StagedBy>> staged_;
  std::set<std::string> staged_cluster_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICE_SYNC_CLUSTER_FOLLOWER_H_
