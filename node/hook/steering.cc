#include "hook/steering.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "hook/layout.h"

namespace sluice {
namespace {

constexpr std::uint32_t kLeastMtu = 1500;

struct Pair {
  std::string_view ours;
  std::string_view filters;
};
constexpr std::array<Pair, 2> kPairs = {{{kSteeringIn, kSteeringInPeer}, {kSteeringOut, kSteeringOutPeer}}};

const Link* Find(const std::vector<Link>& links, std::string_view name) {
  const auto found = std::find_if(links.begin(), links.end(), [&](const Link& link) { return link.name == name; });
  return found == links.end() ? nullptr : &*found;
}

class Ethtool {
 public:
  explicit Ethtool(std::string_view name) : socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    name.copy(request_.ifr_name, IFNAMSIZ - 1);
  }
  ~Ethtool() { close(socket_); }
  Ethtool(const Ethtool&) = delete;
  Ethtool& operator=(const Ethtool&) = delete;

  // Returns nothing if the device cannot be asked.
  std::optional<std::uint32_t> Get(std::uint32_t command) {
    ethtool_value value{command, 0};
    return Call(value) ? std::optional(value.data) : std::nullopt;
  }
  bool Set(std::uint32_t command, std::uint32_t data) {
    ethtool_value value{command, data};
    return Call(value);
  }

 private:
  bool Call(ethtool_value& value) {
    request_.ifr_data = reinterpret_cast<char*>(&value);
    return ioctl(socket_, SIOCETHTOOL, &request_) == 0;
  }

  int socket_;
  ifreq request_{};
};

// A tag beside the frame, a missing checksum or an uncut segment would be lost on the way to the filter.
bool TurnOffloadsOff(std::string_view name) {
  Ethtool ethtool(name);
  bool all = true;
  for (const std::uint32_t command :
       {ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO, ETHTOOL_SSG, ETHTOOL_STXCSUM, ETHTOOL_SRXCSUM}) {
    all = ethtool.Set(command, 0) && all;
  }
  const auto flags = ethtool.Get(ETHTOOL_GFLAGS);
  constexpr std::uint32_t kTags = ETH_FLAG_TXVLAN | ETH_FLAG_RXVLAN;
  return flags && (((*flags & kTags) == 0) || ethtool.Set(ETHTOOL_SFLAGS, *flags & ~kTags)) && all;
}

// Best effort: frames that the kernel itself sends there have no tag, and are dropped.
void TurnIpv6Off(std::string_view name) {
  std::ofstream("/proc/sys/net/ipv6/conf/" + std::string(name) + "/disable_ipv6") << "1\n";
}

std::optional<std::string> Prepare(Netlink& netlink, std::string_view name, std::uint32_t mtu) {
  TurnIpv6Off(name);
  if (!TurnOffloadsOff(name)) {
    return "device " + std::string(name) + ": its offloads cannot be turned off: " + std::strerror(errno);
  }
  if (const auto error = netlink.SetUp(std::string(name), mtu)) {
    return "device " + std::string(name) + ": not set up with an MTU of " + std::to_string(mtu) + ": " + *error;
  }
  return std::nullopt;
}

}  // namespace

std::uint32_t SteeringMtu(const std::vector<PlannedHook>& hooks) {
  std::uint32_t mtu = kLeastMtu;
  for (const PlannedHook& hook : hooks) {
    if (hook.role != Role::kBridge) mtu = std::max(mtu, hook.mtu);
  }
  return mtu + SLUICE_TAG_BYTES;
}

std::optional<std::string> MakeSteering(Netlink& netlink, const std::vector<Link>& links, std::uint32_t mtu) {
  for (const Pair& pair : kPairs) {
    const Link* const ours = Find(links, pair.ours);
    const Link* const filters = Find(links, pair.filters);
    if ((ours == nullptr) != (filters == nullptr)) {
      return "device " + std::string(ours != nullptr ? pair.ours : pair.filters) +
             ": is there without its other end; remove it: ip link del " +
             std::string(ours != nullptr ? pair.ours : pair.filters);
    }
    if (ours == nullptr) {
      if (const auto error = netlink.AddVethPair(std::string(pair.ours), std::string(pair.filters))) {
        return "device " + std::string(pair.ours) + ": not made: " + *error;
      }
    } else if (ours->mtu == mtu && filters->mtu == mtu && ours->is_up && filters->is_up) {
      continue;
    }
    for (const std::string_view name : {pair.filters, pair.ours}) {
      if (auto error = Prepare(netlink, name, mtu)) return error;
    }
  }
  return std::nullopt;
}

std::optional<std::string> RemoveSteering(Netlink& netlink) {
  for (const Pair& pair : kPairs) {
    if (if_nametoindex(std::string(pair.ours).c_str()) == 0) continue;
    if (const auto error = netlink.Delete(std::string(pair.ours))) {
      return "device " + std::string(pair.ours) + ": not removed: " + *error;
    }
  }
  return std::nullopt;
}

}  // namespace sluice
