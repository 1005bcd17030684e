// Which of the optional resources an API server has, and in which version. Asked at the start and from time to time,
// because CustomResourceDefinitions are installed and removed while we run.
//
// Only an answer in the API server's own form counts (APIGroupList, APIResourceList): an error page of a proxy must not
// look like an API server without cluster policies.
//
// Within one thread, that of its ApiClient.
#ifndef SLUICE_CONTROL_KUBE_DISCOVERY_H_
#define SLUICE_CONTROL_KUBE_DISCOVERY_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kube/api_client.h"
#include "kube/backoff.h"
#include "kube/object_sink.h"
#include "kube/resource.h"

namespace sluice {

struct DiscoveryOptions {
  std::chrono::milliseconds interval{30'000};  // from a good answer to the next question
  std::chrono::milliseconds answer_timeout{60'000};
  // An API server names a version of a kind a moment before it serves it, and a moment after it stops. That is trouble
  // only if it lasts this long.
  std::chrono::milliseconds moment{10'000};
  std::chrono::milliseconds backoff_least{200};
  std::chrono::milliseconds backoff_most{10'000};
};

class Discovery : public ApiHandler {
 public:
  using Clock = std::chrono::steady_clock;

  // All must outlive it. Troubles go to `sink`, as troubles of ClusterNetworkPolicies.
  Discovery(const DiscoveryOptions& options, ApiClient& client, ObjectSink& sink, std::uint64_t seed);
  ~Discovery() override;

  void Tick(Clock::time_point now);
  Clock::time_point Due() const { return next_; }

  // The API server has answered at least once.
  bool known() const { return known_; }
  // "policy.networking.k8s.io/v1beta1"; empty: the API server does not have the resource.
  std::string VersionOf(Resource resource) const;

  void OnHeaders(long status) override;
  bool OnBody(std::string_view bytes) override;
  void OnDone(const ApiResult& result) override;

 private:
  using Versions = std::map<Resource, std::string>;

  void Ask(Clock::time_point now);
  // Returns what is wrong with the answer; empty: it is good.
  std::string ReadGroups();
  std::string ReadResources();
  void Fail(const std::string& why, bool may_be_a_moment = false);

  const DiscoveryOptions options_;
  ApiClient& client_;
  ObjectSink& sink_;
  Backoff backoff_;

  bool known_ = false;
  Versions versions_;

  // For the round in progress: the versions of the group still to ask for, the version asked for last, what was found.
  std::vector<std::string> to_ask_;
  std::string asked_;  // empty: the list of groups
  Versions found_;

  bool under_way_ = false;
  long status_ = 0;
  std::string body_;
  std::string trouble_;
  Clock::time_point failing_since_;  // time 0: it is not failing
  Clock::time_point next_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_DISCOVERY_H_
