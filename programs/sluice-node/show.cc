// What `sluice-node status` and `sluice-node check` print.
#include <fmt/format.h>
#include <net/if.h>

#include <cstdio>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>

#include "hook/checks.h"
#include "hook/hooks.h"
#include "sluice-node/run_lock.h"
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

std::string AsJson(const HooksState& state, bool is_followed, bool has_steering) {
  Json hooks = Json::array();
  for (const HookState& hook : state.hooks) {
    Json addresses = Json::array();
    for (const IpAddress& address : hook.addresses) addresses.push_back(address.ToString());
    hooks.push_back({{"interface", Printable(hook.name)},
                     {"index", hook.index},
                     {"role", Name(hook.role)},
                     {"attached", hook.is_attached},
                     {"first", hook.is_first},
                     {"addresses", std::move(addresses)},
                     {"frames", CountsAsJson(hook.frames)}});
  }
  const Json status = {{"followed", is_followed},
                       {"steering", has_steering},
                       {"bad_tag", state.nobodys[SLUICE_BAD_TAG]},
                       {"gone", CountsAsJson(state.gone)},
                       {"hooks", std::move(hooks)}};
  return status.dump(2) + "\n";
}

std::string AsTable(const HooksState& state, bool is_followed, bool has_steering) {
  std::string text;
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "{} interfaces hooked; {}; {}\n\n", state.hooks.size(),
                 is_followed ? "`sluice-node run` follows them" : "nobody follows them: start `sluice-node run`",
                 has_steering ? "the steering devices are there" : "the steering devices are missing");
  fmt::format_to(out, "{:<16} {:<7} {:<9} {:>14} {:>14} {:>12} {:>12}\n", "interface", "role", "hook", "to filter",
                 "forwarded", "made", "passed");
  FrameCounts sum = state.nobodys;
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += state.gone[i];
  for (const HookState& hook : state.hooks) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += hook.frames[i];
    fmt::format_to(out, "{:<16} {:<7} {:<9} {:>14} {:>14} {:>12} {:>12}\n", Printable(hook.name), Name(hook.role),
                   !hook.is_attached ? "missing"
                   : hook.is_first   ? "first"
                                     : "not first",
                   hook.frames[SLUICE_TO_FILTER], hook.frames[SLUICE_FORWARDED], hook.frames[SLUICE_MADE],
                   hook.frames[SLUICE_OWN] + hook.frames[SLUICE_CONTROL]);
  }
  fmt::format_to(out, "\n");
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
  const bool is_followed = !RunLock().is_held();
  bool is_whole = is_followed;
  for (const HookState& hook : state->hooks) is_whole = is_whole && hook.is_attached;
  const bool has_steering =
      if_nametoindex(std::string(kSteeringIn).c_str()) != 0 && if_nametoindex(std::string(kSteeringOut).c_str()) != 0;
  const std::string text =
      settings.as_json ? AsJson(*state, is_followed, has_steering) : AsTable(*state, is_followed, has_steering);
  std::fputs(text.c_str(), stdout);
  return is_whole && has_steering ? kExitFine : kExitFailed;
}

int Check(const NodeSettings& settings) {
  auto netlink = Netlink::Open();
  if (const auto* error = std::get_if<std::string>(&netlink)) return FailWith(*error);
  int code = kExitFine;
  for (const Finding& finding : CheckNode(std::get<Netlink>(netlink), {settings.bpffs, settings.sandboxes})) {
    constexpr const char* kWords[] = {"fine", "warning", "error"};
    std::printf("%-8s %s: %s\n", kWords[static_cast<int>(finding.level)], Printable(finding.what).c_str(),
                Printable(finding.text).c_str());
    if (finding.level == Level::kError) code = kExitFailed;
  }
  return code;
}

}  // namespace sluice
