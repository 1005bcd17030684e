#include "edge/device.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <charconv>

namespace sluice {
namespace {

constexpr std::size_t kMaxInterfaceName = 15;  // IFNAMSIZ without its NUL
constexpr std::size_t kMaxSocketPath = 107;    // sockaddr_un::sun_path without its NUL

constexpr std::string_view kForms =
    "a PCI address, af_packet:IFACE, af_xdp:IFACE, tap:NAME, memif:SOCKET[:ID], vhost:SOCKET, pcap:IN[:OUT], null, "
    "ring, or a DPDK device string that begins with net_";

bool IsHex(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

// Takes "dddd:bb:dd.f" or "bb:dd.f"; returns the long form, or an empty text.
std::string PciAddress(std::string_view text) {
  if (text.size() == 7) return PciAddress("0000:" + std::string(text));
  if (text.size() != 12 || text[4] != ':' || text[7] != ':' || text[10] != '.') return "";
  if (!IsHex(text.substr(0, 4)) || !IsHex(text.substr(5, 2)) || !IsHex(text.substr(8, 2))) return "";
  if (text[11] < '0' || text[11] > '7') return "";
  std::string address(text);
  std::transform(address.begin(), address.end(), address.begin(), [](unsigned char c) { return std::tolower(c); });
  return address;
}

std::string Problem(const PortSettings& port, std::string_view what) {
  return "device '" + port.device + "': " + std::string(what);
}

using Result = std::variant<Device, std::string>;

// The part after the colon, for a kernel interface: no longer than the kernel allows, nothing at which DPDK splits.
bool IsInterfaceName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxInterfaceName && name.find_first_of("/,= \t") == std::string_view::npos;
}

bool IsPath(std::string_view path) { return !path.empty() && path.find_first_of(",=") == std::string_view::npos; }

Result KernelInterface(const PortSettings& port, Device device, std::string_view iface) {
  if (!IsInterfaceName(iface)) return Problem(port, "wants the name of an interface after the colon");
  device.interface = iface;
  device.arguments = "iface=" + device.interface;
  device.lock = "interface " + device.interface;
  device.remedy = "it needs root (or CAP_NET_RAW and CAP_NET_ADMIN)";
  return device;
}

Result XdpSocket(const PortSettings& port, Device device, std::string_view iface) {
  constexpr std::uint32_t kRing = 2048;  // libxdp's default; the driver fills one ring at start and sends by another
  device.driver_buffers = 2 * kRing;
  return KernelInterface(port, std::move(device), iface);
}

Result Tap(const PortSettings& port, Device device, std::string_view name) {
  if (!IsInterfaceName(name)) return Problem(port, "wants a name for the new interface after the colon");
  device.arguments = "iface=" + std::string(name);
  device.lock = "interface " + std::string(name);
  device.remedy = "it needs root (or CAP_NET_ADMIN) and /dev/net/tun";
  return device;
}

Result Memif(const PortSettings& port, Device device, std::string_view rest) {
  std::string_view path = rest;
  std::uint32_t id = 0;
  if (const std::size_t colon = rest.rfind(':'); colon != std::string_view::npos) {
    const std::string_view digits = rest.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
    if (error != std::errc() || end != digits.data() + digits.size()) return Problem(port, "ID wants a number");
    path = rest.substr(0, colon);
  }
  if (!IsPath(path) || path.size() > kMaxSocketPath) {
    return Problem(port, "wants memif:SOCKET[:ID], the path of a socket of at most 107 characters");
  }
  const std::string role = port.role == SocketRole::kServer ? "server" : "client";
  device.arguments = "role=" + role + ",socket=" + std::string(path) + ",socket-abstract=no,id=" + std::to_string(id);
  device.lock = "memif " + role + " " + std::string(rest);
  device.needs_peer = port.role != SocketRole::kServer;
  if (port.role == SocketRole::kServer) device.makes = path;
  device.remedy = "its folder must exist and be writable; the other end must take the other role (key role)";
  return device;
}

Result Vhost(const PortSettings& port, Device device, std::string_view path) {
  if (!IsPath(path) || path.size() > kMaxSocketPath) {
    return Problem(port, "wants vhost:SOCKET, the path of a socket of at most 107 characters");
  }
  const std::string client = port.role == SocketRole::kClient ? "1" : "0";
  device.arguments = "iface=" + std::string(path) + ",client=" + client;
  device.lock = "vhost " + client + " " + std::string(path);
  if (port.role != SocketRole::kClient) device.makes = path;
  device.remedy = "its folder must exist and be writable, and no stale socket may be there";
  return device;
}

Result Capture(const PortSettings& port, Device device, std::string_view rest) {
  const std::size_t colon = rest.find(':');
  const std::string_view in = rest.substr(0, colon);
  if (!IsPath(in)) return Problem(port, "wants pcap:IN[:OUT], paths without commas");
  device.arguments = "rx_pcap=" + std::string(in);
  device.reads = in;
  if (colon != std::string_view::npos) {
    const std::string_view out = rest.substr(colon + 1);
    if (!IsPath(out)) return Problem(port, "wants pcap:IN[:OUT], paths without commas");
    device.arguments += ",tx_pcap=" + std::string(out);
    device.lock = "file " + std::string(out);
    device.makes = out;
  }
  device.remedy = "IN must be a readable capture of Ethernet frames, and the folder of OUT writable";
  return device;
}

Result Null(const PortSettings&, Device device, std::string_view) {
  device.arguments = "no-rx=1";  // without it, the driver makes frames without end
  return device;
}

Result Ring(const PortSettings&, Device device, std::string_view) { return device; }

struct Kind {
  std::string_view name;
  bool takes_argument;
  bool may_sleep;
  Result (*complete)(const PortSettings& port, Device device, std::string_view argument);
};

constexpr std::array<Kind, 8> kKinds = {{
    {"af_packet", true, true, KernelInterface},
    {"af_xdp", true, true, XdpSocket},
    {"tap", true, true, Tap},
    {"memif", true, true, Memif},
    {"vhost", true, true, Vhost},
    {"pcap", true, false, Capture},
    {"null", false, true, Null},
    {"ring", false, false, Ring},
}};

}  // namespace

std::variant<Device, std::string> ParseDevice(const PortSettings& port, std::uint32_t index) {
  const std::string_view text = port.device;
  Device device;
  device.text = text;
  if (device.name = PciAddress(text); !device.name.empty()) {
    device.is_pci = true;
    device.multi_queue = true;
    device.lock = "pci " + device.name;
    device.remedy = "bind it to a driver that DPDK can use: dpdk-devbind.py --bind=vfio-pci " + device.name;
    return device;
  }

  const std::size_t colon = text.find(':');
  const std::string_view word = text.substr(0, colon);
  const auto kind = std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& k) { return k.name == word; });
  if (kind != kKinds.end()) {
    if (kind->takes_argument != (colon != std::string_view::npos)) {
      return Problem(port, kind->takes_argument ? "wants a colon and a name or path after the kind"
                                                : "takes nothing after the kind");
    }
    device.name = "net_" + std::string(word) + std::to_string(index);
    device.may_sleep = kind->may_sleep;
    return kind->complete(port, std::move(device), kind->takes_argument ? text.substr(colon + 1) : "");
  }

  if (text.starts_with("net_")) {
    const std::size_t comma = text.find(',');
    device.name = text.substr(0, comma);
    if (comma != std::string_view::npos) device.arguments = text.substr(comma + 1);
    device.multi_queue = true;
    device.lock = "device " + device.name + " " + device.arguments;
    device.remedy = "the device's page in DPDK's Network Interface Controller Drivers tells its arguments";
    return device;
  }
  return Problem(port, "no such kind; wants " + std::string(kForms));
}

std::uint32_t PacketSocketFrame(std::uint32_t mtu) {
  constexpr std::uint32_t kHeaders = 128;  // tpacket2_hdr, sockaddr_ll, alignment, Ethernet and two VLAN tags
  return std::max(2048u, std::bit_ceil(mtu + kHeaders));
}

std::variant<WireSettings, std::string> ParseWire(std::string_view text) {
  WireSettings wire;
  if (text == kHooksWire) {
    wire.is_hooks = true;
    return wire;
  }
  const std::size_t comma = text.find(',');
  if (comma == std::string_view::npos || text.find(',', comma + 1) != std::string_view::npos) {
    return "--wire '" + std::string(text) +
           "': wants DEV1,DEV2, or hooks; a device string that has commas goes into the configuration file";
  }
  wire.ports[0].device = text.substr(0, comma);
  wire.ports[1].device = text.substr(comma + 1);
  return wire;
}

}  // namespace sluice
