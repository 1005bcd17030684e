#include "hook/namespace_lock.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>

namespace sluice {

// An abstract socket's name belongs to the network namespace, and is gone when the process ends.
NamespaceLock::NamespaceLock(std::string_view name) : socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(name.begin(), name.end(), address.sun_path + 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  held_ = socket_ >= 0 && bind(socket_, reinterpret_cast<const sockaddr*>(&address), size) == 0;
}

NamespaceLock::~NamespaceLock() {
  if (socket_ >= 0) close(socket_);
}

}  // namespace sluice
