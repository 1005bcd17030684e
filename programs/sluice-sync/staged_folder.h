// Folders of what is to be tried (--staged), followed into the feed beside whatever source it has.
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

  // No paths: nothing is staged. `feed` outlives it.
  StagedFolder(const std::vector<std::string>& paths, PolicyFeed& feed, Tell tell);

  // Takes what changed since the last look into the feed. True: something did.
  bool Look();

 private:
  PolicyFeed& feed_;
  const Tell tell_;
  std::unique_ptr<ManifestSource> source_;  // null: there is none
  bool loaded_ = false;
  StagedSet known_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICE_SYNC_STAGED_FOLDER_H_
