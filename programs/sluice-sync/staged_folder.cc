#include "sluice-sync/staged_folder.h"

#include <set>
#include <string>
#include <utility>

namespace sluice {
namespace {

std::string KeyOf(const StagedNetworkPolicy& staged) { return staged.namespace_name + '/' + staged.name; }
std::string KeyOf(const StagedClusterPolicy& staged) { return staged.name; }

// Returns the items of `before` that are missing from `now`.
template <typename Staged>
std::vector<Staged> LeftOf(const std::vector<Staged>& before, const std::vector<Staged>& now) {
  std::set<std::string> keys;
  for (const Staged& staged : now) keys.insert(KeyOf(staged));
  std::vector<Staged> left;
  for (const Staged& staged : before) {
    if (!keys.contains(KeyOf(staged))) left.push_back(staged);
  }
  return left;
}

}  // namespace

StagedFolder::StagedFolder(const std::vector<std::string>& paths, PolicyFeed& feed, Tell tell)
    : feed_(feed), tell_(std::move(tell)) {
  if (!paths.empty()) source_ = std::make_unique<ManifestSource>(paths);
}

bool StagedFolder::Look() {
  if (source_ == nullptr) return false;
  const bool changed = source_->ConsumeEvents();
  if (std::exchange(loaded_, true) && !changed) return false;
  Manifests folder = source_->Load();
  StagedSet now = StagedIn(folder, &folder.diagnostics);
  tell_(folder.diagnostics);
  if (now == known_) return false;
  feed_.Change(ChangeTime::Now(), [&](ClusterResolver& resolver) {
    for (const StagedNetworkPolicy& gone : LeftOf(known_.policies, now.policies)) {
      resolver.DeleteStaged(gone.namespace_name, gone.name, gone.by);
    }
    for (const StagedClusterPolicy& gone : LeftOf(known_.cluster_policies, now.cluster_policies)) {
      resolver.DeleteStagedCluster(gone.name, gone.by);
    }
    for (const StagedNetworkPolicy& staged : now.policies) resolver.Upsert(staged);
    for (const StagedClusterPolicy& staged : now.cluster_policies) resolver.Upsert(staged);
  });
  known_ = std::move(now);
  return true;
}

}  // namespace sluice
