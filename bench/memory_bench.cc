// Memory: bytes a flow (index and all), a rule and an endpoint.
//
// A flow's bytes are those of a table that holds `flows` of them; a rule's and an endpoint's are what a table grows by.
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "core/pipeline.h"
#include "measure.h"
#include "table/compile.h"
#include "traffic.h"

namespace sluice {
namespace {

double PipelineBytes(std::uint32_t ipv4, std::uint32_t ipv6) {
  PipelineConfig config;
  config.flow_capacity_ipv4 = ipv4;
  config.flow_capacity_ipv6 = ipv6;
  return static_cast<double>(std::get<0>(Pipeline::Create(config))->MemoryBytes());
}

TableStats StatsOf(const ResolvedPolicy& policy) {
  Compiler compiler;
  return std::get<0>(compiler.Compile(policy))->stats();
}

void Flows() {
  const double none = PipelineBytes(64, 64);
  for (const std::uint32_t flows : {65'536u, 1u << 20}) {
    Result("memory", "sluice")
        .Number("family", 4)
        .Number("flows", flows)
        .Values("bytes_a_flow", {(PipelineBytes(flows, 64) - none) / (flows - 64)});
    Result("memory", "sluice")
        .Number("family", 6)
        .Number("flows", flows)
        .Values("bytes_a_flow", {(PipelineBytes(64, flows) - none) / (flows - 64)});
  }
}

void Rules() {
  const TableStats few = StatsOf(Traffic(1000).Policy());
  for (const std::uint32_t rules : {10'000u, 100'000u}) {
    const TableStats many = StatsOf(Traffic(rules).Policy());
    Result("memory", "sluice")
        .Number("rules", rules)
        .Values("bytes_a_rule",
                {static_cast<double>(many.bytes - few.bytes) / static_cast<double>(many.rules - few.rules)});
  }
}

// Endpoints of two addresses that join a policy there is.
void Endpoints() {
  ResolvedPolicy policy = Traffic(1000).Policy();
  const TableStats few = StatsOf(policy);
  constexpr std::uint32_t kMore = 100'000;
  const IdSetId members = policy.endpoints.front().members;
  for (std::uint32_t i = 0; i < kMore; ++i) {
    Endpoint endpoint;
    endpoint.namespace_name = "more";
    endpoint.name = "pod-" + std::to_string(i);
    endpoint.addresses = {IpAddress::V4(0x0c000000 + i), IpAddress::V6(0xfd0000000000000c, i)};
    endpoint.members = members;
    policy.endpoints.push_back(std::move(endpoint));
  }
  const TableStats many = StatsOf(policy);
  Result("memory", "sluice")
      .Number("endpoints", kMore)
      .Values("bytes_an_endpoint_of_two_addresses", {static_cast<double>(many.bytes - few.bytes) / kMore});
}

}  // namespace
}  // namespace sluice

int main() {
  sluice::Flows();
  sluice::Rules();
  sluice::Endpoints();
  return 0;
}
