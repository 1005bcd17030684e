// What the kernel says of a network namespace's links, addresses and routes, and a few things that it is asked to do
// (rtnetlink, through libmnl). One thread; every call but Wait's event socket is answered before it returns.
#ifndef SLUICE_NODE_HOOK_NETLINK_H_
#define SLUICE_NODE_HOOK_NETLINK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sluice/address.h"

struct mnl_socket;
struct nlmsghdr;

namespace sluice {

struct Link {
  std::uint32_t index = 0;
  std::string name;
  std::string kind;                  // "veth", "bridge", "vxlan", ...; empty: a device of its own
  std::uint32_t master = 0;          // the bridge whose port it is; 0: none
  std::optional<std::int32_t> peer;  // the namespace id of the other end, where that is in another namespace
  std::uint32_t peer_index = 0;      // of the other end, in its namespace
  std::uint32_t mtu = 0;
  std::uint16_t type = 0;  // ARPHRD_...
  bool is_up = false;
};

class Netlink {
 public:
  // In the network namespace of the calling thread.
  static std::variant<Netlink, std::string> Open();
  Netlink(Netlink&& other) noexcept;
  Netlink& operator=(Netlink&& other) noexcept;
  ~Netlink();

  // Readable when something may have changed since TakeEvents.
  int event_fd() const;
  void TakeEvents();

  // Each fails with the kernel's words.
  std::variant<std::vector<Link>, std::string> Links();
  // Interfaces that have a route to a gateway, in any table; each once.
  std::variant<std::vector<std::uint32_t>, std::string> GatewayDevices();
  std::variant<std::vector<IpAddress>, std::string> Addresses();
  // Of an interface in the network namespace of that id.
  std::variant<std::vector<IpAddress>, std::string> AddressesOf(std::int32_t peer, std::uint32_t index);
  // Other nodes: gateways of routes, and the other ends of VXLAN devices.
  std::variant<std::vector<IpAddress>, std::string> OtherNodes();

  // The id that this namespace knows another one by; nothing where it knows none.
  std::optional<std::int32_t> NamespaceId(const std::string& path);

  // Nothing: done. An error in the kernel's words.
  std::optional<std::string> AddVethPair(const std::string& name, const std::string& peer);
  std::optional<std::string> SetUp(const std::string& name, std::uint32_t mtu);
  std::optional<std::string> Delete(const std::string& name);

 private:
  Netlink(mnl_socket* requests, mnl_socket* events) : requests_(requests), events_(events) {}

  // Sends, and calls visit for each message of the answer. False: it is a list that changed meanwhile.
  template <typename Visit>
  std::variant<bool, std::string> AskOnce(nlmsghdr* request, Visit visit);
  template <typename Visit>
  std::optional<std::string> Ask(nlmsghdr* request, Visit visit);
  // Asks for a list until it is whole; `read` appends to `items`. What is not in it is not there.
  template <typename Item, typename Read>
  std::optional<std::string> List(nlmsghdr* request, std::vector<Item>& items, Read read);

  mnl_socket* requests_ = nullptr;
  mnl_socket* events_ = nullptr;
  std::uint32_t sequence_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_NODE_HOOK_NETLINK_H_
