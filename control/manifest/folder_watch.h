// inotify on a set of folders: tells that something in them changed, not what.
#ifndef SLUICE_CONTROL_MANIFEST_FOLDER_WATCH_H_
#define SLUICE_CONTROL_MANIFEST_FOLDER_WATCH_H_

#include <map>
#include <set>
#include <string>
#include <vector>

struct inotify_event;

namespace sluice {

struct WatchedFolder {
  std::string path;
  bool whole = false;           // every change in it counts
  std::set<std::string> names;  // if not whole: only changes of these count
};

// Not safe to share between threads.
class FolderWatch {
 public:
  FolderWatch();
  ~FolderWatch();
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;

  // Watches these folders and no others; leaves out missing ones. Returns true iff it watches something that it did not
  // watch before, which may have changed unseen. If the kernel refuses, watching ends: fd() is -1.
  bool Watch(const std::vector<WatchedFolder>& folders);
  // Readable when something changed; -1: not watching.
  int fd() const { return fd_; }
  // Takes all events. True iff some of them counted.
  bool Drain();

 private:
  struct Scope {
    bool whole = false;
    std::set<std::string> names;
  };

  bool Counts(const inotify_event& event) const;
  void Close();

  int fd_;
  std::map<int, Scope> scopes_;  // by watch descriptor
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_FOLDER_WATCH_H_
