#include "manifest/folder_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace sluice {
namespace {

// A file counts as changed when its writer closes it or renames it into place, not at every write.
constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB |
                                  IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

}  // namespace

FolderWatch::FolderWatch() : fd_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

FolderWatch::~FolderWatch() { Close(); }

bool FolderWatch::Watch(const std::vector<std::string>& folders) {
  if (fd_ < 0) return false;
  std::map<int, std::string> watched;
  bool is_new = false;
  for (const std::string& folder : folders) {
    const int descriptor = inotify_add_watch(fd_, folder.c_str(), kEvents);
    if (descriptor >= 0) {
      is_new = is_new || !folders_.contains(descriptor);
      watched.emplace(descriptor, folder);
    } else if (errno == ENOSPC || errno == ENOMEM) {
      Close();
      return false;
    }
  }
  for (const auto& [descriptor, folder] : folders_) {
    // Fails where the folder is gone, and its watch with it.
    if (!watched.contains(descriptor)) inotify_rm_watch(fd_, descriptor);
  }
  folders_ = std::move(watched);
  return is_new;
}

bool FolderWatch::Drain() {
  if (fd_ < 0) return false;
  alignas(inotify_event) std::array<char, 16 << 10> events;
  bool any = false;
  while (read(fd_, events.data(), events.size()) > 0) any = true;
  return any;
}

void FolderWatch::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

}  // namespace sluice
