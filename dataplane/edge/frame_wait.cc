#include "edge/frame_wait.h"

#include <dirent.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <system_error>

namespace sluice {

FrameWait::FrameWait() : bell_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (bell_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  watched_.push_back({bell_, POLLIN, 0});
}

FrameWait::~FrameWait() { close(bell_); }

void FrameWait::Wake() const { eventfd_write(bell_, 1); }

bool FrameWait::Wait(std::chrono::nanoseconds timeout) {
  const timespec time{.tv_sec = timeout.count() / 1'000'000'000, .tv_nsec = timeout.count() % 1'000'000'000};
  if (ppoll(watched_.data(), watched_.size(), &time, nullptr) <= 0) return true;
  eventfd_t rung = 0;
  if (watched_.front().revents != 0) eventfd_read(bell_, &rung);
  return std::all_of(watched_.begin(), watched_.end(), [](const pollfd& one) { return (one.revents & ~POLLIN) == 0; });
}

std::vector<int> PacketSockets() {
  std::vector<int> sockets;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc/self/fd"), closedir);
  while (const dirent* entry = folder ? readdir(folder.get()) : nullptr) {
    const int fd = std::atoi(entry->d_name);  // "." and ".." give 0, like a descriptor that is no packet socket
    int domain = 0;
    socklen_t length = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0) continue;
    if (domain == AF_XDP || domain == AF_PACKET) sockets.push_back(fd);
  }
  return sockets;
}

}  // namespace sluice
