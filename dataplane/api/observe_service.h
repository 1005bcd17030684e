// sluice.v1.ObserveService: what a running dataplane shows. Nothing here stops a worker or changes what is in force.
//
// gRPC's threads hand a call in; a thread of its own answers it (read_calls.h). Lists are read in slices, so that the
// writer of policy never waits for a slow reader. If a list changes meanwhile, each line shows the state of its own
// moment.
#ifndef SLUICE_DATAPLANE_API_OBSERVE_SERVICE_H_
#define SLUICE_DATAPLANE_API_OBSERVE_SERVICE_H_

#include <atomic>
#include <cstdint>

#include "api/drop_feed.h"
#include "api/end_filter.h"
#include "api/read_calls.h"
#include "api/silent_pods.h"
#include "core/pipeline_config.h"
#include "names/names_view.h"
#include "observe/dataplane_view.h"
#include "observe/flow_log.h"
#include "observe/staged_ledger.h"
#include "sluice/v1/observe.grpc.pb.h"
#include "store/policy_intake.h"

namespace sluice {

// Requests and answers are bytes, so that we decide whether a request is unpacked.
using RawObserveService = v1::ObserveService::WithRawCallbackMethod_GetStatus<
    v1::ObserveService::WithRawCallbackMethod_ListEndpoints<v1::ObserveService::WithRawCallbackMethod_ListPolicies<
        v1::ObserveService::WithRawCallbackMethod_GetTableStats<v1::ObserveService::WithRawCallbackMethod_ListFlows<
            v1::ObserveService::WithRawCallbackMethod_ListPorts<v1::ObserveService::WithRawCallbackMethod_ListWorkers<
                v1::ObserveService::WithRawCallbackMethod_ListDrops<
                    v1::ObserveService::WithRawCallbackMethod_WatchDrops<
                        v1::ObserveService::WithRawCallbackMethod_WatchFlows<
                            v1::ObserveService::WithRawCallbackMethod_Explain<
                                v1::ObserveService::WithRawCallbackMethod_ListStaged<
                                    v1::ObserveService::WithRawCallbackMethod_ListNames<
                                        v1::ObserveService::WithRawCallbackMethod_GetPolicy<
                                            v1::ObserveService::Service>>>>>>>>>>>>>>;

class ObserveService final : public RawObserveService {
 public:
  // All arguments outlive the service, and the service outlives its server. `pipeline`: the configuration of the
  // workers' pipelines. `flow_log`: null if nothing is kept of ended flows. `staged`: null if nothing can be staged.
  // `names`: has no store if no names are learnt.
  ObserveService(const PolicyIntake& intake, const DataplaneView& plane, const PipelineConfig& pipeline,
                 const ReadLimits& limits = {}, FlowLog* flow_log = nullptr, const StagedLedger* staged = nullptr,
                 NamesView names = {});

  // The end of the certificate that TCP clients are shown, in seconds since 1970; 0: there is none. Any thread.
  void SetCertificateEnd(std::int64_t unix_s) { certificate_end_unix_s_ = unix_s; }
  const DropFeed& drops() const { return drops_; }

 private:
  using Context = grpc::CallbackServerContext;
  using Bytes = grpc::ByteBuffer;
  using Unary = grpc::ServerUnaryReactor;
  using Stream = grpc::ServerWriteReactor<grpc::ByteBuffer>;

  // Overrides gRPC's functions. gRPC has each in a blocking form as well; clang warns that it is hidden.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverloaded-virtual"
  Unary* GetStatus(Context*, const Bytes*, Bytes*) override;
  Stream* ListEndpoints(Context*, const Bytes*) override;
  Stream* ListPolicies(Context*, const Bytes*) override;
  Unary* GetTableStats(Context*, const Bytes*, Bytes*) override;
  Stream* ListFlows(Context*, const Bytes*) override;
  Stream* ListPorts(Context*, const Bytes*) override;
  Stream* ListWorkers(Context*, const Bytes*) override;
  Stream* ListDrops(Context*, const Bytes*) override;
  Stream* WatchDrops(Context*, const Bytes*) override;
  Stream* WatchFlows(Context*, const Bytes*) override;
  Unary* Explain(Context*, const Bytes*, Bytes*) override;
  Stream* GetPolicy(Context*, const Bytes*) override;
  Stream* ListStaged(Context*, const Bytes*) override;
  Stream* ListNames(Context*, const Bytes*) override;

  // Make the answers. Run on the call's thread.
  grpc::Status GetStatus(const v1::GetStatusRequest&, AnswerWriter& writer);
  void AddUnanswered(v1::Status* status);
  void AddStaged(v1::Status* status) const;
  void SetStaged(const StagedTotals& totals, const PodCounts& pods, v1::StagedSummary* summary) const;
  grpc::Status ListEndpoints(const v1::ListEndpointsRequest& request, AnswerWriter& writer);
  grpc::Status ListPolicies(const v1::ListPoliciesRequest& request, AnswerWriter& writer);
  grpc::Status GetTableStats(const v1::GetTableStatsRequest&, AnswerWriter& writer);
  grpc::Status ListFlows(const v1::ListFlowsRequest& request, AnswerWriter& writer);
  grpc::Status SampleFlows(const v1::ListFlowsRequest& request, const EndFilter& filter, AnswerWriter& writer);
  grpc::Status ListPorts(const v1::ListPortsRequest&, AnswerWriter& writer);
  grpc::Status ListWorkers(const v1::ListWorkersRequest&, AnswerWriter& writer);
  grpc::Status ListDrops(const v1::ListDropsRequest&, AnswerWriter& writer);
  grpc::Status WatchDrops(const v1::WatchDropsRequest& request, AnswerWriter& writer);
  grpc::Status WatchFlows(const v1::WatchFlowsRequest& request, AnswerWriter& writer);
  grpc::Status Explain(const v1::ExplainRequest& request, AnswerWriter& writer);
  grpc::Status ListStaged(const v1::ListStagedRequest& request, AnswerWriter& writer);
  grpc::Status ListNames(const v1::ListNamesRequest& request, AnswerWriter& writer);
  grpc::Status GetPolicy(const v1::GetPolicyRequest& request, AnswerWriter& writer);
#pragma GCC diagnostic pop

  const PolicyIntake& intake_;
  const DataplaneView& plane_;
  const PipelineConfig pipeline_;
  FlowLog* const flow_log_;
  const StagedLedger* const staged_;
  const NamesView names_;
  const std::uint64_t start_unix_ns_;
  DropFeed drops_;
  std::atomic<std::int64_t> certificate_end_unix_s_ = 0;
  ReadCalls calls_;  // last member: its threads use the others
};

void SetLearntName(const LearntPair& pair, v1::LearntName* message);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_OBSERVE_SERVICE_H_
