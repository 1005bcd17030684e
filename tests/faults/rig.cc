#include "faults/rig.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>
#include <utility>
#include <variant>

#include "codec/codec.h"
#include "kube/deploy_manifests.h"
#include "kube/json_framer.h"
#include "kube/object_reader.h"
#include "reference/evaluate.h"
#include "sluice/protocol.h"
#include "support/places.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr const char* kPolicies = "/apis/networking.k8s.io/v1/namespaces/";

std::string Content(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::string PolicyPath(const std::string& space, const std::string& name) {
  return kPolicies + space + "/networkpolicies" + (name.empty() ? "" : '/' + name);
}

std::vector<ProbeKind> AllKinds() {
  std::vector<std::string> addresses = {kOutside};
  for (const RigPod& pod : kRigPods) addresses.emplace_back(pod.address);
  std::vector<ProbeKind> kinds;
  for (const std::string& source : addresses) {
    for (const std::string& destination : addresses) {
      if (source == destination) continue;
      for (const std::uint16_t port : kRigPorts) {
        kinds.push_back({*IpAddress::Parse(source), *IpAddress::Parse(destination), port});
      }
    }
  }
  return kinds;
}

bool Eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 500; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return false;
}

// Afresh: a channel that others share would sit out the back-off of whoever found sluiced away.
std::unique_ptr<v1::ObserveService::Stub> ConnectTo(const std::string& target) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return v1::ObserveService::NewStub(grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments));
}

void ExpectDone(const HttpAnswer& answer) {
  EXPECT_TRUE(answer.status >= 200 && answer.status < 300) << answer.status << ' ' << answer.body;
}

}  // namespace

Json AdmitSpec(const Json& peer, int port) {
  return {{"podSelector", Json::object()},
          {"policyTypes", {"Ingress"}},
          {"ingress", {{{"from", {peer}}, {"ports", {{{"protocol", "UDP"}, {"port", port}}}}}}}};
}

TestDataplane::TestDataplane(const TempFolder& folder, std::string name, std::string wire)
    : folder_(folder),
      name_(std::move(name)),
      wire_(std::move(wire)),
      target_("unix:" + (folder / (name_ + ".sock"))),
      state_(folder / (name_ + ".state")) {}

bool TestDataplane::Start(const std::vector<std::string>& prefix) {
  const std::string config = folder_ / (name_ + ".yaml");
  WriteFile(config, "idle: sleep\nflows: {ipv4: 16384, ipv6: 1024}\nrx_descriptors: 256\ntx_descriptors: 256\n");
  const std::string log = folder_ / (name_ + ".log");
  const std::size_t before = Content(log).size();
  std::vector<std::string> command = prefix;
  for (const std::string& word :
       {BuiltProgram("sluiced"), std::string("--config"), config, std::string("--wire"), wire_, std::string("--listen"),
        target_, std::string("--state"), state_, std::string("--no-huge")}) {
    command.push_back(word);
  }
  if (!process_.Start(command, log)) return false;
  const auto deadline = steady_clock::now() + std::chrono::seconds(20);
  while (process_.running() && steady_clock::now() < deadline) {
    if (Content(log).find("ready\n", before) != std::string::npos) return true;
    std::this_thread::sleep_for(milliseconds(5));
  }
  ADD_FAILURE() << "sluiced did not start:\n" << Log();
  return false;
}

std::string TestDataplane::Log() const { return Content(folder_ / (name_ + ".log")); }

bool TestDataplane::WaitForLog(const std::string& text) const {
  return Eventually([&] { return Log().find(text) != std::string::npos; });
}

std::optional<v1::Status> TestDataplane::Status() const {
  const auto stub = ConnectTo(target_);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + milliseconds(500));
  v1::Status status;
  if (!stub->GetStatus(&context, {}, &status).ok()) return std::nullopt;
  return status;
}

std::optional<Timeline::Verdicts> TestDataplane::Verdicts(const std::vector<ProbeKind>& kinds,
                                                          std::uint64_t* generation) const {
  const auto stub = ConnectTo(target_);
  Timeline::Verdicts verdicts;
  for (const ProbeKind& kind : kinds) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + milliseconds(500));
    v1::ExplainRequest request;
    request.set_source(EncodeAddress(kind.source));
    request.set_destination(EncodeAddress(kind.destination));
    request.set_protocol(kProtoUdp);
    request.set_destination_port(kind.port);
    v1::Explanation answer;
    if (!stub->Explain(&context, request, &answer).ok()) return std::nullopt;
    if (answer.generation() == 0 || (!verdicts.empty() && answer.generation() != *generation)) return std::nullopt;
    *generation = answer.generation();
    verdicts.push_back(answer.verdict() == "allow");
  }
  return verdicts;
}

Rig::Rig(TestCluster& cluster)
    : cluster_(cluster),
      wire_("probe"),
      dataplane_(folder_, "sluiced", wire_.wire()),
      target_(dataplane_.target()),
      kinds_(AllKinds()),
      timeline_(kinds_.size()) {
  if (!cluster.api_server().running()) {
    EXPECT_TRUE(cluster.RestartApiServer()) << cluster.LastWords();
  }
  user_ = "{token: \"" + ServiceAccountToken(cluster) + "\"}";
  for (const char* space : {"red", "blue"}) {
    const std::string path = std::string("/api/v1/namespaces/") + space;
    if (cluster.Get(path).status == 404) cluster.MakeNamespace(space);
    ExpectDone(cluster.Merge(path, Json{{"metadata", {{"labels", {{"team", space}}}}}}.dump()));
    for (const Json& policy : ListOf(PolicyPath(space, ""))) {
      ExpectDone(cluster.Delete(PolicyPath(space, policy["metadata"]["name"])));
    }
    for (const Json& pod : ListOf(path + "/pods")) {
      cluster.DeletePod(space, pod["metadata"]["name"]);
    }
  }
  for (const Json& node : ListOf("/api/v1/nodes")) {
    ExpectDone(cluster.Delete("/api/v1/nodes/" + node["metadata"]["name"].get<std::string>()));
  }
  timeline_.Begin();
  for (const RigPod& pod : kRigPods) cluster.MakePod(pod.space, pod.name, pod.address);
  timeline_.Told(ReferenceVerdicts());
  prober_ = std::make_unique<Prober>(wire_, kinds_, [this](const Passage& passage) { timeline_.Add(passage); });
}

Rig::~Rig() {
  prober_.reset();
  ExpectNothingLeaked();
  if (testing::Test::HasFailure()) {
    std::cerr << "sluice-sync:\n" << SyncLog() << "\nsluiced:\n" << dataplane_.Log() << '\n';
  }
}

std::string Rig::SyncLog() const { return Content(folder_ / "sync.log"); }

bool Rig::WaitForSyncLog(const std::string& text) const {
  return Eventually([&] { return SyncLog().find(text) != std::string::npos; });
}

bool Rig::StartSync(const std::vector<std::string>& more, const std::vector<std::string>& prefix) {
  const std::string kubeconfig = folder_ / "kubeconfig";
  WriteFile(kubeconfig,
            "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n"
            "clusters: [{name: c, cluster: {server: \"" +
                (api_server_.empty() ? cluster_.url() : api_server_) + "\", certificate-authority: \"" +
                cluster_.ca_file() + "\"}}]\nusers: [{name: u, user: " + user_ + "}]\n");
  std::vector<std::string> command = prefix;
  for (const std::string& word : {BuiltProgram("sluice-sync"), std::string("--kubeconfig"), kubeconfig,
                                  std::string("--log-level"), std::string("debug"), std::string("--target"), target_}) {
    command.push_back(word);
  }
  command.insert(command.end(), more.begin(), more.end());
  return sync_.Start(command, folder_ / "sync.log");
}

bool Rig::StartDataplane(const std::vector<std::string>& prefix) {
  log_at_start_ = SyncLog().size();
  return dataplane_.Start(prefix);
}

bool Rig::Start() { return StartDataplane() && StartSync() && Settle(); }

void Rig::Edit(const std::function<void()>& edit) {
  timeline_.Begin();
  edit();
  timeline_.Told(ReferenceVerdicts());
}

void Rig::PutPolicy(const std::string& space, const std::string& name, const Json& spec) {
  const Json policy = {{"apiVersion", "networking.k8s.io/v1"},
                       {"kind", "NetworkPolicy"},
                       {"metadata", {{"name", name}}},
                       {"spec", spec}};
  Edit([&] {
    HttpAnswer answer = cluster_.Put(PolicyPath(space, name), policy.dump());
    if (answer.status == 404) answer = cluster_.Post(PolicyPath(space, ""), policy.dump());
    ExpectDone(answer);
  });
}

void Rig::DeletePolicy(const std::string& space, const std::string& name) {
  Edit([&] { ExpectDone(cluster_.Delete(PolicyPath(space, name))); });
}

void Rig::MakePod(const std::string& space, const std::string& name, const std::string& address) {
  Edit([&] { cluster_.MakePod(space, name, address); });
}

void Rig::MergePod(const std::string& space, const std::string& name, const Json& patch, const char* subresource) {
  Edit(
      [&] { ExpectDone(cluster_.Merge("/api/v1/namespaces/" + space + "/pods/" + name + subresource, patch.dump())); });
}

void Rig::RelabelSpace(const std::string& space, const std::string& team) {
  Edit([&] {
    ExpectDone(
        cluster_.Merge("/api/v1/namespaces/" + space, Json{{"metadata", {{"labels", {{"team", team}}}}}}.dump()));
  });
}

void Rig::DeletePod(const std::string& space, const std::string& name) {
  Edit([&] { cluster_.DeletePod(space, name); });
}

Json Rig::ListOf(const std::string& path) const {
  const HttpAnswer answer = cluster_.Get(path);
  const Json parsed = Json::parse(answer.body, nullptr, false);
  EXPECT_TRUE(answer.status == 200 && parsed.is_object()) << path << ": " << answer.status << ' ' << answer.body;
  return parsed.is_object() && parsed.contains("items") && parsed["items"].is_array() ? parsed["items"] : Json::array();
}

// By the decoder that sluice-sync has too, and from there on by nothing that it has.
Timeline::Verdicts Rig::ReferenceVerdicts() const {
  Cluster cluster;
  for (const Resource resource : kResources) {
    ObjectReader reader(resource, "");
    for (const Json& item : ListOf(std::string(InfoOf(resource).path))) {
      std::string text = item.dump();
      text.append(kJsonPadding, ' ');
      std::string why;
      auto received = reader.ReadItem(std::string_view(text).substr(0, text.size() - kJsonPadding), why);
      EXPECT_TRUE(received) << why;
      if (!received) continue;
      std::visit(
          [&](auto& object) {
            using Object = std::decay_t<decltype(object)>;
            if constexpr (std::is_same_v<Object, Namespace>) cluster.namespaces.push_back(std::move(object));
            if constexpr (std::is_same_v<Object, NodeObject>) cluster.nodes.push_back(std::move(object));
            if constexpr (std::is_same_v<Object, Pod>) cluster.pods.push_back(std::move(object));
            if constexpr (std::is_same_v<Object, NetworkPolicy>) cluster.policies.push_back(std::move(object));
          },
          received->decoded.object);
    }
  }
  const reference::Evaluator evaluator(cluster);
  Timeline::Verdicts verdicts;
  for (const ProbeKind& kind : kinds_) {
    verdicts.push_back(evaluator.Evaluate({kind.source, kind.destination, kProtoUdp, 20000, kind.port}).allow);
  }
  return verdicts;
}

// The last generation that `target` answered for, in the log from `offset` on; 0: none.
std::uint64_t Rig::AppliedSince(const std::string& target, std::size_t offset) const {
  std::istringstream lines(SyncLog().substr(offset));
  std::uint64_t generation = 0;
  for (std::string line; std::getline(lines, line);) {
    constexpr std::string_view kApplied = " applied, generation ";
    const std::size_t at = line.find(kApplied);
    if (at == std::string::npos || line.find(target + ": ") == std::string::npos) continue;
    generation = std::strtoull(line.c_str() + at + kApplied.size(), nullptr, 10);
  }
  return generation;
}

bool Rig::Acknowledged(std::uint64_t generation) const {
  if (AppliedSince(target_, log_at_start_) >= generation) return true;
  const auto status = dataplane_.Status();
  return status && status->source() == "state file";
}

bool Rig::WaitInForce(TestDataplane& dataplane, milliseconds timeout) {
  const auto deadline = steady_clock::now() + timeout;
  std::optional<Timeline::Verdicts> verdicts;
  while (steady_clock::now() < deadline) {
    std::uint64_t generation = 0;
    verdicts = dataplane.Verdicts(kinds_, &generation);
    if (verdicts && *verdicts == timeline_.last() && (&dataplane != &dataplane_ || Acknowledged(generation))) {
      if (&dataplane == &dataplane_) timeline_.Acknowledge();
      return true;
    }
    std::this_thread::sleep_for(milliseconds(2));
  }
  std::string differences;
  for (std::size_t kind = 0; verdicts && kind < kinds_.size(); ++kind) {
    if ((*verdicts)[kind] == timeline_.last()[kind]) continue;
    differences += kinds_[kind].source.ToString() + " -> " + kinds_[kind].destination.ToString() + " udp " +
                   std::to_string(kinds_[kind].port) + ((*verdicts)[kind] ? " is allowed\n" : " is denied\n");
  }
  ADD_FAILURE() << "the dataplane does not equal the cluster; "
                << (verdicts ? differences.empty() ? "not acknowledged" : differences : "it does not answer");
  return false;
}

bool Rig::PacketsObey() {
  const auto deadline = steady_clock::now() + std::chrono::seconds(5);
  const std::vector<std::uint64_t> before = prober_->Came();
  std::string missing;
  while (steady_clock::now() < deadline) {
    const std::vector<std::uint64_t> now = prober_->Came();
    missing.clear();
    for (std::size_t kind = 0; kind < kinds_.size(); ++kind) {
      if (timeline_.last()[kind] && now[kind] == before[kind]) {
        missing += kinds_[kind].source.ToString() + " -> " + kinds_[kind].destination.ToString() + '\n';
      }
    }
    if (missing.empty()) return true;  // those that are denied are the timeline's to find
    std::this_thread::sleep_for(milliseconds(5));
  }
  ADD_FAILURE() << "policy allows it, and no packet came through:\n" << missing;
  return false;
}

bool Rig::Settle(milliseconds timeout) { return WaitInForce(dataplane_, timeout) && PacketsObey(); }

bool Rig::SomethingPasses() {
  const std::vector<std::uint64_t> before = prober_->Came();
  const auto deadline = steady_clock::now() + std::chrono::seconds(5);
  while (prober_->Came() == before && steady_clock::now() < deadline) std::this_thread::sleep_for(milliseconds(5));
  return prober_->Came() != before;
}

bool Rig::NothingPasses(milliseconds time) {
  const std::vector<std::uint64_t> before = prober_->Came();
  std::this_thread::sleep_for(time);
  return prober_->Came() == before;
}

void Rig::ExpectNothingLeaked() {
  const Timeline::Findings findings = timeline_.Judge(kinds_);
  EXPECT_EQ(findings.denied, 0u) << "of " << findings.passed
                                 << " packets that came through; the first: " << findings.first;
}

}  // namespace sluice
