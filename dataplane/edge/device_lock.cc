#include "edge/device_lock.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <utility>

namespace sluice {

std::optional<DeviceLock> DeviceLock::Acquire(const std::string& name) {
  // Names may be longer than an address, so a hash stands for the name. A leading NUL makes the address abstract.
  char text[64];
  const int length = std::snprintf(text, sizeof text, "%csluice-device-%016zx", '\0', std::hash<std::string>{}(name));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy_n(text, length, address.sun_path);

  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::nullopt;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + static_cast<std::size_t>(length));
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    close(fd);
    return std::nullopt;
  }
  return DeviceLock(fd);
}

DeviceLock::DeviceLock(DeviceLock&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}

DeviceLock& DeviceLock::operator=(DeviceLock&& other) noexcept {
  std::swap(socket_, other.socket_);
  return *this;
}

DeviceLock::~DeviceLock() {
  if (socket_ >= 0) close(socket_);
}

}  // namespace sluice
