// Answers the CNI plugin: adds what the plugin reports of pods to the feed, and waits until it is in force.
#ifndef SLUICE_PROGRAMS_SLUICE_SYNC_PLUGIN_CALLS_H_
#define SLUICE_PROGRAMS_SLUICE_SYNC_PLUGIN_CALLS_H_

#include <functional>
#include <string>

#include "cni/attachment.h"
#include "push/policy_feed.h"
#include "sluice-sync/local_pods.h"

namespace sluice {

// Any thread.
class PluginCalls {
 public:
  // `lacking` says which dataplane is not in step, and why; empty: all are. All arguments outlive it.
  PluginCalls(PolicyFeed& feed, LocalPods& pods, std::function<std::string()> lacking)
      : feed_(feed), pods_(pods), lacking_(std::move(lacking)) {}

  // Answers one message of cni/attachment.h by another.
  std::string Answer(const std::string& request);

 private:
  // Each returns the error, or nothing.
  std::string Perform(const PluginRequest& request);
  std::string Add(const PluginRequest& request);
  std::string Check(const PluginRequest& request);
  void Change(const std::function<void(ClusterResolver&)>& change);
  std::string AwaitInForce(std::chrono::steady_clock::time_point deadline);

  PolicyFeed& feed_;
  LocalPods& pods_;
  const std::function<std::string()> lacking_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICE_SYNC_PLUGIN_CALLS_H_
