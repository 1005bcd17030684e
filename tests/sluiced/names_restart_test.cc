// What was learnt of names outlives the process: a sluiced that was killed begins with it.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "edge/daemon.h"
#include "sluice/v1/names.grpc.pb.h"
#include "sluice/v1/observe.grpc.pb.h"

namespace sluice {
namespace {

using testing::HasSubstr;

constexpr char kPodAndNames[] = R"(
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: a, labels: {app: p}}
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}]}
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: names}
spec:
  tier: Admin
  priority: 1
  subject: {namespaces: {}}
  egress:
  - action: Accept
    to: [{domainNames: ["*.example.com"]}]
  - action: Deny
    to: [{networks: [0.0.0.0/0]}]
)";

class NamesRestart : public testing::Test {
 protected:
  NamesRestart() { folder_.Write("policy.yaml", kPodAndNames); }

  std::vector<std::string> Arguments() const {
    return {"--wire",  "null,null",       "--manifests", folder_ / "policy.yaml",
            "--state", folder_ / "state", "--listen",    "unix:" + (folder_ / "s.sock")};
  }
  std::shared_ptr<grpc::Channel> Connect() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel("unix:" + (folder_ / "s.sock"), grpc::InsecureChannelCredentials(), arguments);
  }
  void Push(const std::string& name, std::uint32_t ttl_s) const {
    v1::PushNamesRequest request;
    request.set_sender("test");
    v1::NameAnswer* answer = request.add_answers();
    answer->add_names(name);
    answer->add_addresses(std::string("\xcb\x00\x71\x09", 4));
    answer->set_ttl_s(ttl_s);
    grpc::ClientContext context;
    v1::PushNamesResponse response;
    const auto stub = v1::NamesService::NewStub(Connect());
    const grpc::Status status = stub->Push(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.fresh(), 1u);
  }
  std::vector<v1::LearntName> List() const {
    grpc::ClientContext context;
    const auto stub = v1::ObserveService::NewStub(Connect());
    const auto reader = stub->ListNames(&context, {});
    std::vector<v1::LearntName> names;
    v1::LearntName name;
    while (reader->Read(&name)) names.push_back(name);
    EXPECT_TRUE(reader->Finish().ok());
    return names;
  }
  std::string VerdictOf() const {
    v1::ExplainRequest request;
    request.set_source_pod("a/p");
    request.set_destination(std::string("\xcb\x00\x71\x09", 4));
    request.set_protocol(6);
    request.set_destination_port(443);
    grpc::ClientContext context;
    v1::Explanation explanation;
    const auto stub = v1::ObserveService::NewStub(Connect());
    EXPECT_TRUE(stub->Explain(&context, request, &explanation).ok());
    return explanation.verdict();
  }
  bool WaitForFile(const std::string& text) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < end) {
      std::ifstream file(folder_ / "state/names");
      const std::string kept{std::istreambuf_iterator<char>(file), {}};
      if (kept.find(text) != kept.npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  }

  TestFolder folder_;
};

TEST_F(NamesRestart, FQ_02_NamesAndTheirTimesAreThereAfterAKill) {
  std::vector<v1::LearntName> before;
  {
    Daemon daemon(folder_, "first", Arguments());
    ASSERT_TRUE(daemon.WaitUntilReady()) << daemon.errors();
    EXPECT_EQ(VerdictOf(), "deny");
    Push("s3.example.com", 86400);
    EXPECT_EQ(VerdictOf(), "allow");
    before = List();
    ASSERT_EQ(before.size(), 1u);
    ASSERT_TRUE(WaitForFile("s3.example.com 203.0.113.9 ")) << daemon.errors();
    daemon.Signal(SIGKILL);
    EXPECT_EQ(daemon.Wait(), -SIGKILL);
  }
  Daemon daemon(folder_, "second", Arguments());
  ASSERT_TRUE(daemon.WaitUntilReady()) << daemon.errors();
  EXPECT_THAT(daemon.errors(), HasSubstr("addresses of names from the state folder: 1\n"));
  const std::vector<v1::LearntName> after = List();
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(after[0].name(), "s3.example.com");
  EXPECT_EQ(after[0].learnt_unix_ns(), before[0].learnt_unix_ns());
  EXPECT_EQ(after[0].until_unix_ns(), before[0].until_unix_ns());
  EXPECT_EQ(VerdictOf(), "allow");
}

TEST_F(NamesRestart, ADamagedFileIsToldOfAndStopsNothing) {
  folder_.Write("state/names", "sluice names 1\ns3.example.com 203.0.113.9 1");
  Daemon daemon(folder_, "sluiced", Arguments());
  ASSERT_TRUE(daemon.WaitUntilReady()) << daemon.errors();
  EXPECT_THAT(daemon.errors(), HasSubstr("state/names: is damaged after 0 addresses: names are learnt anew"));
  EXPECT_TRUE(List().empty());
  Push("s3.example.com", 86400);
  EXPECT_TRUE(WaitForFile("s3.example.com 203.0.113.9 ")) << daemon.errors();
}

}  // namespace
}  // namespace sluice
