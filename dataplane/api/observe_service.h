// sluice.v1.ObserveService: what a running dataplane shows. Nothing here stops a worker or changes what is in force.
//
// Calls run on gRPC's threads, a bounded number at a time (limits.h). Lists are read in slices, so that whoever applies
// policy never waits for a slow reader: a list that changes meanwhile shows each line as of a moment of its own.
#ifndef SLUICE_DATAPLANE_API_OBSERVE_SERVICE_H_
#define SLUICE_DATAPLANE_API_OBSERVE_SERVICE_H_

#include <atomic>
#include <cstdint>

#include "api/dataplane_view.h"
#include "api/drop_feed.h"
#include "api/policy_intake.h"
#include "sluice/v1/observe.grpc.pb.h"

namespace sluice {

class ObserveService final : public v1::ObserveService::Service {
 public:
  // Both outlive the service. `fail_closed`: what happens before any policy.
  ObserveService(const PolicyIntake& intake, const DataplaneView& plane, bool fail_closed);

  // Of the certificate that TCP clients are shown, in seconds since 1970; 0: there is none. Any thread.
  void SetCertificateEnd(std::int64_t unix_s) { certificate_end_unix_s_ = unix_s; }

  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*, v1::Status*) override;
  grpc::Status ListEndpoints(grpc::ServerContext*, const v1::ListEndpointsRequest*,
                             grpc::ServerWriter<v1::EndpointInfo>*) override;
  grpc::Status ListPolicies(grpc::ServerContext*, const v1::ListPoliciesRequest*,
                            grpc::ServerWriter<v1::PolicyInfo>*) override;
  grpc::Status GetTableStats(grpc::ServerContext*, const v1::GetTableStatsRequest*, v1::TableStats*) override;
  grpc::Status ListFlows(grpc::ServerContext*, const v1::ListFlowsRequest*, grpc::ServerWriter<v1::Flow>*) override;
  grpc::Status ListPorts(grpc::ServerContext*, const v1::ListPortsRequest*, grpc::ServerWriter<v1::PortInfo>*) override;
  grpc::Status ListWorkers(grpc::ServerContext*, const v1::ListWorkersRequest*,
                           grpc::ServerWriter<v1::WorkerInfo>*) override;
  grpc::Status ListDrops(grpc::ServerContext*, const v1::ListDropsRequest*,
                         grpc::ServerWriter<v1::DropCounter>*) override;
  grpc::Status WatchDrops(grpc::ServerContext*, const v1::WatchDropsRequest*,
                          grpc::ServerWriter<v1::WatchDropsResponse>*) override;
  grpc::Status Explain(grpc::ServerContext*, const v1::ExplainRequest*, v1::Explanation*) override;
  grpc::Status GetPolicy(grpc::ServerContext*, const v1::GetPolicyRequest*,
                         grpc::ServerWriter<v1::FullStateChunk>*) override;

 private:
  const PolicyIntake& intake_;
  const DataplaneView& plane_;
  const bool fail_closed_;
  const std::uint64_t start_unix_ns_;
  DropFeed drops_;
  std::atomic<int> policy_readers_ = 0;
  std::atomic<std::int64_t> certificate_end_unix_s_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_OBSERVE_SERVICE_H_
