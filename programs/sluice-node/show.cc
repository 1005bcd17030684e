// Prints `sluice-node status` and `sluice-node check`.
#include <fmt/format.h>
#include <net/if.h>

#include <cstdio>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>

#include "hook/checks.h"
#include "hook/hooks.h"
#include "hook/namespace_lock.h"
#include "sluice-node/settings.h"
#include "sluice/printable.h"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

int FailWith(const std::string& message) {
  std::fprintf(stderr, "sluice-node: %s\n", message.c_str());
  return kExitFailed;
}

Json CountsAsJson(const FrameCounts& frames) {
  Json counts = Json::object();
  for (int i = 0; i < SLUICE_COUNTS; ++i) counts[std::string(CountName(i))] = frames[static_cast<std::size_t>(i)];
  return counts;
}

struct Programs {
  bool is_followed = false;  // `sluice-node run`
  bool is_filtered = false;  // `sluiced`
  bool has_steering = false;
};

std::string AsJson(const HooksState& state, const Programs& programs) {
  Json hooks = Json::array();
  for (const HookState& hook : state.hooks) {
    Json addresses = Json::array();
    for (const IpAddress& address : hook.addresses) addresses.push_back(address.ToString());
    Json frames = CountsAsJson(hook.frames);
    frames["carried"] = hook.carried;
    hooks.push_back({{"interface", Printable(hook.name)},
                     {"index", hook.index},
                     {"role", Name(hook.role)},
                     {"attached", hook.is_attached},
                     {"first", hook.is_first},
                     {"addresses", std::move(addresses)},
                     {"frames", std::move(frames)}});
  }
  const Json status = {{"followed", programs.is_followed},
                       {"steering", programs.has_steering},
                       {"filtered", programs.is_filtered},
                       {"carried_flows", state.carried_flows},
                       {"bad_tag", state.nobodys[SLUICE_BAD_TAG]},
                       {"gone", CountsAsJson(state.gone)},
                       {"hooks", std::move(hooks)}};
  return status.dump(2) + "\n";
}

// Frames that the hook itself dropped.
std::uint64_t DroppedOf(const FrameCounts& frames) {
  std::uint64_t dropped = 0;
  for (std::size_t i = SLUICE_SPOOFED_SOURCE; i < frames.size(); ++i) dropped += frames[i];
  return dropped;
}

std::string AsTable(const HooksState& state, const Programs& programs) {
  std::string text;
  const auto out = std::back_inserter(text);
  fmt::format_to(
      out, "{} interfaces hooked; {}; {}\n", state.hooks.size(),
      programs.is_followed ? "`sluice-node run` follows them" : "nobody follows them: start `sluice-node run`",
      programs.has_steering ? "the steering devices are there" : "the steering devices are missing");
  fmt::format_to(out, "{} flows carried{}\n\n", state.carried_flows,
                 programs.is_filtered
                     ? "; `sluiced` decides what else passes"
                     : "; nothing else passes, as there is no `sluiced`: start `sluiced --wire hooks`");
  constexpr const char* kRow = "{:<16} {:<7} {:<9} {:>13} {:>13} {:>13} {:>9} {:>10} {:>9}\n";
  fmt::format_to(out, fmt::runtime(kRow), "interface", "role", "hook", "carried", "to filter", "forwarded", "made",
                 "unjudged", "dropped");
  FrameCounts sum = state.nobodys;
  std::uint64_t carried = 0;
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += state.gone[i];
  for (const HookState& hook : state.hooks) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += hook.frames[i];
    carried += hook.carried;
    fmt::format_to(out, fmt::runtime(kRow), Printable(hook.name), Name(hook.role),
                   !hook.is_attached ? "missing"
                   : hook.is_first   ? "first"
                                     : "not first",
                   hook.carried, hook.frames[SLUICE_TO_FILTER], hook.frames[SLUICE_FORWARDED], hook.frames[SLUICE_MADE],
                   hook.frames[SLUICE_OWN] + hook.frames[SLUICE_CONTROL], DroppedOf(hook.frames));
  }
  fmt::format_to(out, "\n");
  if (carried > 0) {
    fmt::format_to(out, "{:<16} {:>14}  {}\n", "carried", carried, "of flows that the filter let pass, passed");
  }
  for (int i = 0; i < SLUICE_COUNTS; ++i) {
    if (const std::uint64_t count = sum[static_cast<std::size_t>(i)]; count > 0) {
      fmt::format_to(out, "{:<16} {:>14}  {}\n", CountName(i), count, CountText(i));
    }
  }
  return text;
}

}  // namespace

int ShowStatus(const NodeSettings& settings) {
  const auto pins = FindPinPath(settings.bpffs);
  if (const auto* error = std::get_if<std::string>(&pins)) return FailWith(*error);
  const auto state = ReadHooks(std::get<PinPath>(pins));
  if (!state) return FailWith("no hooks in this network namespace; `sluice-node run` makes them");
  const Programs programs{
      .is_followed = !NamespaceLock(kFollowerLock).is_held(),
      .is_filtered = !NamespaceLock(kFilterLock).is_held(),
      .has_steering = if_nametoindex(std::string(kSteeringIn).c_str()) != 0 &&
                      if_nametoindex(std::string(kSteeringOut).c_str()) != 0,
  };
  bool is_whole = programs.is_followed && programs.has_steering;
  for (const HookState& hook : state->hooks) is_whole = is_whole && hook.is_attached;
  const std::string text = settings.as_json ? AsJson(*state, programs) : AsTable(*state, programs);
  std::fputs(text.c_str(), stdout);
  return is_whole ? kExitFine : kExitFailed;
}

int Check(const NodeSettings& settings) {
  auto netlink = Netlink::Open();
  if (const auto* error = std::get_if<std::string>(&netlink)) return FailWith(*error);
  int errors = 0, warnings = 0;
  for (const Finding& finding : CheckNode(std::get<Netlink>(netlink), {settings.bpffs, settings.sandboxes})) {
    constexpr const char* kWords[] = {"fine", "warning", "error"};
    std::printf("%-8s %s: %s\n", kWords[static_cast<int>(finding.level)], Printable(finding.what).c_str(),
                Printable(finding.text).c_str());
    errors += finding.level == Level::kError ? 1 : 0;
    warnings += finding.level == Level::kWarning ? 1 : 0;
  }
  std::printf("\n%s\n", errors > 0     ? "hooks cannot work here before the errors above are mended"
                        : warnings > 0 ? "hooks work here; something stays outside them: the warnings above"
                                       : "hooks work here");
  return errors > 0 ? kExitFailed : kExitFine;
}

}  // namespace sluice
