#include "hook/netlink.h"

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sluice {
namespace {

constexpr std::size_t kBuffer = 64 * 1024;
constexpr std::size_t kEventBuffer = 4 << 20;
constexpr int kMostTries = 200;  // for a list that changes while it is read

std::string Reason(int code) { return std::strerror(code); }

nlmsghdr* Request(char* buffer, std::uint16_t type, std::uint16_t flags, std::size_t header) {
  nlmsghdr* const request = mnl_nlmsg_put_header(buffer);
  request->nlmsg_type = type;
  request->nlmsg_flags = NLM_F_REQUEST | flags;
  std::memset(mnl_nlmsg_put_extra_header(request, header), 0, header);
  return request;
}

// False: the list changed while it was read, so even lasting items may be missing. Clears the flag, since libmnl would
// otherwise leave the rest of the buffer unread.
bool TakeInterruption(char* buffer, ssize_t length) {
  bool is_whole = true;
  auto left = static_cast<int>(length);
  for (auto* message = reinterpret_cast<nlmsghdr*>(buffer); mnl_nlmsg_ok(message, left);
       message = mnl_nlmsg_next(message, &left)) {
    is_whole &= (message->nlmsg_flags & NLM_F_DUMP_INTR) == 0;
    message->nlmsg_flags = static_cast<std::uint16_t>(message->nlmsg_flags & ~NLM_F_DUMP_INTR);
  }
  return is_whole;
}

// mnl_attr_for_each, for C++. `begin`: bytes of the header before the attributes.
template <typename Visit>
void ForEachAttribute(const nlmsghdr* message, std::size_t begin, Visit visit) {
  auto* attribute = static_cast<nlattr*>(mnl_nlmsg_get_payload_offset(message, begin));
  const auto* const end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(message));
  for (; mnl_attr_ok(attribute, static_cast<int>(end - reinterpret_cast<const char*>(attribute)));
       attribute = mnl_attr_next(attribute)) {
    visit(static_cast<const nlattr*>(attribute));
  }
}

std::string KindOf(const nlattr* link_info) {
  const auto* attribute = static_cast<const nlattr*>(mnl_attr_get_payload(link_info));
  const char* const end = reinterpret_cast<const char*>(attribute) + mnl_attr_get_payload_len(link_info);
  for (; mnl_attr_ok(attribute, static_cast<int>(end - reinterpret_cast<const char*>(attribute)));
       attribute = mnl_attr_next(attribute)) {
    if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND) return mnl_attr_get_str(attribute);
  }
  return "";
}

Link ReadLink(const nlmsghdr* message) {
  const auto* header = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  Link link;
  link.index = static_cast<std::uint32_t>(header->ifi_index);
  link.type = header->ifi_type;
  link.is_up = (header->ifi_flags & IFF_UP) != 0;
  ForEachAttribute(message, sizeof *header, [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case IFLA_IFNAME:
        link.name = mnl_attr_get_str(attribute);
        break;
      case IFLA_MTU:
        link.mtu = mnl_attr_get_u32(attribute);
        break;
      case IFLA_MASTER:
        link.master = mnl_attr_get_u32(attribute);
        break;
      case IFLA_LINK:
        link.peer_index = mnl_attr_get_u32(attribute);
        break;
      case IFLA_LINK_NETNSID:
        link.peer = static_cast<std::int32_t>(mnl_attr_get_u32(attribute));
        break;
      case IFLA_LINKINFO:
        link.kind = KindOf(attribute);
        break;
      default:
        break;
    }
  });
  return link;
}

// Reads an address of an interface, or of any interface if the index is 0.
void ReadAddress(const nlmsghdr* message, std::uint32_t index, std::vector<IpAddress>& addresses) {
  const auto* header = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
  if (index != 0 && header->ifa_index != index) return;
  const bool is_ipv6 = header->ifa_family == AF_INET6;
  const std::uint8_t* bytes = nullptr;
  ForEachAttribute(message, sizeof *header, [&](const nlattr* attribute) {
    const int type = mnl_attr_get_type(attribute);
    // On a point-to-point link, ADDRESS is the other end's address.
    if (type == IFA_LOCAL || (type == IFA_ADDRESS && bytes == nullptr)) {
      if (mnl_attr_get_payload_len(attribute) != (is_ipv6 ? 16 : 4)) return;
      bytes = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
    }
  });
  if (bytes != nullptr) addresses.push_back(is_ipv6 ? IpAddress::FromV6Bytes(bytes) : IpAddress::FromV4Bytes(bytes));
}

// Reads the interfaces of a route that has a gateway.
void ReadGatewayDevices(const nlmsghdr* message, std::vector<std::uint32_t>& devices) {
  std::uint32_t device = 0;
  bool has_gateway = false;
  ForEachAttribute(message, sizeof(rtmsg), [&](const nlattr* attribute) {
    const int type = mnl_attr_get_type(attribute);
    if (type == RTA_OIF) device = mnl_attr_get_u32(attribute);
    if (type == RTA_GATEWAY || type == RTA_VIA) has_gateway = true;
    if (type != RTA_MULTIPATH) return;
    const auto* hop = static_cast<const rtnexthop*>(mnl_attr_get_payload(attribute));
    std::size_t left = mnl_attr_get_payload_len(attribute);
    while (left >= sizeof *hop && hop->rtnh_len >= sizeof *hop && hop->rtnh_len <= left) {
      if (hop->rtnh_len > sizeof *hop) devices.push_back(static_cast<std::uint32_t>(hop->rtnh_ifindex));
      left -= std::min<std::size_t>(left, RTNH_ALIGN(hop->rtnh_len));
      hop = RTNH_NEXT(hop);
    }
  });
  if (has_gateway && device != 0) devices.push_back(device);
}

}  // namespace

std::variant<Netlink, std::string> Netlink::Open() {
  const auto refuse = [](mnl_socket* socket) {
    const std::string words = "no netlink socket: " + Reason(errno);
    if (socket != nullptr) mnl_socket_close(socket);
    return words;
  };
  mnl_socket* const requests = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
  if (requests == nullptr || mnl_socket_bind(requests, 0, MNL_SOCKET_AUTOPID) < 0) return refuse(requests);
  mnl_socket* const events = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
  Netlink netlink(requests, events);
  if (events == nullptr) return refuse(nullptr);
  constexpr unsigned kGroups =
      RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  // Otherwise the kernel ignores the parts of a request about another namespace.
  const int strict = 1;
  setsockopt(mnl_socket_get_fd(requests), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &strict, sizeof strict);
  const int size = kEventBuffer;
  setsockopt(mnl_socket_get_fd(events), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  if (mnl_socket_bind(events, kGroups, MNL_SOCKET_AUTOPID) < 0) return refuse(nullptr);
  return netlink;
}

Netlink::Netlink(Netlink&& other) noexcept
    : requests_(std::exchange(other.requests_, nullptr)),
      events_(std::exchange(other.events_, nullptr)),
      sequence_(other.sequence_) {}

Netlink& Netlink::operator=(Netlink&& other) noexcept {
  std::swap(requests_, other.requests_);
  std::swap(events_, other.events_);
  sequence_ = other.sequence_;
  return *this;
}

Netlink::~Netlink() {
  if (requests_ != nullptr) mnl_socket_close(requests_);
  if (events_ != nullptr) mnl_socket_close(events_);
}

int Netlink::event_fd() const { return mnl_socket_get_fd(events_); }

// Events only cause everything to be read anew, so a lost one (ENOBUFS) does no harm.
void Netlink::TakeEvents() {
  char buffer[kBuffer];
  while (mnl_socket_recvfrom(events_, buffer, sizeof buffer) > 0 || errno == ENOBUFS || errno == EINTR) {
  }
}

template <typename Visit>
std::variant<bool, std::string> Netlink::AskOnce(nlmsghdr* request, Visit visit) {
  request->nlmsg_seq = ++sequence_;
  if (mnl_socket_sendto(requests_, request, request->nlmsg_len) < 0) return Reason(errno);
  const unsigned port = mnl_socket_get_portid(requests_);
  const auto call = [](const nlmsghdr* message, void* context) {
    (*static_cast<Visit*>(context))(message);
    return MNL_CB_OK;
  };
  std::vector<char> buffer(kBuffer);
  bool is_whole = true;
  while (true) {
    const ssize_t length = mnl_socket_recvfrom(requests_, buffer.data(), buffer.size());
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return Reason(errno);
    is_whole &= TakeInterruption(buffer.data(), length);
    const int code = mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), sequence_, port, call, &visit);
    if (code < 0) return Reason(errno);
    if (code == MNL_CB_STOP) return is_whole;
  }
}

template <typename Visit>
std::optional<std::string> Netlink::Ask(nlmsghdr* request, Visit visit) {
  const auto answer = AskOnce(request, visit);
  if (const auto* error = std::get_if<std::string>(&answer)) return *error;
  return std::nullopt;
}

template <typename Item, typename Read>
std::optional<std::string> Netlink::List(nlmsghdr* request, std::vector<Item>& items, Read read) {
  const auto before = static_cast<std::ptrdiff_t>(items.size());
  for (int tries = 0; tries < kMostTries; ++tries) {
    const auto answer = AskOnce(request, read);
    if (const auto* error = std::get_if<std::string>(&answer)) return *error;
    if (std::get<bool>(answer)) return std::nullopt;
    items.erase(items.begin() + before, items.end());
  }
  return "they change faster than they can be listed";
}

std::variant<std::vector<Link>, std::string> Netlink::Links() {
  char buffer[256];
  nlmsghdr* const request = Request(buffer, RTM_GETLINK, NLM_F_DUMP, sizeof(ifinfomsg));
  std::vector<Link> links;
  const auto read = [&](const nlmsghdr* message) { links.push_back(ReadLink(message)); };
  if (auto error = List(request, links, read)) return *error;
  return links;
}

std::variant<std::vector<std::uint32_t>, std::string> Netlink::GatewayDevices() {
  std::vector<std::uint32_t> devices;
  for (const int family : {AF_INET, AF_INET6}) {
    char buffer[256];
    nlmsghdr* const request = Request(buffer, RTM_GETROUTE, NLM_F_DUMP, sizeof(rtmsg));
    static_cast<rtmsg*>(mnl_nlmsg_get_payload(request))->rtm_family = static_cast<unsigned char>(family);
    const auto read = [&](const nlmsghdr* message) { ReadGatewayDevices(message, devices); };
    if (auto error = List(request, devices, read)) return *error;
  }
  std::sort(devices.begin(), devices.end());
  devices.erase(std::unique(devices.begin(), devices.end()), devices.end());
  return devices;
}

std::variant<std::vector<IpAddress>, std::string> Netlink::Addresses() {
  char buffer[256];
  nlmsghdr* const request = Request(buffer, RTM_GETADDR, NLM_F_DUMP, sizeof(ifaddrmsg));
  std::vector<IpAddress> addresses;
  const auto read = [&](const nlmsghdr* message) { ReadAddress(message, 0, addresses); };
  if (auto error = List(request, addresses, read)) return *error;
  return addresses;
}

std::variant<std::vector<IpAddress>, std::string> Netlink::AddressesOf(std::int32_t peer, std::uint32_t index) {
  char buffer[256];
  nlmsghdr* const request = Request(buffer, RTM_GETADDR, NLM_F_DUMP, sizeof(ifaddrmsg));
  mnl_attr_put_u32(request, IFA_TARGET_NETNSID, static_cast<std::uint32_t>(peer));
  std::vector<IpAddress> addresses;
  const auto read = [&](const nlmsghdr* message) { ReadAddress(message, index, addresses); };
  if (auto error = List(request, addresses, read)) return *error;
  return addresses;
}

std::variant<std::vector<IpAddress>, std::string> Netlink::OtherNodes() {
  std::vector<IpAddress> nodes;
  const auto add = [&](const nlattr* attribute) {
    const auto* bytes = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
    if (mnl_attr_get_payload_len(attribute) == 4) nodes.push_back(IpAddress::FromV4Bytes(bytes));
    if (mnl_attr_get_payload_len(attribute) == 16) nodes.push_back(IpAddress::FromV6Bytes(bytes));
  };
  for (const int family : {AF_INET, AF_INET6}) {
    char buffer[256];
    nlmsghdr* const request = Request(buffer, RTM_GETROUTE, NLM_F_DUMP, sizeof(rtmsg));
    static_cast<rtmsg*>(mnl_nlmsg_get_payload(request))->rtm_family = static_cast<unsigned char>(family);
    const auto error = List(request, nodes, [&](const nlmsghdr* message) {
      ForEachAttribute(message, sizeof(rtmsg), [&](const nlattr* attribute) {
        if (mnl_attr_get_type(attribute) == RTA_GATEWAY) add(attribute);
      });
    });
    if (error) return *error;
  }
  char buffer[256];
  nlmsghdr* const request = Request(buffer, RTM_GETNEIGH, NLM_F_DUMP, sizeof(ndmsg));
  static_cast<ndmsg*>(mnl_nlmsg_get_payload(request))->ndm_family = AF_BRIDGE;
  const auto error = List(request, nodes, [&](const nlmsghdr* message) {
    ForEachAttribute(message, sizeof(ndmsg), [&](const nlattr* attribute) {
      if (mnl_attr_get_type(attribute) == NDA_DST) add(attribute);
    });
  });
  if (error) return *error;
  return nodes;
}

std::optional<std::int32_t> Netlink::NamespaceId(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  char buffer[256];
  nlmsghdr* const request = Request(buffer, RTM_GETNSID, NLM_F_ACK, sizeof(rtgenmsg));
  mnl_attr_put_u32(request, NETNSA_FD, static_cast<std::uint32_t>(fd));
  std::optional<std::int32_t> id;
  const auto error = Ask(request, [&](const nlmsghdr* message) {
    ForEachAttribute(message, NLMSG_ALIGN(sizeof(rtgenmsg)), [&](const nlattr* attribute) {
      if (mnl_attr_get_type(attribute) == NETNSA_NSID) id = static_cast<std::int32_t>(mnl_attr_get_u32(attribute));
    });
  });
  close(fd);
  return error || id == NETNSA_NSID_NOT_ASSIGNED ? std::nullopt : id;
}

std::optional<std::string> Netlink::AddVethPair(const std::string& name, const std::string& peer) {
  char buffer[1024];
  nlmsghdr* const request = Request(buffer, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, sizeof(ifinfomsg));
  mnl_attr_put_strz(request, IFLA_IFNAME, name.c_str());
  nlattr* const info = mnl_attr_nest_start(request, IFLA_LINKINFO);
  mnl_attr_put_strz(request, IFLA_INFO_KIND, "veth");
  nlattr* const data = mnl_attr_nest_start(request, IFLA_INFO_DATA);
  nlattr* const other = mnl_attr_nest_start(request, VETH_INFO_PEER);
  std::memset(mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg)), 0, sizeof(ifinfomsg));
  mnl_attr_put_strz(request, IFLA_IFNAME, peer.c_str());
  mnl_attr_nest_end(request, other);
  mnl_attr_nest_end(request, data);
  mnl_attr_nest_end(request, info);
  return Ask(request, [](const nlmsghdr*) {});
}

std::optional<std::string> Netlink::SetUp(const std::string& name, std::uint32_t mtu) {
  char buffer[256];
  nlmsghdr* const request = Request(buffer, RTM_NEWLINK, NLM_F_ACK, sizeof(ifinfomsg));
  auto* const header = static_cast<ifinfomsg*>(mnl_nlmsg_get_payload(request));
  header->ifi_flags = IFF_UP;
  header->ifi_change = IFF_UP;
  mnl_attr_put_strz(request, IFLA_IFNAME, name.c_str());
  mnl_attr_put_u32(request, IFLA_MTU, mtu);
  return Ask(request, [](const nlmsghdr*) {});
}

std::optional<std::string> Netlink::Delete(const std::string& name) {
  char buffer[256];
  nlmsghdr* const request = Request(buffer, RTM_DELLINK, NLM_F_ACK, sizeof(ifinfomsg));
  mnl_attr_put_strz(request, IFLA_IFNAME, name.c_str());
  return Ask(request, [](const nlmsghdr*) {});
}

}  // namespace sluice
