// A line of the flow log: what it says, and its text. Values; any thread.
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

// Whose an address is; empty texts where nobody's.
struct FlowLogOwner {
  std::string namespace_name;
  std::string pod;
  std::string node;
  std::string workload = {};  // "Deployment/web"

  friend bool operator==(const FlowLogOwner&, const FlowLogOwner&) = default;
};

// Names are shared by the records of the same end or rule.
struct FlowLogRecord {
  struct End {
    IpAddress address;
    std::uint16_t port = 0;
    std::shared_ptr<const FlowLogOwner> owner;  // null: nobody's
  };

  std::uint64_t unix_ns = 0;  // when the flow had ended; of denials, when their interval had
  bool is_deny = false;
  bool is_live = false;  // the flow goes on
  // Of a deny, each present only where it is known: beyond what can be told apart, a record is of a whole rule.
  std::optional<End> source;
  std::optional<End> destination;
  std::uint8_t protocol = 0;
  std::string_view verdict;                 // "forward", "drop", "reject"
  std::string_view reason;                  // of a deny: the drop reason
  std::string_view state;                   // of an ended flow
  std::string_view cause;                   // ... why it ended
  std::shared_ptr<const TableRule> egress;  // null: none decided
  std::shared_ptr<const TableRule> ingress;
  // Of a default deny of one pair of ends: all policies that isolate. Null: it is none, or they are not known.
  IsolatingPolicies::Names egress_isolated_by;
  IsolatingPolicies::Names ingress_isolated_by;
  std::uint64_t generation = 0;
  FlowTraffic traffic;              // of a flow, in both directions
  FlowTraffic reply;                // of it, what the destination sent
  FlowTraffic told;                 // of `traffic`, what records of the flow told before
  FlowTraffic reply_told;           // of `reply`, the same
  std::uint64_t first_unix_ns = 0;  // its first packet
  std::uint64_t last_unix_ns = 0;   // ... and its last one
};

// A line of JSON, with its end. What does not apply is left out.
std::string ToJsonLine(const FlowLogRecord& record);
// The same as a tree, for those who want some of it.
nlohmann::ordered_json ToJson(const FlowLogRecord& record);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_RECORD_H_
