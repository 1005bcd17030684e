// ObserveService's calls, from gRPC to the threads that answer them: the request and the kind of each.
#include "api/observe_service.h"

namespace sluice {

ObserveService::Unary* ObserveService::GetStatus(Context* context, const Bytes* request, Bytes* response) {
  return calls_.Unary<v1::GetStatusRequest>(
      context, request, response, [this](const auto& asked, AnswerWriter& writer) { return GetStatus(asked, writer); });
}

ObserveService::Unary* ObserveService::GetTableStats(Context* context, const Bytes* request, Bytes* response) {
  return calls_.Unary<v1::GetTableStatsRequest>(
      context, request, response,
      [this](const auto& asked, AnswerWriter& writer) { return GetTableStats(asked, writer); });
}

ObserveService::Unary* ObserveService::Explain(Context* context, const Bytes* request, Bytes* response) {
  return calls_.Unary<v1::ExplainRequest>(
      context, request, response, [this](const auto& asked, AnswerWriter& writer) { return Explain(asked, writer); });
}

ObserveService::Stream* ObserveService::ListEndpoints(Context* context, const Bytes* request) {
  return calls_.Stream<v1::ListEndpointsRequest>(
      context, request, ReadKind::kList,
      [this](const auto& asked, AnswerWriter& writer) { return ListEndpoints(asked, writer); });
}

ObserveService::Stream* ObserveService::ListPolicies(Context* context, const Bytes* request) {
  return calls_.Stream<v1::ListPoliciesRequest>(
      context, request, ReadKind::kList,
      [this](const auto& asked, AnswerWriter& writer) { return ListPolicies(asked, writer); });
}

ObserveService::Stream* ObserveService::ListFlows(Context* context, const Bytes* request) {
  return calls_.Stream<v1::ListFlowsRequest>(
      context, request, ReadKind::kList,
      [this](const auto& asked, AnswerWriter& writer) { return ListFlows(asked, writer); });
}

ObserveService::Stream* ObserveService::ListPorts(Context* context, const Bytes* request) {
  return calls_.Stream<v1::ListPortsRequest>(
      context, request, ReadKind::kList,
      [this](const auto& asked, AnswerWriter& writer) { return ListPorts(asked, writer); });
}

ObserveService::Stream* ObserveService::ListWorkers(Context* context, const Bytes* request) {
  return calls_.Stream<v1::ListWorkersRequest>(
      context, request, ReadKind::kList,
      [this](const auto& asked, AnswerWriter& writer) { return ListWorkers(asked, writer); });
}

ObserveService::Stream* ObserveService::ListDrops(Context* context, const Bytes* request) {
  return calls_.Stream<v1::ListDropsRequest>(
      context, request, ReadKind::kList,
      [this](const auto& asked, AnswerWriter& writer) { return ListDrops(asked, writer); });
}

ObserveService::Stream* ObserveService::WatchDrops(Context* context, const Bytes* request) {
  return calls_.Stream<v1::WatchDropsRequest>(
      context, request, ReadKind::kWatch,
      [this](const auto& asked, AnswerWriter& writer) { return WatchDrops(asked, writer); });
}

ObserveService::Stream* ObserveService::WatchFlows(Context* context, const Bytes* request) {
  return calls_.Stream<v1::WatchFlowsRequest>(
      context, request, ReadKind::kWatch,
      [this](const auto& asked, AnswerWriter& writer) { return WatchFlows(asked, writer); });
}

ObserveService::Stream* ObserveService::ListStaged(Context* context, const Bytes* request) {
  return calls_.Stream<v1::ListStagedRequest>(
      context, request, ReadKind::kList,
      [this](const auto& asked, AnswerWriter& writer) { return ListStaged(asked, writer); });
}

ObserveService::Stream* ObserveService::ListNames(Context* context, const Bytes* request) {
  return calls_.Stream<v1::ListNamesRequest>(
      context, request, ReadKind::kList,
      [this](const auto& asked, AnswerWriter& writer) { return ListNames(asked, writer); });
}

ObserveService::Stream* ObserveService::GetPolicy(Context* context, const Bytes* request) {
  return calls_.Stream<v1::GetPolicyRequest>(
      context, request, ReadKind::kWholePolicy,
      [this](const auto& asked, AnswerWriter& writer) { return GetPolicy(asked, writer); });
}

}  // namespace sluice
