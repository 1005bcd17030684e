// Reads a network namespace's links, addresses and routes from the kernel, and asks the kernel for a few changes
// (rtnetlink, through libmnl). One thread; every call gets its answer before it returns, except for the events.
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
  std::string kind;                  // "veth", "bridge", "vxlan", ...; empty: a real device
  std::uint32_t master = 0;          // the bridge that it is a port of; 0: none
  std::optional<std::int32_t> peer;  // the other end's namespace id, if it is in another namespace
  std::uint32_t peer_index = 0;      // of the other end, in its namespace
  std::uint32_t mtu = 0;
  std::uint16_t type = 0;  // ARPHRD_...
  bool is_up = false;
};

class Netlink {
 public:
  // Opens it in the network namespace of the calling thread.
  static std::variant<Netlink, std::string> Open();
  Netlink(Netlink&& other) noexcept;
  Netlink& operator=(Netlink&& other) noexcept;
  ~Netlink();

  // Readable when something may have changed since TakeEvents.
  int event_fd() const;
  void TakeEvents();

  // Each error has the kernel's words.
  std::variant<std::vector<Link>, std::string> Links();
  // Interfaces with a route to a gateway, in any table; each once.
  std::variant<std::vector<std::uint32_t>, std::string> GatewayDevices();
  std::variant<std::vector<IpAddress>, std::string> Addresses();
  // The addresses of an interface in the network namespace with that id.
  std::variant<std::vector<IpAddress>, std::string> AddressesOf(std::int32_t peer, std::uint32_t index);
  // Addresses of other nodes: gateways of routes, and the other ends of VXLAN devices.
  std::variant<std::vector<IpAddress>, std::string> OtherNodes();

  // The id by which this namespace knows another one. Nothing if it does not know that one.
  std::optional<std::int32_t> NamespaceId(const std::string& path);

  // Returns nothing on success, or an error in the kernel's words.
  std::optional<std::string> AddVethPair(const std::string& name, const std::string& peer);
  std::optional<std::string> SetUp(const std::string& name, std::uint32_t mtu);
  std::optional<std::string> Delete(const std::string& name);

 private:
  Netlink(mnl_socket* requests, mnl_socket* events) : requests_(requests), events_(events) {}

  // Sends, and calls visit for each message of the answer. False: the list changed meanwhile.
  template <typename Visit>
  std::variant<bool, std::string> AskOnce(nlmsghdr* request, Visit visit);
  template <typename Visit>
  std::optional<std::string> Ask(nlmsghdr* request, Visit visit);
  // Asks for a list until it is complete; `read` appends to `items`. An item that is not in the list does not exist.
  template <typename Item, typename Read>
  std::optional<std::string> List(nlmsghdr* request, std::vector<Item>& items, Read read);

  mnl_socket* requests_ = nullptr;
  mnl_socket* events_ = nullptr;
  std::uint32_t sequence_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_NODE_HOOK_NETLINK_H_
