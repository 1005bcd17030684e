// One running sluiced, which the page asks over gRPC. Each answer is kept for a moment, so that many viewers cost as
// much as one. Any thread.
#ifndef SLUICE_PROGRAMS_PAGE_TARGET_H_
#define SLUICE_PROGRAMS_PAGE_TARGET_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "page/covered_rules.h"
#include "page/flow_map.h"
#include "page/remembered.h"
#include "sluice/v1/observe.grpc.pb.h"

namespace sluice {

class PageTarget {
 public:
  // Each has `error`: why the answer is unknown, or empty.
  struct StatusAnswer {
    std::string error;
    v1::Status status;
  };
  struct PoliciesAnswer {
    std::string error;
    std::vector<v1::PolicyInfo> policies;              // complete, however many messages they came in
    std::map<std::string, double> packets_per_second;  // by policy, since the last answer; without idle policies
    std::map<RulePlace, CoveringRule> covered;
  };
  struct StagedAnswer {
    std::string error;
    v1::StagedSummary summary;
    std::vector<v1::StagedDifference> differences;
    std::vector<std::string> silent;  // "namespace/name" of pods that took part in no connection
  };
  struct PodsAnswer {
    std::string error;
    std::map<std::string, MapEnd, std::less<>> ends;  // by "namespace/name"
  };
  struct MapAnswer {
    std::string error;
    std::string denials_error;  // why denials are not known
    FlowMap::Edges edges;
    std::uint64_t not_told = 0;
  };

  // `name`: for people.
  PageTarget(std::string name, const std::shared_ptr<grpc::Channel>& channel);
  ~PageTarget();
  PageTarget(const PageTarget&) = delete;
  PageTarget& operator=(const PageTarget&) = delete;

  const std::string& name() const { return name_; }
  std::shared_ptr<const StatusAnswer> Status();
  std::shared_ptr<const PoliciesAnswer> Policies();
  std::shared_ptr<const PodsAnswer> Pods();
  std::shared_ptr<const MapAnswer> Map();
  std::shared_ptr<const StagedAnswer> Staged();
  // The workload of a pod in a difference.
  MapEnd EndOf(const v1::StagedPod& pod);
  // Returns an empty text, or why there is no explanation.
  std::string Explain(const v1::ExplainRequest& request, v1::Explanation* explanation);
  // Calls `take` for each response, until `stop` or Stop. Returns why it ended.
  std::string FollowDrops(const std::stop_token& stop, const std::function<void(const v1::WatchDropsResponse&)>& take);

  // Ends waiting calls; further ones fail. May be called several times.
  void Stop();

 private:
  class Call;

  PoliciesAnswer AskPolicies();
  void AddRates(PoliciesAnswer& answer);
  std::map<RulePlace, CoveringRule> AskCovered();
  PodsAnswer AskPods();
  MapAnswer AskMap();
  std::string SampleFlows(const PodsAnswer& pods);
  void WantDenials();
  void FollowDenials();
  void AddDenial(const std::string& line);
  MapEnd EndOf(const PodsAnswer& pods, const std::string& pod) const;

  const std::string name_;
  const std::unique_ptr<v1::ObserveService::Stub> stub_;
  Remembered<StatusAnswer> status_;
  Remembered<PoliciesAnswer> policies_;
  Remembered<PodsAnswer> pods_;
  Remembered<StagedAnswer> staged_;
  Remembered<MapAnswer> map_;

  // State of the last answer about policies; only its maker uses it.
  std::map<std::string, std::uint64_t> counted_;  // packets, by policy
  std::chrono::steady_clock::time_point counted_at_;
  std::uint64_t covered_generation_ = 0;
  std::chrono::steady_clock::time_point covered_at_;
  std::map<RulePlace, CoveringRule> covered_;

  std::mutex map_mutex_;  // protects the members below; not held during calls
  FlowMap flows_;
  std::string denials_error_;
  std::chrono::steady_clock::time_point map_asked_;
  bool follows_denials_ = false;
  std::thread denials_;

  std::mutex calls_mutex_;
  std::set<grpc::ClientContext*> calls_;
  bool stopped_ = false;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_PAGE_TARGET_H_
