#include "sluicectl/live_policy.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <variant>

#include "codec/codec.h"
#include "codec/parts.h"
#include "sluicectl/commands.h"
#include "sluicectl/labels.h"
#include "table/compile.h"

namespace sluice {
int FetchPolicy(const LiveOptions& live, v1::ObserveService::Stub& stub, ResolvedPolicy* policy) {
  constexpr std::chrono::milliseconds kBetweenAttempts(100);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(live.timeout);
  v1::GetPolicyRequest request;
  request.set_parts(true);
  while (true) {
    Call call(live);
    const auto reader = call.Open([&](Call* opened) { return stub.GetPolicy(opened, request); });
    FullStateDecoder decoder;
    PartGatherer parts;
    v1::FullStateChunk chunk;
    while (call.Read(*reader, &chunk)) {
      std::optional<Diagnostic> error;
      if (chunk.has_part()) {
        const bool fits = parts.Add(chunk.part());
        if (fits && !parts.complete()) continue;
        if (!fits || !chunk.ParseFromString(parts.Take())) {
          error.emplace();
          error->message = "its parts make no whole";
        }
      }
      if (!error) error = decoder.Add(chunk);
      if (error) {
        call.TryCancel();
        reader->Finish();
        return Fail("--target " + live.target + ": its policy cannot be read: " + error->ToString());
      }
    }
    const grpc::Status status = call.Finish(*reader);
    // Only a few clients may read at once; our turn will come soon.
    if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(kBetweenAttempts);
      continue;
    }
    if (const int code = Finish(live, status); code != kExitFine) return code;
    *policy = decoder.Take();
    return kExitFine;
  }
}

std::shared_ptr<const Table> CompileHere(const ResolvedPolicy& policy) {
  Compiler compiler;
  auto compiled = compiler.Compile(policy);
  if (const auto* error = std::get_if<Diagnostic>(&compiled)) {
    Fail(error->ToString());
    return nullptr;
  }
  return std::get<std::shared_ptr<const Table>>(std::move(compiled));
}

void TakeLivePods(const ResolvedPolicy& policy, Cluster* cluster) {
  cluster->pods.clear();
  cluster->nodes.clear();
  for (const Node& node : policy.nodes) cluster->nodes.push_back({node.name, node.addresses, node.pod_cidrs, {}, true});
  for (const Endpoint& endpoint : policy.endpoints) {
    if (endpoint.name.empty()) continue;
    Pod& pod = cluster->pods.emplace_back();
    pod.namespace_name = endpoint.namespace_name;
    pod.name = endpoint.name;
    pod.labels = ParseLabels(endpoint.labels);
    pod.addresses = endpoint.addresses;
    pod.workload = endpoint.workload;
    if (endpoint.node != kNoNode) pod.node = policy.nodes[endpoint.node].name;
    for (const NamedPort& port : endpoint.ports) pod.ports.push_back({port.name, port.protocol, port.port});
  }
}

}  // namespace sluice
