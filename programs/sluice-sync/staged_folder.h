// Follows folders of staged policies (--staged) into the feed, beside the feed's other source.
#ifndef SLUICE_PROGRAMS_SLUICE_SYNC_STAGED_FOLDER_H_
#define SLUICE_PROGRAMS_SLUICE_SYNC_STAGED_FOLDER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "manifest/source.h"
#include "manifest/staged_folder.h"
#include "push/policy_feed.h"
#include "sluice/diagnostic.h"

namespace sluice {

// Any one thread.
class StagedFolder {
 public:
  using Tell = std::function<void(const Diagnostics&)>;

  // Without paths, nothing is staged. `feed` outlives it.
  StagedFolder(const std::vector<std::string>& paths, PolicyFeed& feed, Tell tell);

  // Puts the changes since the last look into the feed. True: there were some.
  bool Look();

 private:
  PolicyFeed& feed_;
  const Tell tell_;
  std::unique_ptr<ManifestSource> source_;  // null: there are no paths
  bool loaded_ = false;
  StagedSet known_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICE_SYNC_STAGED_FOLDER_H_
