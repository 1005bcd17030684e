#include "edge/kernel_interface.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sluice {

std::optional<InterfaceState> QueryInterface(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ) return std::nullopt;
  InterfaceState state;
  state.index = if_nametoindex(name.c_str());
  if (state.index == 0) return std::nullopt;
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::nullopt;
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  bool there = ioctl(fd, SIOCGIFFLAGS, &request) == 0;
  state.running = there && (request.ifr_flags & IFF_UP) != 0 && (request.ifr_flags & IFF_RUNNING) != 0;
  there = there && ioctl(fd, SIOCGIFMTU, &request) == 0;
  state.mtu = there ? static_cast<std::uint32_t>(request.ifr_mtu) : 0;
  close(fd);
  if (!there) return std::nullopt;
  return state;
}

}  // namespace sluice
