// inotify on a set of folders: says that something in them changed, not what.
#ifndef SLUICE_CONTROL_MANIFEST_FOLDER_WATCH_H_
#define SLUICE_CONTROL_MANIFEST_FOLDER_WATCH_H_

#include <map>
#include <string>
#include <vector>

namespace sluice {

// Not safe to share between threads.
class FolderWatch {
 public:
  FolderWatch();
  ~FolderWatch();
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;

  // Watches these folders and no others; one that is not there is left out. Returns true iff one is watched that was
  // not before, so that what was in it may have changed unseen. Where the kernel refuses, watching ends: fd() is -1.
  bool Watch(const std::vector<std::string>& folders);
  // Readable when something changed; -1: not watching.
  int fd() const { return fd_; }
  // Takes all events. True iff there were any.
  bool Drain();

 private:
  void Close();

  int fd_;
  std::map<int, std::string> folders_;  // by watch descriptor
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_FOLDER_WATCH_H_
