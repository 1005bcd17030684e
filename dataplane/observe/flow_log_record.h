// A line of the flow log: its fields, and its text. Values; any thread.
#ifndef SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_RECORD_H_
#define SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_RECORD_H_

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/flow_entry.h"
#include "sluice/address.h"
#include "table/isolating_policies.h"
#include "table/table.h"

namespace sluice {

// The owner of an address; all texts are empty if it has none.
struct FlowLogOwner {
  std::string namespace_name;
  std::string pod;
  std::string node;
  std::string workload = {};  // "Deployment/web"

  friend bool operator==(const FlowLogOwner&, const FlowLogOwner&) = default;
};

// Records of the same end or rule share its names.
struct FlowLogRecord {
  struct End {
    IpAddress address;
    std::uint16_t port = 0;
    std::shared_ptr<const FlowLogOwner> owner;  // null: the address has no owner
  };

  std::uint64_t unix_ns = 0;  // when the flow ended; for denials, the end of their interval
  bool is_deny = false;
  bool is_live = false;  // the flow goes on
  // A denial has each end only if it is known: beyond the number of ends told apart, a record stands for a whole rule.
  std::optional<End> source;
  std::optional<End> destination;
  std::uint8_t protocol = 0;
  std::string_view verdict;                 // "forward", "drop", "reject"
  std::string_view reason;                  // for a denial: the drop reason
  std::string_view state;                   // for an ended flow
  std::string_view cause;                   // ... and why it ended
  std::shared_ptr<const TableRule> egress;  // null: no rule decided
  std::shared_ptr<const TableRule> ingress;
  // For a default deny of one pair of ends: all policies that isolate. Null: another record, or they are unknown.
  IsolatingPolicies::Names egress_isolated_by;
  IsolatingPolicies::Names ingress_isolated_by;
  std::uint64_t generation = 0;
  FlowTraffic traffic;              // of a flow, in both directions
  FlowTraffic reply;                // the share of `traffic` that the destination sent
  FlowTraffic told;                 // the share of `traffic` in earlier records of the flow
  FlowTraffic reply_told;           // the share of `reply` in earlier records
  std::uint64_t first_unix_ns = 0;  // the first packet's time
  std::uint64_t last_unix_ns = 0;   // the last packet's time
};

// Returns a line of JSON, with its newline. Fields that do not apply are left out.
std::string ToJsonLine(const FlowLogRecord& record);
// Returns the same as a tree, for callers that want parts of it.
nlohmann::ordered_json ToJson(const FlowLogRecord& record);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_RECORD_H_
