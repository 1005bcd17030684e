// All names that the kernel looks up along a path, with links followed. Replacing one of them
// changes what the path leads to.
#ifndef SLUICE_CONTROL_MANIFEST_PATH_TRAIL_H_
#define SLUICE_CONTROL_MANIFEST_PATH_TRAIL_H_

#include <map>
#include <set>
#include <string>
#include <unordered_set>

namespace sluice {

// Not safe to share between threads. It never asks twice about a path, so one object serves for one
// look at the file system.
class PathTrail {
 public:
  // Adds the names along `path`. Stops at a name that is missing or may not be read, after adding it.
  void Follow(const std::string& path);

  // By folder; the folders' paths have no links.
  const std::map<std::string, std::set<std::string>>& names() const { return names_; }

 private:
  std::map<std::string, std::set<std::string>> names_;
  std::unordered_set<std::string> plain_;  // paths that are no links
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_PATH_TRAIL_H_
