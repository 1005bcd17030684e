#include "manifest/folder_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

namespace sluice {
namespace {

// A file counts as changed when its writer closes it or renames it into place, not at every write.
constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB |
                                  IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

}  // namespace

FolderWatch::FolderWatch() : fd_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

FolderWatch::~FolderWatch() { Close(); }

bool FolderWatch::Watch(const std::vector<WatchedFolder>& folders) {
  if (fd_ < 0) return false;
  std::map<int, Scope> watched;
  for (const WatchedFolder& folder : folders) {
    const int descriptor = inotify_add_watch(fd_, folder.path.c_str(), kEvents);
    if (descriptor >= 0) {
      // Two paths may lead to one folder, which then has one descriptor.
      Scope& scope = watched[descriptor];
      scope.whole |= folder.whole;
      scope.names.insert(folder.names.begin(), folder.names.end());
    } else if (errno == ENOSPC || errno == ENOMEM) {
      Close();
      return false;
    }
  }
  for (const auto& [descriptor, scope] : scopes_) {
    // Fails if the folder is gone, and its watch with it.
    if (!watched.contains(descriptor)) inotify_rm_watch(fd_, descriptor);
  }
  const bool is_new = std::any_of(watched.begin(), watched.end(), [this](const auto& entry) {
    const auto& [descriptor, scope] = entry;
    const auto before = scopes_.find(descriptor);
    if (before == scopes_.end()) return true;
    if (before->second.whole) return false;
    return scope.whole || !std::includes(before->second.names.begin(), before->second.names.end(), scope.names.begin(),
                                         scope.names.end());
  });
  scopes_ = std::move(watched);
  return is_new;
}

bool FolderWatch::Drain() {
  if (fd_ < 0) return false;
  alignas(inotify_event) std::array<char, 16 << 10> events;
  bool any = false;
  for (ssize_t length; (length = read(fd_, events.data(), events.size())) > 0;) {
    for (const char* at = events.data(); at < events.data() + length;) {
      const auto& event = *reinterpret_cast<const inotify_event*>(at);
      any = any || Counts(event);
      at += sizeof(inotify_event) + event.len;
    }
  }
  return any;
}

bool FolderWatch::Counts(const inotify_event& event) const {
  if ((event.mask & IN_Q_OVERFLOW) != 0) return true;
  const auto scope = scopes_.find(event.wd);
  if (scope == scopes_.end()) return false;
  // An event without a name is about the folder itself.
  return scope->second.whole || event.len == 0 || scope->second.names.contains(event.name);
}

void FolderWatch::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

}  // namespace sluice
