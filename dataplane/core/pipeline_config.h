// The settings with which a worker's pipeline is made.
#ifndef SLUICE_DATAPLANE_CORE_PIPELINE_CONFIG_H_
#define SLUICE_DATAPLANE_CORE_PIPELINE_CONFIG_H_

#include <cstdint>

#include "core/dns_tap.h"
#include "core/flow_state.h"
#include "core/parse.h"
#include "table/learnt_names.h"

namespace sluice {

enum class ActionOnDeny : std::uint8_t { kDrop, kReject };
enum class Encapsulation : std::uint8_t { kPass, kRefuse };

struct PipelineConfig {
  ParseConfig parse;
  Timeouts timeouts;
  ActionOnDeny action_on_deny = ActionOnDeny::kDrop;
  std::uint32_t rejects_per_second = 1000;  // for each worker; packets above it are dropped silently
  bool tcp_strict = false;                  // TCP without a flow and without SYN: dropped as tcp_no_syn
  bool fail_closed = true;                  // before any policy: drop what could concern a pod (all IP)
  bool drop_unknown_endpoint = true;
  Encapsulation encapsulation = Encapsulation::kPass;  // tunnels between nodes (core/tunnel.h); counted either way
  std::uint32_t flow_capacity_ipv4 = 1u << 20;         // flows for each worker
  std::uint32_t flow_capacity_ipv6 = 1u << 18;
  std::uint32_t fragment_trains = 4096;    // datagrams under way at once
  std::uint32_t fragments_held = 1024;     // frames that wait for their first fragment, in all
  std::uint32_t fragments_held_each = 16;  // ... of one datagram
  std::uint32_t fragment_timeout_ms = 1000;
  DnsTapConfig dns;
  std::uint64_t hash_seed = 0;  // 0: random
  // What was learnt about names, on the workers' clock. Null: rules by name match nothing. It outlives the pipeline.
  const LearntNames* learnt_names = nullptr;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_PIPELINE_CONFIG_H_
