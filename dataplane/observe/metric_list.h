// Every metric of sluiced, in one list. The text for Prometheus and the table of docs/metrics.md are made from it.
#ifndef SLUICE_DATAPLANE_OBSERVE_METRIC_LIST_H_
#define SLUICE_DATAPLANE_OBSERVE_METRIC_LIST_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice {

enum class MetricKind : std::uint8_t { kCounter, kGauge, kHistogram };

constexpr std::string_view Name(MetricKind kind) {
  constexpr std::string_view kNames[] = {"counter", "gauge", "histogram"};
  return kNames[static_cast<int>(kind)];
}

// X(enumerator, kind, name, labels with commas between, help)
#define SLUICE_METRICS(X)                                                                                              \
  X(kBuildInfo, kGauge, "sluice_build_info", "version", "1; the version is in the label")                              \
  X(kStart, kGauge, "sluice_start_timestamp_seconds", "", "When the process started, since 1970")                      \
  X(kPackets, kCounter, "sluice_packets_total", "verdict", "Packets by verdict, each in exactly one")                  \
  X(kBytes, kCounter, "sluice_bytes_total", "verdict", "Bytes of those packets' frames")                               \
  X(kDrops, kCounter, "sluice_drops_total", "reason",                                                                  \
    "Packets that were not forwarded, by drop reason; rejected ones included")                                         \
  X(kHookDrops, kCounter, "sluice_hook_drops_total", "reason",                                                         \
    "Frames that a node's hooks dropped at pods' interfaces, before sluiced saw them; on a node with hooks alone")     \
  X(kRelated, kCounter, "sluice_related_packets_total", "", "ICMP errors that belong to a flow")                       \
  X(kStateless, kCounter, "sluice_stateless_packets_total", "",                                                        \
    "Packets allowed without a flow because the flow table was full")                                                  \
  X(kEncapsulated, kCounter, "sluice_encapsulated_packets_total", "",                                                  \
    "Tunnels between nodes, whose content is not read; dropped where encapsulation is refuse")                         \
  X(kAnswers, kCounter, "sluice_answers_total", "", "Resets and ICMP errors made for what was rejected")               \
  X(kAnswersLimited, kCounter, "sluice_answers_limited_total", "", "The same, not made because of rejects_per_second") \
  X(kFlows, kGauge, "sluice_flows", "", "Flows in the flow tables")                                                    \
  X(kFlowCapacity, kGauge, "sluice_flow_capacity", "", "Flows that there is room for")                                 \
  X(kFlowsCreated, kCounter, "sluice_flows_created_total", "", "Flows opened")                                         \
  X(kFlowsExpired, kCounter, "sluice_flows_expired_total", "",                                                         \
    "Flows whose time-out passed, or whose place a new connection took")                                               \
  X(kFlowsEvicted, kCounter, "sluice_flows_evicted_total", "",                                                         \
    "Unreplied flows that gave way because the flow table was full")                                                   \
  X(kFlowsCut, kCounter, "sluice_flows_cut_total", "", "Live flows that a newer table denied")                         \
  X(kFlowsJudgedAgain, kCounter, "sluice_flows_judged_again_total", "", "Flows judged again after a change")           \
  X(kFlowsUnmanaged, kCounter, "sluice_flows_unmanaged_total", "",                                                     \
    "Flows ended because no policy concerns their ends any more")                                                      \
  X(kCarriedFlows, kGauge, "sluice_carried_flows", "", "Flows whose packets pass in the hooks")                        \
  X(kCarriedPackets, kCounter, "sluice_carried_packets_total", "",                                                     \
    "Packets that passed in the hooks, without a worker; not in sluice_packets_total")                                 \
  X(kCarriedBytes, kCounter, "sluice_carried_bytes_total", "", "Bytes of those packets")                               \
  X(kDnsQueries, kCounter, "sluice_dns_queries_total", "",                                                             \
    "Queries for addresses to the resolvers of dns.resolvers; these and the next five only where there are some")      \
  X(kDnsAnswers, kCounter, "sluice_dns_answers_total", "outcome",                                                      \
    "Answers by what became of them: learnt, unlearnt (no rule asks for the name, or it has no address), untrusted "   \
    "(not of dns.resolvers), spoofed (nobody asked), malformed, truncated")                                            \
  X(kDnsHeld, kCounter, "sluice_dns_held_total", "", "Packets that waited until what they say was in force")           \
  X(kDnsUnheld, kCounter, "sluice_dns_unheld_total", "cause",                                                          \
    "Answers that went on before: dns.hold_ms ran_out, or no_room")                                                    \
  X(kDnsWaiting, kGauge, "sluice_dns_waiting", "", "Packets that wait now")                                            \
  X(kDnsUnread, kCounter, "sluice_dns_unread_total", "what",                                                           \
    "What was not read of DNS: a fragment; a query whose answer does not count, as no copy of it could be made, or "   \
    "as it made way for others (displaced); a stream (TCP connection) that could not be followed")                     \
  X(kNamePatterns, kGauge, "sluice_name_patterns", "", "Names and patterns that rules by domain name ask for")         \
  X(kNames, kGauge, "sluice_names", "", "Names of these that were learnt; those that ran out included, while kept")    \
  X(kNameAddresses, kGauge, "sluice_name_addresses", "", "Pairs of a name and an address that open connections now")   \
  X(kNameAddressesLearnt, kCounter, "sluice_name_addresses_learnt_total", "",                                          \
    "Pairs that came into force, from DNS or pushed")                                                                  \
  X(kNameAddressesExpired, kCounter, "sluice_name_addresses_expired_total", "", "Pairs whose time ran out")            \
  X(kNameAddressesEvicted, kCounter, "sluice_name_addresses_evicted_total", "",                                        \
    "Pairs that were in force and made way for others, for want of room")                                              \
  X(kWorkerPackets, kCounter, "sluice_worker_packets_total", "worker", "Packets of each worker, whatever the verdict") \
  X(kWorkerHandedOver, kCounter, "sluice_worker_handed_over_frames_total", "worker",                                   \
    "Frames that the worker received and gave to the owner of their flow")                                             \
  X(kWorkerRounds, kCounter, "sluice_worker_rounds_total", "worker", "Times that the worker looked for frames")        \
  X(kWorkerBusyRounds, kCounter, "sluice_worker_busy_rounds_total", "worker",                                          \
    "Times that it found some; divided by the rounds: its busy share")                                                 \
  X(kPortUp, kGauge, "sluice_port_link_up", "wire,side,device", "1 while the port has a link, else 0")                 \
  X(kPortRxPackets, kCounter, "sluice_port_rx_packets_total", "wire,side,device", "Frames received")                   \
  X(kPortRxBytes, kCounter, "sluice_port_rx_bytes_total", "wire,side,device", "Bytes of frames received")              \
  X(kPortTxPackets, kCounter, "sluice_port_tx_packets_total", "wire,side,device", "Frames transmitted")                \
  X(kPortTxBytes, kCounter, "sluice_port_tx_bytes_total", "wire,side,device", "Bytes of frames transmitted")           \
  X(kPortRxMissed, kCounter, "sluice_port_rx_missed_total", "wire,side,device",                                        \
    "Frames that the device lost because nobody took them in time")                                                    \
  X(kPortRxErrors, kCounter, "sluice_port_rx_errors_total", "wire,side,device",                                        \
    "Frames that the device found damaged")                                                                            \
  X(kPolicyInForce, kGauge, "sluice_policy_in_force", "", "1 once there is policy, 0 before the first")                \
  X(kGeneration, kGauge, "sluice_generation", "", "Generation of the table in force")                                  \
  X(kPublished, kGauge, "sluice_policy_published_timestamp_seconds", "",                                               \
    "When the table in force was published, since 1970; time() less this is its age")                                  \
  X(kSenderConnected, kGauge, "sluice_sender_connected", "",                                                           \
    "1 while a sender's stream stands, else 0; absent where manifests say the policy")                                 \
  X(kSenderHeard, kGauge, "sluice_sender_heard_timestamp_seconds", "",                                                 \
    "When a sender was last heard, since 1970; absent before the first")                                               \
  X(kPolicyKept, kGauge, "sluice_policy_kept", "",                                                                     \
    "1 if a restart would begin with what is in force, or need not; else 0")                                           \
  X(kPolicyRefused, kGauge, "sluice_policy_refused", "",                                                               \
    "1 while the last batch or look at the manifests was refused")                                                     \
  X(kBatches, kCounter, "sluice_batches_total", "outcome", "Batches of policy, applied or refused")                    \
  X(kLargeRemovals, kCounter, "sluice_large_removals_total", "",                                                       \
    "Full states that took away more than half of the policies in force")                                              \
  X(kStepSeconds, kHistogram, "sluice_policy_step_seconds", "step",                                                    \
    "Time of each step that brings policy into force: decode, compile, publish, keep; in_force: from received to "     \
    "every worker")                                                                                                    \
  X(kPolicies, kGauge, "sluice_policies", "", "Policies in force")                                                     \
  X(kEndpoints, kGauge, "sluice_endpoints", "", "Endpoints known")                                                     \
  X(kRules, kGauge, "sluice_rules", "", "Rules in force")                                                              \
  X(kTableBytes, kGauge, "sluice_table_bytes", "",                                                                     \
    "Bytes of the table in force, what it shares with older ones included")                                            \
  X(kTableLimitRatio, kGauge, "sluice_table_limit_ratio", "limit", "Share of each of the configured limits in use")    \
  X(kPolicyPackets, kCounter, "sluice_policy_packets_total", "policy,tier,direction,action",                           \
    "Packets that the policy's rules decided; policy \"\" is all that there was no room for (http_policies)")          \
  X(kPolicyBytes, kCounter, "sluice_policy_bytes_total", "policy,tier,direction,action", "Bytes of those packets")     \
  X(kPoliciesFolded, kGauge, "sluice_policies_folded", "", "Policies that count in the series of policy \"\"")         \
  X(kStagedPolicies, kGauge, "sluice_staged_policies", "", "Policies for which a change is staged")                    \
  X(kStagedRefused, kGauge, "sluice_staged_refused", "",                                                               \
    "1 while what is staged is not judged by, as it does not fit beside what is in force")                             \
  X(kStagedTableBytes, kGauge, "sluice_staged_table_bytes", "",                                                        \
    "Bytes of the table that staged policies make, beside that in force")                                              \
  X(kStagedSince, kGauge, "sluice_staged_since_timestamp_seconds", "",                                                 \
    "When traffic began to be judged by what is staged now, since 1970; absent where nothing is")                      \
  X(kStagedJudged, kGauge, "sluice_staged_judged", "",                                                                 \
    "Connections and denied packets judged by what is staged, since then")                                             \
  X(kStagedWouldDeny, kGauge, "sluice_staged_would_deny_connections", "",                                              \
    "Connections that what is staged would have denied, since then")                                                   \
  X(kStagedWouldAllow, kGauge, "sluice_staged_would_allow_packets", "",                                                \
    "Denied packets that what is staged would have allowed, since then")                                               \
  X(kStagedNotKept, kGauge, "sluice_staged_not_kept", "",                                                              \
    "Of those that would have been treated differently, the ones that there was no room to tell apart")                \
  X(kStagedSilentPods, kGauge, "sluice_staged_silent_pods", "",                                                        \
    "Pods that took part in no connection since then, so that nothing is known of what they need")                     \
  X(kFlowLogLines, kCounter, "sluice_flow_log_lines_total", "sink", "Lines that a sink of the flow log took")          \
  X(kEventsLost, kCounter, "sluice_events_lost_total", "sink,cause",                                                   \
    "Lines that a sink of the flow log did not get, by cause; and what those did not get that look at drops, a "       \
    "capture or flows (flow_history)")                                                                                 \
  X(kCertificateEnd, kGauge, "sluice_certificate_end_timestamp_seconds", "",                                           \
    "When the control API's certificate ends, since 1970; absent without one")

enum class Metric : std::uint8_t {
#define X(enumerator, kind, name, labels, help) enumerator,
  SLUICE_METRICS(X)
#undef X
};

struct MetricInfo {
  std::string_view name;
  MetricKind kind;
  std::string_view labels;
  std::string_view help;
};

inline constexpr MetricInfo kMetricInfos[] = {
#define X(enumerator, kind, name, labels, help) {name, MetricKind::kind, labels, help},
    SLUICE_METRICS(X)
#undef X
};
inline constexpr std::size_t kMetricCount = std::size(kMetricInfos);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_METRIC_LIST_H_
