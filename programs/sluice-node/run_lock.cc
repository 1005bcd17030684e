#include "sluice-node/run_lock.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace sluice {

// The name of an abstract socket is the network namespace's, and gone with the process.
RunLock::RunLock() : socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  constexpr std::string_view kName("\0sluice-node", 12);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(kName.begin(), kName.end(), address.sun_path);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + kName.size());
  held_ = socket_ >= 0 && bind(socket_, reinterpret_cast<const sockaddr*>(&address), size) == 0;
}

RunLock::~RunLock() {
  if (socket_ >= 0) close(socket_);
}

}  // namespace sluice
