#include <CLI/CLI.hpp>
#include <cstdio>

#include "common/arguments.h"
#include "sluice-node/settings.h"
#include "sluice/printable.h"

namespace sluice {
namespace {

constexpr std::size_t kMostName = 15;  // IFNAMSIZ without its NUL

int Refuse(const std::string& message) {
  std::fprintf(stderr, "sluice-node: %s\n", Printable(message).c_str());
  return kExitBadInput;
}

std::optional<int> CheckUplinks(const std::vector<std::string>& uplinks) {
  for (const std::string& name : uplinks) {
    if (name.empty() || name.size() > kMostName || name.find_first_of("/ \t") != std::string::npos) {
      return Refuse("--uplink '" + name + "': wants the name of an interface; `ip link` lists those there are");
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<int> ReadCommandLine(int argc, char** argv, NodeSettings& settings) {
  std::string pods = "cni";
  std::string output;
  CLI::App app("Hooks the interfaces of a node's pods to sluiced, beside whatever network plugin made them.");
  app.name("sluice-node");
  AnswerInPlainLines(app);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--bpffs", settings.bpffs, "BPF file system where hooks are pinned [/sys/fs/bpf]")->type_name("DIR");
  app.add_option("--netns", settings.sandboxes, "folder of the network namespaces of pods' sandboxes [/var/run/netns]")
      ->type_name("DIR");
  CLI::App* const run = app.add_subcommand("run", "make the hooks, and follow interfaces that come and go");
  run->add_option("--uplink", settings.uplinks,
                  "a way out of the node [interfaces with a route to a gateway, VXLAN devices]. Repeatable")
      ->type_name("IFACE")
      ->allow_extra_args(false)
      ->take_all();
  run->add_option(
         "--pods", pods,
         "which interfaces are pods': cni, those that lead to a sandbox of containerd or CRI-O; all, every veth "
         "that leads to another network namespace [cni]")
      ->type_name("WHICH");
  run->footer(
      "Prints `ready` when all interfaces are hooked. SIGTERM: end; hooks stay, and go on handing frames to sluiced.\n"
      "Example: sluice-node run\n"
      "         sluice-node run --uplink eth0 --pods all");
  CLI::App* const status =
      app.add_subcommand("status", "the hooks, and what they counted; exit 1 where one is not whole");
  status->add_option("-o,--output", output, "json or table [table]")->type_name("FORMAT");
  status->footer(
      "Frames of each interface: carried, passed in the kernel; to filter and forwarded, taken to sluiced and put "
      "back;\n"
      "made, resets and ICMP by sluiced; unjudged, the node's own and ARP; dropped, by the hook itself. Below, by "
      "reason.\n"
      "Example: sluice-node status -o json");
  CLI::App* const check =
      app.add_subcommand("check", "what the node lacks, and what is in the way; exit 1 where it cannot work");
  check->footer(
      "A line each: fine, warning (something stays outside the hooks) or error (they cannot work), with the remedy.\n"
      "Example: sluice-node check");
  CLI::App* const remove = app.add_subcommand("remove", "take all hooks away: pods are no longer filtered");
  remove->footer("`sluice-node run` must have ended. Example: sluice-node remove");
  app.set_version_flag("--version", "sluice-node " SLUICE_VERSION);
  app.footer(
      "Exit codes: 0 fine; 1 it could not run; 2 bad input.\n"
      "Example: sluice-node check && sluice-node run    (beside: sluiced --wire hooks)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitFine : kExitBadInput;
  }
  if (pods != "cni" && pods != "all") return Refuse("--pods '" + pods + "': wants cni or all");
  settings.every_veth = pods == "all";
  if (!output.empty() && output != "json" && output != "table")
    return Refuse("-o '" + output + "': wants json or table");
  settings.as_json = output == "json";
  if (const auto code = CheckUplinks(settings.uplinks)) return code;
  settings.command = status->parsed()   ? Command::kStatus
                     : check->parsed()  ? Command::kCheck
                     : remove->parsed() ? Command::kRemove
                                        : Command::kRun;
  return std::nullopt;
}

}  // namespace sluice
