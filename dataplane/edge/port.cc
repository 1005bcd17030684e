#include "edge/port.h"

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "edge/eal.h"
#include "edge/frame_wait.h"
#include "edge/kernel_interface.h"
#include "edge/owner.h"

namespace sluice {
namespace {

constexpr std::uint32_t kMaxMtu = 9600;

// Hashes over both addresses, and over nothing else (see owner.h).
constexpr std::uint64_t kAddressHashes = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_OTHER |
                                         RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_OTHER |
                                         RTE_ETH_RSS_IPV6_EX;

bool HashesAddresses(const rte_eth_dev_info& info) {
  constexpr std::uint64_t kBoth = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6;
  return (info.flow_type_rss_offloads & kBoth) == kBoth && info.hash_key_size <= SymmetricRssKey().size() &&
         info.reta_size >= kRedirections && info.reta_size <= RTE_ETH_RSS_RETA_SIZE_512;
}

std::uint16_t Within(std::uint32_t wanted, const rte_eth_desc_lim& limits) {
  const std::uint32_t max = limits.nb_max == 0 ? wanted : limits.nb_max;
  std::uint32_t count = std::clamp<std::uint32_t>(wanted, std::min<std::uint32_t>(limits.nb_min, max), max);
  if (limits.nb_align > 1) count -= count % limits.nb_align;
  return static_cast<std::uint16_t>(count);
}

std::string Reason(int code) {
  const std::string messages = TakeDpdkMessages();
  return std::string(rte_strerror(code < 0 ? -code : code)) + (messages.empty() ? "" : " (" + messages + ")");
}

}  // namespace

std::uint32_t BufferBytes(const Device& device, const PortSettings& settings) {
  constexpr std::uint32_t kLinkLayer = 14 + 2 * 4 + 4;  // Ethernet, two VLAN tags, checksum
  constexpr std::uint32_t kXdpHeadroom = 256;           // the kernel's share of an AF_XDP buffer
  std::uint32_t bytes = RTE_ETHER_MAX_LEN;
  if (settings.mtu != 0) bytes = settings.mtu + kLinkLayer;
  if (const auto state = QueryInterface(device.interface)) {
    const std::uint32_t mtu = std::min(state->mtu, kMaxMtu);
    // An AF_XDP buffer must lie within a page, so no byte may be wasted.
    bytes = device.text.starts_with("af_xdp:") ? mtu + kLinkLayer + kXdpHeadroom : PacketSocketFrame(mtu);
  }
  return std::max<std::uint32_t>(bytes, RTE_MBUF_DEFAULT_DATAROOM);
}

Port::Port(Device device, std::optional<DeviceLock> lock, const PortSettings& settings, const EdgeSettings& edge,
           rte_mempool* buffers, Readers& readers)
    : device_(std::move(device)),
      lock_(std::move(lock)),
      settings_(settings),
      edge_(edge),
      buffers_(buffers),
      readers_(readers) {
  if (device_.name.starts_with("net_memif")) guard_.emplace(view_, readers_);
}

std::variant<std::unique_ptr<Port>, std::string> Port::Open(const PortSettings& settings, const EdgeSettings& edge,
                                                            std::uint32_t index, std::uint32_t workers,
                                                            rte_mempool* buffers, Readers& readers) {
  auto parsed = ParseDevice(settings, index);
  if (auto* error = std::get_if<std::string>(&parsed)) return std::move(*error);
  Device& device = std::get<Device>(parsed);
  std::optional<DeviceLock> lock;
  if (!device.lock.empty()) {
    lock = DeviceLock::Acquire(device.lock);
    if (!lock) {
      return "device '" + device.text +
             "': another sluiced, or another wire of this one, has it; a device belongs to one wire of one sluiced";
    }
  }
  std::unique_ptr<Port> port(new Port(std::move(device), std::move(lock), settings, edge, buffers, readers));
  port->view_.home = index % workers;
  port->view_.peer = index ^ 1;
  if (auto error = port->Probe()) return std::move(*error);
  auto error = port->Configure(workers);
  if (error && !port->device_.needs_peer) return std::move(*error);
  if (workers > 1 && port->view_.tx_queues < workers) {
    for (std::uint32_t i = 0; i < workers; ++i) {
      port->view_.to_home.push_back(std::make_unique<FrameRing>(edge.handover_frames));
    }
  }
  if (error) {
    port->Close();
    return port;  // Watch will open it
  }
  port->view_.link_up = port->LinkIsUp();
  port->Admit();
  return port;
}

Port::~Port() { Close(); }

std::optional<std::string> Port::Probe() {
  former_sockets_ = PacketSockets();
  std::string arguments = device_.arguments;
  if (!device_.interface.empty()) {
    const auto state = QueryInterface(device_.interface);
    if (!state) return Problem("no such interface in this network namespace; `ip link` lists those there are");
    interface_index_ = state->index;
    if (const std::uint32_t frame = PacketSocketFrame(std::min(state->mtu, kMaxMtu));
        device_.text.starts_with("af_packet:") && frame > 2048) {
      const std::string block = std::to_string(std::max(frame, 4096u));
      arguments += ",framesz=" + std::to_string(frame) + ",blocksz=" + block;
    }
  }
  // If the device is already there, EAL probed it (PCI), or the program that uses this library made it.
  if (rte_eth_dev_get_port_by_name(device_.name.c_str(), &view_.id) != 0) {
    if (device_.is_pci) return Problem("no DPDK driver took it; " + device_.remedy);
    const std::string text = device_.name + (arguments.empty() ? "" : "," + arguments);
    if (const int code = rte_dev_probe(text.c_str()); code != 0) return Problem(Reason(code) + "; " + device_.remedy);
    if (rte_eth_dev_get_port_by_name(device_.name.c_str(), &view_.id) != 0) return Problem("it is no network device");
    probed_ = true;
  }
  return std::nullopt;
}

std::optional<std::string> Port::Configure(std::uint32_t workers) {
  open_ = true;  // from here on Close has something to undo
  rte_eth_dev_info info;
  if (const int code = rte_eth_dev_info_get(view_.id, &info); code != 0) return Problem(Reason(code));
  dpdk_device_ = info.device;

  const bool spread = workers > 1 && device_.multi_queue;
  const bool hash = spread && HashesAddresses(info) && info.max_rx_queues >= workers;
  view_.rx_queues = hash ? workers : 1;
  view_.tx_queues = spread && info.max_tx_queues >= workers ? workers : 1;

  std::array<std::uint8_t, 64> key = SymmetricRssKey();
  rte_eth_conf conf{};
  conf.rxmode.mq_mode = hash ? RTE_ETH_MQ_RX_RSS : RTE_ETH_MQ_RX_NONE;
  conf.rxmode.mtu = settings_.mtu;
  conf.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
  conf.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  conf.rx_adv_conf.rss_conf.rss_key = key.data();
  conf.rx_adv_conf.rss_conf.rss_key_len = info.hash_key_size;
  conf.rx_adv_conf.rss_conf.rss_hf = hash ? info.flow_type_rss_offloads & kAddressHashes : 0;
  if (settings_.mtu != 0 && (settings_.mtu < info.min_mtu || settings_.mtu > info.max_mtu)) {
    return Problem("mtu " + std::to_string(settings_.mtu) + " is outside what it can do: " +
                   std::to_string(info.min_mtu) + " to " + std::to_string(info.max_mtu));
  }
  const auto rx_queues = static_cast<std::uint16_t>(view_.rx_queues);
  const auto tx_queues = static_cast<std::uint16_t>(view_.tx_queues);
  if (const int code = rte_eth_dev_configure(view_.id, rx_queues, tx_queues, &conf); code != 0) {
    return Problem("not configured: " + Reason(code));
  }
  std::uint16_t rx_descriptors = Within(edge_.rx_descriptors, info.rx_desc_lim);
  std::uint16_t tx_descriptors = Within(edge_.tx_descriptors, info.tx_desc_lim);
  rte_eth_dev_adjust_nb_rx_tx_desc(view_.id, &rx_descriptors, &tx_descriptors);
  const auto socket = static_cast<unsigned>(rte_eth_dev_socket_id(view_.id));
  for (std::uint16_t queue = 0; queue < rx_queues; ++queue) {
    const int code = rte_eth_rx_queue_setup(view_.id, queue, rx_descriptors, socket, nullptr, buffers_);
    if (code != 0) return Problem("no receive queue: " + Reason(code));
  }
  for (std::uint16_t queue = 0; queue < tx_queues; ++queue) {
    const int code = rte_eth_tx_queue_setup(view_.id, queue, tx_descriptors, socket, nullptr);
    if (code != 0) return Problem("no transmit queue: " + Reason(code));
  }
  if (const int code = rte_eth_dev_start(view_.id); code != 0)
    return Problem("does not start: " + Reason(code) + "; " + device_.remedy);
  if (hash) SpreadByRedirection(info.reta_size, workers);
  // A wire takes every frame. A device that has no promiscuous mode takes every frame anyway.
  if (const int code = rte_eth_promiscuous_enable(view_.id); code != 0 && code != -ENOTSUP) {
    return Problem("not promiscuous: " + Reason(code));
  }
  view_.socket = view_.rx_queues == 1 ? NewSocket() : -1;
  return std::nullopt;
}

int Port::NewSocket() const {
  int found = -1;
  for (const int socket : PacketSockets()) {
    if (std::find(former_sockets_.begin(), former_sockets_.end(), socket) != former_sockets_.end()) continue;
    if (found >= 0) return -1;
    found = socket;
  }
  return found;
}

// Best effort: if the device refuses, packets reach a worker that hands them to their owner.
void Port::SpreadByRedirection(std::uint32_t redirections, std::uint32_t workers) const {
  std::vector<rte_eth_rss_reta_entry64> table(redirections / RTE_ETH_RETA_GROUP_SIZE);
  for (std::uint32_t i = 0; i < redirections; ++i) {
    rte_eth_rss_reta_entry64& group = table[i / RTE_ETH_RETA_GROUP_SIZE];
    group.mask = ~std::uint64_t{0};
    group.reta[i % RTE_ETH_RETA_GROUP_SIZE] = static_cast<std::uint16_t>(OwnerOf(i, workers));
  }
  rte_eth_dev_rss_reta_update(view_.id, table.data(), static_cast<std::uint16_t>(redirections));
}

void Port::Admit() {
  if (guard_) {
    guard_->Admit();
  } else {
    view_.usable.store(true, std::memory_order_release);
  }
}

void Port::Withdraw() {
  if (guard_) {
    guard_->Withdraw();
  } else {
    view_.usable.store(false, std::memory_order_release);
  }
  leaving_ = readers_.Retire();
}

void Port::Close() {
  if (!open_) return;
  open_ = false;
  if (guard_) MemifGuard::WaitForInterruptThread();
  rte_eth_dev_stop(view_.id);
  rte_eth_dev_close(view_.id);
  if (probed_) rte_dev_remove(dpdk_device_);
  probed_ = false;
}

bool Port::LinkIsUp() const {
  if (!device_.interface.empty()) {
    const auto state = QueryInterface(device_.interface);
    return state && state->running;
  }
  rte_eth_link link{};
  return rte_eth_link_get_nowait(view_.id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

std::optional<std::string> Port::Watch() {
  if (leaving_) {
    if (!readers_.Passed(*leaving_)) return std::nullopt;
    leaving_.reset();
    Close();
  }
  if (open_ && IsGone()) {
    view_.link_up = false;
    Withdraw();
    return Problem(device_.needs_peer ? "the other end is gone; frames toward it are dropped until it is back"
                                      : "the interface is gone; frames toward it are dropped until it is back");
  }
  if (!open_) return Reopen();
  const bool up = LinkIsUp();
  if (!view_.usable) Admit();  // for a memif whose other end was away
  if (up != view_.link_up) {
    view_.link_up = up;
    return Problem(up ? "the link is up" : "the link is down; frames toward it are dropped until it is up");
  }
  return std::nullopt;
}

bool Port::IsGone() const {
  if (device_.needs_peer) return view_.link_up && !LinkIsUp();
  if (device_.interface.empty()) return false;
  const auto state = QueryInterface(device_.interface);
  return !state || state->index != interface_index_;
}

// Workers do not read the view's plain fields while the view is not usable.
std::optional<std::string> Port::Reopen() {
  constexpr std::chrono::milliseconds kBetweenAttempts(500);
  const auto now = std::chrono::steady_clock::now();
  if (now < next_attempt_) return std::nullopt;
  next_attempt_ = now + kBetweenAttempts;
  if (!device_.interface.empty() && !QueryInterface(device_.interface)) return std::nullopt;
  const std::uint32_t workers = view_.rx_queues;  // a device that comes and goes has one queue: nothing to spread
  if (Probe() || Configure(workers)) {
    Close();
    return std::nullopt;  // the device may still be coming up: Watch tries again
  }
  view_.link_up = LinkIsUp();
  Admit();
  return Problem("it is there and open");
}

PortCounters Port::counters() const {
  rte_eth_stats stats{};
  if (!open_ || rte_eth_stats_get(view_.id, &stats) != 0) return {};
  return {stats.imissed, stats.ierrors + stats.oerrors, stats.rx_nombuf};
}

std::string Port::Problem(const std::string& what) const { return "device '" + device_.text + "': " + what; }

}  // namespace sluice
