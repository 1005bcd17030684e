#include "hook/checks.h"

#include <bpf/btf.h>
#include <dirent.h>
#include <net/if_arp.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <utility>

#include "hook/hooks.h"
#include "hook/plan.h"

namespace sluice {
namespace {

constexpr int kCapNetAdmin = 12;
constexpr int kCapSysAdmin = 21;
constexpr int kCapPerfmon = 38;
constexpr int kCapBpf = 39;

Finding CheckKernel() {
  utsname name{};
  uname(&name);
  int major = 0;
  int minor = 0;
  std::sscanf(name.release, "%d.%d", &major, &minor);
  const bool is_fine = major > 6 || (major == 6 && minor >= 6);
  return {is_fine ? Level::kFine : Level::kError, "kernel",
          std::string(name.release) + (is_fine ? "" : ": hooks need 6.6 or later (tcx); run a newer kernel")};
}

// Checks for the types that the hooks read: in the kernel itself, or in the module of that name.
Finding CheckTypes() {
  if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
    return {Level::kError, "types",
            "no /sys/kernel/btf/vmlinux: run a kernel that is built with CONFIG_DEBUG_INFO_BTF"};
  }
  btf* const types = btf__load_vmlinux_btf();
  const bool has_conntrack = types != nullptr && btf__find_by_name_kind(types, "nf_conn", BTF_KIND_STRUCT) > 0;
  btf__free(types);
  if (has_conntrack || access("/sys/kernel/btf/nf_conntrack", R_OK) == 0) {
    return {Level::kFine, "types", "BTF of the kernel and of conntrack"};
  }
  return {Level::kError, "types",
          "conntrack is not there, which tells who a connection's client is: modprobe nf_conntrack"};
}

Finding CheckCapabilities() {
  std::uint64_t effective = 0;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("CapEff:")) effective = std::strtoull(line.c_str() + 7, nullptr, 16);
  }
  const auto has = [&](int capability) { return (effective >> capability & 1) != 0; };
  std::string missing;
  if (!has(kCapNetAdmin)) missing += " NET_ADMIN";
  if (!has(kCapBpf) && !has(kCapSysAdmin)) missing += " BPF";
  if (!has(kCapPerfmon) && !has(kCapSysAdmin)) missing += " PERFMON";
  if (missing.empty()) return {Level::kFine, "capabilities", "NET_ADMIN, BPF, PERFMON"};
  return {Level::kError, "capabilities", "missing:" + missing + "; run it as root, or give it these"};
}

Finding CheckBpffs(const std::string& bpffs) {
  const auto pins = FindPinPath(bpffs);
  if (const auto* error = std::get_if<std::string>(&pins)) return {Level::kError, "bpffs", *error};
  return {Level::kFine, "bpffs", bpffs};
}

// If no rules are in the way, IPVS answers in INPUT and sends from there:
// it shares only conntrack with other ways.
Finding CheckIpvs() {
  std::ifstream file("/proc/net/ip_vs");
  int lines = 0;
  for (std::string line; std::getline(file, line);) ++lines;
  constexpr int kHeading = 3;
  if (lines <= kHeading) return {Level::kFine, "services", "no IPVS"};
  return {
      Level::kWarning, "services",
      "IPVS translates services here, which Sluice is not tested with; run kube-proxy in mode nftables or iptables"};
}

}  // namespace

std::vector<Sandbox> FindSandboxes(Netlink& netlink, const std::string& folder) {
  std::vector<Sandbox> sandboxes;
  DIR* const open_folder = opendir(folder.c_str());
  if (open_folder == nullptr) return sandboxes;
  while (const dirent* entry = readdir(open_folder)) {
    if (!IsSandboxName(entry->d_name)) continue;
    sandboxes.push_back({entry->d_name, netlink.NamespaceId(folder + "/" + entry->d_name).value_or(-1)});
  }
  closedir(open_folder);
  return sandboxes;
}

std::vector<Finding> CheckLinks(const std::vector<Link>& links, const std::vector<std::uint32_t>& gateway_devices,
                                const std::vector<Sandbox>& sandboxes) {
  std::vector<Finding> findings;
  const auto warn = [&](std::string what, std::string text) {
    findings.push_back({Level::kWarning, std::move(what), std::move(text)});
  };
  for (const Link& link : links) {
    const bool is_way_out =
        std::find(gateway_devices.begin(), gateway_devices.end(), link.index) != gateway_devices.end() ||
        link.kind == "ipip" || link.kind == "sit" || link.kind == "wireguard" || link.kind == "gre";
    if (is_way_out && link.is_up && link.type != ARPHRD_ETHER && link.type != ARPHRD_LOOPBACK) {
      warn("interface " + link.name,
           "has no Ethernet header (" + (link.kind.empty() ? "not Ethernet" : link.kind) +
               "): what pods send by it is judged at their own ends only; use VXLAN or plain routing between nodes");
    }
    if (link.kind == "openvswitch") {
      findings.push_back(
          {Level::kError, "interface " + link.name,
           "Open vSwitch takes packets from pods' interfaces before hooks see them; remove that plugin"});
    }
    if (link.name == "cilium_host") {
      findings.push_back({Level::kError, "interface " + link.name,
                          "Cilium has programs of its own at pods' interfaces and enforces policy itself; remove it"});
    }
  }
  for (const Sandbox& sandbox : sandboxes) {
    const bool has_host_side = std::any_of(links.begin(), links.end(), [&](const Link& link) {
      return link.kind == "veth" && link.peer && *link.peer == sandbox.id;
    });
    if (!has_host_side) {
      warn("sandbox " + sandbox.name,
           "no veth leads to it (macvlan, ipvlan, SR-IOV, or it is not set up): it cannot be hooked");
    }
  }
  return findings;
}

std::vector<Finding> CheckPlan(const std::vector<Link>& links, const std::vector<PlannedHook>& plan) {
  std::set<std::uint32_t> pods;
  std::string ways_out;
  for (const PlannedHook& hook : plan) {
    if (hook.role == Role::kPod) pods.insert(hook.index);
    if (hook.role == Role::kUplink) ways_out += (ways_out.empty() ? "" : ", ") + hook.name;
  }
  const auto others = std::count_if(links.begin(), links.end(), [&](const Link& link) {
    return link.kind == "veth" && link.peer && !IsSteering(link.name) && !pods.contains(link.index);
  });
  std::string text = std::to_string(pods.size()) + (pods.size() == 1 ? " interface" : " interfaces") + " to be hooked";
  if (others > 0) {
    text += "; other veths that lead out of this network namespace, not to a sandbox: " + std::to_string(others) +
            " (`sluice-node run --pods all` hooks them too)";
  }
  std::vector<Finding> findings = {{Level::kFine, "pods", std::move(text)}};
  if (ways_out.empty()) {
    findings.push_back({Level::kWarning, "ways out",
                        "none found (a route to a gateway, VXLAN): what pods send to other nodes is judged there only; "
                        "name it: sluice-node run --uplink IFACE"});
  } else {
    findings.push_back({Level::kFine, "ways out", std::move(ways_out)});
  }
  return findings;
}

std::vector<Finding> CheckNode(Netlink& netlink, const NodeFacts& facts) {
  std::vector<Finding> findings = {CheckKernel(), CheckTypes(), CheckCapabilities(), CheckBpffs(facts.bpffs),
                                   CheckIpvs()};
  const auto links = netlink.Links();
  const auto gateways = netlink.GatewayDevices();
  if (!std::holds_alternative<std::vector<Link>>(links) ||
      !std::holds_alternative<std::vector<std::uint32_t>>(gateways)) {
    findings.push_back({Level::kError, "netlink", "interfaces and routes cannot be listed"});
    return findings;
  }
  const std::vector<Sandbox> sandboxes = FindSandboxes(netlink, facts.sandboxes);
  PlanInput input{std::get<0>(links), std::get<0>(gateways), {}, false, {}};
  for (const Sandbox& sandbox : sandboxes) {
    if (sandbox.id >= 0) input.pod_namespaces.insert(sandbox.id);
  }
  for (const auto& more :
       {CheckPlan(input.links, Plan(input)), CheckLinks(input.links, std::get<0>(gateways), sandboxes)}) {
    findings.insert(findings.end(), more.begin(), more.end());
  }
  const auto pins = FindPinPath(facts.bpffs);
  const auto hooks = std::holds_alternative<PinPath>(pins) ? ReadHooks(std::get<PinPath>(pins)) : std::nullopt;
  for (const HookState& hook : hooks ? hooks->hooks : std::vector<HookState>{}) {
    if (!hook.is_attached || hook.is_first) continue;
    findings.push_back({Level::kWarning, "interface " + hook.name,
                        "another tc program comes before the hook, and may hide packets from it (bpftool net show)"});
  }
  return findings;
}

}  // namespace sluice
