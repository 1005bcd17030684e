// The loop of `sluice-node run`: after each change of interfaces, addresses or routes, it updates the hooks.
#include <net/if.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/log.h"
#include "hook/address_book.h"
#include "hook/checks.h"
#include "hook/hooks.h"
#include "hook/namespace_lock.h"
#include "hook/steering.h"
#include "sluice-node/settings.h"

namespace sluice {
namespace {

constexpr int kTickMs = 1000;  // failed work is tried again, and the watchdog is fed
constexpr int kSoonMs = 20;    // while a plugin gives addresses to a pod

int Fail(const std::string& message) {
  spdlog::error("{}", message);
  return kExitFailed;
}

// Returns a descriptor for SIGTERM and SIGINT.
int OpenSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

class Node {
 public:
  Node(const NodeSettings& settings, Netlink netlink) : settings_(settings), netlink_(std::move(netlink)) {}

  // Returns an error if there can be no hooks.
  std::optional<std::string> Start() {
    auto pins = FindPinPath(settings_.bpffs);
    if (auto* error = std::get_if<std::string>(&pins)) return std::move(*error);
    auto hooks = Hooks::Load(std::get<PinPath>(pins));
    if (auto* error = std::get_if<std::string>(&hooks)) return std::move(*error);
    hooks_ = std::get<0>(std::move(hooks));
    for (const auto& [index, address] : hooks_->Owned()) addresses_.Restore(index, address);
    return Follow();
  }

  // Updates the hooks to the present interfaces. Returns an error if nothing can be hooked; problems of one interface
  // are logged, once.
  std::optional<std::string> Follow() {
    const auto links = netlink_.Links();
    const auto gateways = netlink_.GatewayDevices();
    const auto addresses = netlink_.Addresses();
    const auto others = netlink_.OtherNodes();
    for (const std::string* error : {std::get_if<std::string>(&links), std::get_if<std::string>(&gateways),
                                     std::get_if<std::string>(&addresses), std::get_if<std::string>(&others)}) {
      if (error != nullptr) return "interfaces, routes and addresses cannot be listed: " + *error;
    }
    PlanInput input{std::get<0>(links), std::get<0>(gateways), {}, settings_.every_veth, settings_.uplinks};
    if (!settings_.every_veth) {
      for (const Sandbox& sandbox : FindSandboxes(netlink_, settings_.sandboxes)) {
        if (sandbox.id >= 0) input.pod_namespaces.insert(sandbox.id);
      }
    }
    const std::vector<PlannedHook> plan = Plan(input);
    hooks_->SetNodeAddresses(std::get<0>(addresses));
    hooks_->SetOtherNodes(std::get<0>(others));
    addresses_.SetNodeAddresses({std::get<0>(addresses).begin(), std::get<0>(addresses).end()});
    NotePods(input.links, plan);
    ObserveAddresses();
    if (auto error = PrepareSteering(input.links, plan)) return error;
    Hooks::Changes changes = hooks_->Apply(plan);
    for (const std::string& line : changes.done) spdlog::info("{}", line);
    Complain(plan, changes);
    has_failed_ = !changes.failed.empty();
    return std::nullopt;
  }

  // Observes the addresses of pods' interfaces while their plugin sets them up. True: look again soon.
  bool ObserveAddresses() {
    const auto now = std::chrono::steady_clock::now();
    for (const Link& pod : pods_) {
      hooks_->SetAwaited(pod.index, addresses_.AwaitedOf(pod.index, now));
      if (!addresses_.IsOpen(pod.index, now)) continue;
      const auto seen = netlink_.AddressesOf(*pod.peer, pod.peer_index);
      if (!std::holds_alternative<std::vector<IpAddress>>(seen)) continue;  // its namespace is being removed
      const AddressBook::Change change = addresses_.Observe(pod.index, std::get<0>(seen), now);
      for (const IpAddress& address : change.added) hooks_->AddOwned(pod.index, address);
      hooks_->SetAwaited(pod.index, addresses_.AwaitedOf(pod.index, now));
      for (const std::string& refused : change.refused) spdlog::warn("interface {}: {}", pod.name, refused);
    }
    return addresses_.Awaits(now);
  }

  bool has_failed() const { return has_failed_; }
  int event_fd() const { return netlink_.event_fd(); }
  void TakeEvents() { netlink_.TakeEvents(); }

 private:
  // Notes which interfaces are pods' now. The addresses of interfaces that are gone no longer have an owner.
  void NotePods(const std::vector<Link>& links, const std::vector<PlannedHook>& plan) {
    std::set<std::uint32_t> indices;
    for (const PlannedHook& hook : plan) {
      if (hook.role == Role::kPod) indices.insert(hook.index);
    }
    pods_.clear();
    std::copy_if(links.begin(), links.end(), std::back_inserter(pods_),
                 [&](const Link& link) { return indices.contains(link.index); });
    for (const std::uint32_t index : addresses_.Interfaces()) {
      if (indices.contains(index)) continue;
      for (const IpAddress& address : addresses_.Forget(index)) hooks_->RemoveOwned(index, address);
    }
  }

  std::optional<std::string> PrepareSteering(const std::vector<Link>& links, const std::vector<PlannedHook>& plan) {
    mtu_ = std::max(mtu_, SteeringMtu(plan));  // it never shrinks: older frames may be on the way
    if (auto error = MakeSteering(netlink_, links, mtu_)) return error;
    const std::pair indices(if_nametoindex(std::string(kSteeringIn).c_str()),
                            if_nametoindex(std::string(kSteeringOut).c_str()));
    if (indices == steering_) return std::nullopt;
    if (auto error = hooks_->AttachSteering(indices.first, indices.second)) return error;
    steering_ = indices;
    return std::nullopt;
  }

  // Logs what is wrong now and was not before.
  void Complain(const std::vector<PlannedHook>& plan, const Hooks::Changes& changes) {
    std::set<std::string> complaints(changes.failed.begin(), changes.failed.end());
    const auto has = [&](const auto& matches) { return std::any_of(plan.begin(), plan.end(), matches); };
    for (const std::string& name : settings_.uplinks) {
      if (!has([&](const PlannedHook& hook) { return hook.name == name && hook.role == Role::kUplink; })) {
        complaints.insert("uplink " + name +
                          ": no such interface with an Ethernet header; it is hooked when it is there");
      }
    }
    if (!has([](const PlannedHook& hook) { return hook.role == Role::kUplink; })) {
      complaints.insert(
          "no way out of the node found: what pods send to other nodes is judged there only; give --uplink IFACE");
    }
    for (const std::string& complaint : complaints) {
      if (!complaints_.contains(complaint)) spdlog::warn("{}", complaint);
    }
    complaints_ = std::move(complaints);
  }

  const NodeSettings& settings_;
  Netlink netlink_;
  std::unique_ptr<Hooks> hooks_;
  AddressBook addresses_;
  std::vector<Link> pods_;
  std::uint32_t mtu_ = 0;
  std::pair<unsigned, unsigned> steering_;
  std::set<std::string> complaints_;
  bool has_failed_ = false;
};

}  // namespace

int Run(const NodeSettings& settings) {
  SetUpLog(spdlog::level::info);
  const NamespaceLock lock(kFollowerLock);
  if (!lock.is_held()) return Fail("another `sluice-node run` follows this network namespace; one is enough");
  const int signals = OpenSignals();
  auto netlink = Netlink::Open();
  if (const auto* error = std::get_if<std::string>(&netlink)) return Fail(*error);
  Node node(settings, std::get<Netlink>(std::move(netlink)));
  if (const auto error = node.Start()) return Fail(*error);
  std::puts("ready");
  std::fflush(stdout);
  sd_notify(0, "READY=1");
  std::string trouble;
  while (true) {
    pollfd wanted[] = {{signals, POLLIN, 0}, {node.event_fd(), POLLIN, 0}};
    const int ready = poll(wanted, 2, node.ObserveAddresses() ? kSoonMs : kTickMs);
    if (wanted[0].revents != 0) break;
    if (ready > 0) node.TakeEvents();
    sd_notify(0, "WATCHDOG=1");
    if (ready == 0 && !node.has_failed() && trouble.empty()) continue;
    const auto error = node.Follow();
    if (error && *error != trouble) spdlog::error("{}; it is tried again each second", *error);
    trouble = error.value_or("");
  }
  sd_notify(0, "STOPPING=1");
  spdlog::info("ended; the hooks stay (`sluice-node remove` takes them away)");
  return kExitFine;
}

int Remove(const NodeSettings& settings) {
  const auto refuse = [](const std::string& message) {
    std::fprintf(stderr, "sluice-node: %s\n", message.c_str());
    return kExitFailed;
  };
  const NamespaceLock lock(kFollowerLock);
  if (!lock.is_held()) return refuse("`sluice-node run` is under way, and would make them again: end it first");
  const auto pins = FindPinPath(settings.bpffs);
  if (const auto* error = std::get_if<std::string>(&pins)) return refuse(*error);
  if (const auto error = RemoveHooks(std::get<PinPath>(pins))) return refuse(*error);
  auto netlink = Netlink::Open();
  if (const auto* error = std::get_if<std::string>(&netlink)) return refuse(*error);
  if (const auto error = RemoveSteering(std::get<Netlink>(netlink))) return refuse(*error);
  std::puts("removed: no interface of this network namespace is hooked");
  return kExitFine;
}

}  // namespace sluice
