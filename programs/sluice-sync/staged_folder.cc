#include "sluice-sync/staged_folder.h"

#include <utility>

#include "manifest/staged_folder.h"

namespace sluice {

StagedFolder::StagedFolder(const std::vector<std::string>& paths, PolicyFeed& feed, Tell tell)
    : feed_(feed), tell_(std::move(tell)) {
  if (!paths.empty()) source_ = std::make_unique<ManifestSource>(paths);
}

bool StagedFolder::Look() {
  if (source_ == nullptr) return false;
  const bool changed = source_->ConsumeEvents();
  if (std::exchange(loaded_, true) && !changed) return false;
  Manifests folder = source_->Load();
  std::map<std::string, StagedNetworkPolicy> now;
  for (StagedNetworkPolicy& staged : StagedIn(folder, &folder.diagnostics)) {
    const std::string name = staged.namespace_name + '/' + staged.name;
    now.insert_or_assign(name, std::move(staged));
  }
  tell_(folder.diagnostics);
  if (now == known_) return false;
  feed_.Change(ChangeTime::Now(), [&](ClusterResolver& resolver) {
    for (const auto& [name, staged] : known_) {
      if (!now.contains(name)) resolver.DeleteStaged(staged.namespace_name, staged.name);
    }
    for (const auto& [name, staged] : now) resolver.Upsert(staged);
  });
  known_ = std::move(now);
  return true;
}

}  // namespace sluice
