// Every name that the kernel looks up on the way along a path, links followed: to replace one of them is to change what
// the path names.
#ifndef SLUICE_CONTROL_MANIFEST_PATH_TRAIL_H_
#define SLUICE_CONTROL_MANIFEST_PATH_TRAIL_H_

#include <map>
#include <set>
#include <string>
#include <unordered_set>

namespace sluice {

// Not safe to share between threads. What it found out about a path it does not ask again: one serves one look at the
// file system.
class PathTrail {
 public:
  // Adds the names along `path`. Ends where something is missing or may not be read: that name is added still.
  void Follow(const std::string& path);

  // By folder, without links in its path.
  const std::map<std::string, std::set<std::string>>& names() const { return names_; }

 private:
  std::map<std::string, std::set<std::string>> names_;
  std::unordered_set<std::string> plain_;  // paths that are no links
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_PATH_TRAIL_H_
