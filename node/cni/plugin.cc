#include "cni/plugin.h"

#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "cni/sync_client.h"
#include "hook/readiness.h"

namespace sluice {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds kLongest{5};        // for ADD and CHECK
constexpr std::chrono::seconds kLongestOthers{1};  // for commands that no pod waits for
constexpr std::chrono::milliseconds kLook{2};      // between looks at the hooks

std::string Dump(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

PluginOutcome Fail(const std::string& version, const CniError& error) {
  Json json = {{"cniVersion", version}, {"code", static_cast<int>(error.code)}, {"msg", error.message}};
  if (!error.details.empty()) json["details"] = error.details;
  return {1, Dump(json), ""};
}

PluginOutcome SayVersions(const std::string& input) {
  return {0, Dump({{"cniVersion", VersionOf(input)}, {"supportedVersions", kCniVersions}}), ""};
}

// sluice-node hooks an interface within milliseconds after it appeared.
std::optional<CniError> AwaitHooks(const CniInvocation& invocation, Clock::time_point deadline) {
  while (true) {
    std::string lack = WhatHooksLack(invocation.bpffs, invocation.hosts, invocation.attachment.addresses);
    if (lack.empty()) return std::nullopt;
    if (Clock::now() >= deadline) return CniError{CniCode::kTryAgainLater, std::move(lack)};
    std::this_thread::sleep_for(kLook);
  }
}

// Policy comes first: a hooked interface passes only what policy has judged.
std::optional<CniError> Await(const CniInvocation& invocation, PluginRequest::Command command) {
  if (invocation.hosts.empty()) {
    return CniError{CniCode::kInvalidConfiguration,
                    "prevResult names no interface on the host: what the pod sends cannot be filtered",
                    "macvlan, ipvlan and SR-IOV have no host side; take sluice out of this conflist"};
  }
  const auto deadline = Clock::now() + kLongest;
  if (auto error = AskSync(invocation.socket, {command, invocation.attachment, {}, {}}, deadline)) return error;
  return AwaitHooks(invocation, deadline);
}

std::optional<CniError> Ask(const CniInvocation& invocation, PluginRequest::Command command) {
  return AskSync(invocation.socket, {command, invocation.attachment, invocation.valid, {}},
                 Clock::now() + kLongestOthers);
}

std::optional<CniError> Status(const CniInvocation& invocation) {
  std::string why = WhyNoHooks(invocation.bpffs);
  if (why.empty()) {
    const auto error = Ask(invocation, PluginRequest::Command::kStatus);
    if (!error) return std::nullopt;
    why = error->message;
  }
  return CniError{CniCode::kNotAvailable, std::move(why)};
}

PluginOutcome PassThrough(const CniInvocation& invocation) {
  Json result = invocation.previous;
  if (!result.contains("cniVersion")) result["cniVersion"] = invocation.version;
  return {0, Dump(result), ""};
}

// The container is gone whatever we answer. sluice-sync learns from the API server what it did not hear now.
PluginOutcome Delete(const CniEnvironment& environment, const std::string& input) {
  const auto invocation = ReadInvocation(environment, input);
  auto error = std::holds_alternative<CniError>(invocation)
                   ? std::optional(std::get<CniError>(invocation))
                   : Ask(std::get<CniInvocation>(invocation), PluginRequest::Command::kDelete);
  return {0, "", error ? "sluice: DEL: " + error->message + "\n" : ""};
}

}  // namespace

PluginOutcome RunPlugin(const CniEnvironment& environment, const std::string& input) {
  const auto command = ReadCommand(environment);
  if (const auto* error = std::get_if<CniError>(&command)) return Fail(VersionOf(input), *error);
  if (std::get<CniCommand>(command) == CniCommand::kVersion) return SayVersions(input);
  if (std::get<CniCommand>(command) == CniCommand::kDelete) return Delete(environment, input);
  const auto read = ReadInvocation(environment, input);
  if (const auto* error = std::get_if<CniError>(&read)) return Fail(VersionOf(input), *error);
  const auto& invocation = std::get<CniInvocation>(read);
  std::optional<CniError> error;
  switch (invocation.command) {
    case CniCommand::kAdd:
      error = Await(invocation, PluginRequest::Command::kAdd);
      if (!error) return PassThrough(invocation);
      break;
    case CniCommand::kCheck:
      error = Await(invocation, PluginRequest::Command::kCheck);
      break;
    case CniCommand::kCollect:
      error = Ask(invocation, PluginRequest::Command::kCollect);
      break;
    default:
      error = Status(invocation);
  }
  return error ? Fail(invocation.version, *error) : PluginOutcome{};
}

}  // namespace sluice
