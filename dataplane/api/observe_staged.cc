// ObserveService::ListStaged: what staged policies would change for the traffic that was seen.
#include <string>
#include <vector>

#include "api/observe_service.h"
#include "api/rule_names.h"
#include "codec/codec.h"

namespace sluice {
namespace {

using grpc::Status;

void SetPod(const FlowLogOwner& owner, v1::StagedPod* pod) {
  pod->set_namespace_(ShownName(owner.namespace_name));
  pod->set_name(ShownName(owner.pod));
  if (!owner.workload.empty()) pod->set_workload(ShownName(owner.workload));
}

v1::ListStagedResponse Describe(const StagedDifference& difference) {
  v1::ListStagedResponse response;
  v1::StagedDifference* message = response.mutable_difference();
  message->set_would_allow(difference.would_allow);
  message->set_source(EncodeAddress(difference.source));
  message->set_destination(EncodeAddress(difference.destination));
  if (!difference.source_owner.pod.empty()) SetPod(difference.source_owner, message->mutable_source_pod());
  if (!difference.destination_owner.pod.empty()) {
    SetPod(difference.destination_owner, message->mutable_destination_pod());
  }
  message->set_protocol(difference.protocol);
  message->set_destination_port(difference.destination_port);
  for (const TableRule& rule : difference.in_force) {
    const bool is_egress = rule.direction == Direction::kEgress;
    SetRule(rule, is_egress ? message->mutable_in_force_egress() : message->mutable_in_force_ingress());
  }
  for (const TableRule& rule : difference.staged) {
    const bool is_egress = rule.direction == Direction::kEgress;
    SetRule(rule, is_egress ? message->mutable_staged_egress() : message->mutable_staged_ingress());
  }
  message->set_first_unix_ns(difference.first_unix_ns);
  message->set_last_unix_ns(difference.last_unix_ns);
  message->set_connections(difference.connections);
  message->set_packets(difference.packets);
  return response;
}

}  // namespace

void ObserveService::SetStaged(const StagedTotals& totals, const PodCounts& pods, v1::StagedSummary* summary) const {
  summary->set_since_unix_ns(totals.since_unix_ns);
  summary->set_judged(totals.judged);
  summary->set_not_kept(totals.not_kept);
  summary->set_would_deny(totals.would_deny);
  summary->set_would_allow(totals.would_allow);
  summary->set_pods(pods.pods);
  summary->set_silent(pods.silent);
  summary->set_policy_count(intake_.store().StagedCount());
  if (const auto refused = intake_.store().staged_refused()) *summary->mutable_refused() = EncodeProblem(*refused);
}

void ObserveService::AddStaged(v1::Status* status) const {
  if (staged_ == nullptr || intake_.store().StagedCount() == 0) return;
  const StagedTotals totals = staged_->totals();
  const PodCounts pods = totals.since_unix_ns == 0 ? PodCounts() : FindSilentPods(intake_.store(), *staged_);
  SetStaged(totals, pods, status->mutable_staged());
}

Status ObserveService::ListStaged(const v1::ListStagedRequest& request, AnswerWriter& writer) {
  const PolicyStore& store = intake_.store();
  std::vector<FlowLogOwner> silent;
  PodCounts pods;
  const StagedTotals totals = staged_ == nullptr ? StagedTotals() : staged_->totals();
  if (totals.since_unix_ns != 0) {
    pods = FindSilentPods(store, *staged_, request.namespace_(), [&](const Endpoint& endpoint) {
      if (request.summary_only()) return;
      silent.push_back({endpoint.namespace_name, endpoint.name, {}, endpoint.workload});
    });
  }
  v1::ListStagedResponse response;
  SetStaged(totals, pods, response.mutable_summary());
  for (const auto& [policy, deletes] : store.Staged()) {
    v1::StagedPolicy* staged = response.mutable_summary()->add_policies();
    staged->set_policy(ShownName(policy));
    staged->set_deletes(deletes);
  }
  bool connected = writer.Write(response);
  if (staged_ == nullptr || request.summary_only()) return connected ? Status::OK : Status::CANCELLED;
  const auto wanted = [&](const std::string& namespace_name) {
    return request.namespace_().empty() || request.namespace_() == namespace_name;
  };
  staged_->VisitDifferences([&](const StagedDifference& difference) {
    const bool is_wanted =
        wanted(difference.source_owner.namespace_name) || wanted(difference.destination_owner.namespace_name);
    if (is_wanted) connected = connected && writer.Write(Describe(difference));
    return connected;
  });
  for (const FlowLogOwner& owner : silent) {
    response.Clear();
    SetPod(owner, response.mutable_silent());
    connected = connected && writer.Write(response);
  }
  return connected ? Status::OK : Status::CANCELLED;
}

}  // namespace sluice
