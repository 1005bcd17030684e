#include "sluice-sync/plugin_calls.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <variant>

#include "sluice/printable.h"

namespace sluice {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLongestWait{10'000};
constexpr const char* kNotRead = "the cluster was not read whole yet";

Clock::time_point DeadlineOf(const PluginRequest& request) {
  return Clock::now() + std::min(request.wait, kLongestWait);
}

std::string TitleOf(const Attachment& attachment) { return "Pod " + attachment.namespace_name + '/' + attachment.name; }

}  // namespace

std::string PluginCalls::Answer(const std::string& request) {
  const auto decoded = DecodeRequest(request);
  if (const auto* error = std::get_if<std::string>(&decoded)) {
    return EncodeAnswer("the request cannot be read: " + *error + "; are sluice-sync and the plugin of one version?");
  }
  const std::string error = Perform(std::get<PluginRequest>(decoded));
  if (!error.empty()) spdlog::warn("network plugin: {}", Printable(error));
  return EncodeAnswer(error);
}

std::string PluginCalls::Perform(const PluginRequest& request) {
  switch (request.command) {
    case PluginRequest::Command::kAdd:
      return Add(request);
    case PluginRequest::Command::kDelete:
      Change([&](ClusterResolver& resolver) { pods_.Detach(request.attachment.key, resolver); });
      return "";
    case PluginRequest::Command::kCheck:
      return Check(request);
    case PluginRequest::Command::kCollect:
      Change([&](ClusterResolver& resolver) { pods_.DetachAllBut(request.valid, resolver); });
      return "";
    case PluginRequest::Command::kStatus:
      break;
  }
  const auto deadline = DeadlineOf(request);
  return feed_.Await(deadline, [] { return true; }) ? AwaitInForce(deadline) : kNotRead;
}

std::string PluginCalls::Add(const PluginRequest& request) {
  const Attachment& attachment = request.attachment;
  const auto deadline = DeadlineOf(request);
  bool is_read = false;
  const auto is_known = [&] {
    is_read = true;
    return pods_.Knows(attachment);
  };
  bool is_attached = feed_.Await(deadline, is_known);
  if (is_attached) {
    feed_.Change(ChangeTime::Now(),
                 [&](ClusterResolver& resolver) { is_attached = pods_.Attach(attachment, resolver); });
    feed_.Publish();
  }
  if (is_attached) return AwaitInForce(deadline);
  if (!is_read) return kNotRead;
  return TitleOf(attachment) + (attachment.uid.empty() ? "" : " of uid " + attachment.uid) +
         " is not known as a pod of this node; is sluice-sync's --node the name that the kubelet has?";
}

std::string PluginCalls::Check(const PluginRequest& request) {
  const auto deadline = DeadlineOf(request);
  if (feed_.Await(deadline, [&] { return pods_.Holds(request.attachment); })) return AwaitInForce(deadline);
  return TitleOf(request.attachment) + " is not known by its addresses";
}

void PluginCalls::Change(const std::function<void(ClusterResolver&)>& change) {
  // Until everything was read, the feed has nothing from the plugin, and nothing may be published.
  if (!feed_.Await(Clock::now(), [] { return true; })) return;
  feed_.Change(ChangeTime::Now(), change);
  feed_.Publish();
}

std::string PluginCalls::AwaitInForce(Clock::time_point deadline) {
  if (feed_.AwaitInForce(deadline)) return "";
  const std::string lacking = lacking_();
  return "policy is not in force yet" + (lacking.empty() ? "" : ": " + lacking);
}

}  // namespace sluice
