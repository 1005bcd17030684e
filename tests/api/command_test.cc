// sluicectl as a user runs it against a running server.
#include <gmock/gmock.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <thread>

#include "api/observed_plane.h"
#include "codec/api_minor.h"
#include "support/places.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class LiveCommandTest : public ObservedFixture {
 protected:
  explicit LiveCommandTest(std::uint64_t last_generation = 0) : ObservedFixture(last_generation) {}

  // Standard output and error together, and the exit code.
  std::pair<int, std::string> Run(const std::string& arguments) const { return Finish(Begin(arguments)); }

  FILE* Begin(const std::string& arguments) const {
    const std::string command = std::string("SLUICE_TARGET=unix:") + Socket() + " timeout 60 " +
                                BuiltProgram("sluicectl") + " " + arguments + " 2>&1";
    return popen(command.c_str(), "r");
  }
  static std::pair<int, std::string> Finish(FILE* pipe) {
    std::string out;
    std::array<char, 4096> buffer;
    std::size_t count = 0;
    while ((count = fread(buffer.data(), 1, buffer.size(), pipe)) > 0) out.append(buffer.data(), count);
    const int status = pclose(pipe);
    return {WEXITSTATUS(status), out};
  }

  void WaitUntilWatched(bool watched) {
    const DropRing& ring = plane_.worker.pipeline().drop_ring();
    for (int i = 0; i < 1000 && ring.Watches(DropReason::kPolicyDenied) != watched; ++i) usleep(10'000);
    ASSERT_EQ(ring.Watches(DropReason::kPolicyDenied), watched);
  }

  std::atomic<bool> done_{false};
};

constexpr std::uint64_t kTwoToTheThirtySecond = std::uint64_t{1} << 32;

class LateLiveCommandTest : public LiveCommandTest {
 protected:
  LateLiveCommandTest() : LiveCommandTest(kTwoToTheThirtySecond - 2) {}
};

TEST_F(LateLiveCommandTest, GenerationsBeyondTwoToTheThirtySecondAreToldWhole) {
  Sender sender(Connect(), "test");
  EXPECT_EQ(sender.hello().generation(), kTwoToTheThirtySecond - 1);
  for (std::uint64_t batch = 2; batch <= 4; ++batch) {
    const auto pod = static_cast<std::uint32_t>(batch + 10);
    const v1::BatchResult result = sender.SendUpdate(PodComes(7, batch, pod, "10.0.9." + std::to_string(batch)));
    EXPECT_EQ(result.generation(), intake_->store().table()->generation());
  }
  EXPECT_GT(intake_->store().table()->generation(), kTwoToTheThirtySecond);
  const std::string last = std::to_string(intake_->store().table()->generation());
  EXPECT_THAT(Run("status -o json").second, HasSubstr("\"generation\": " + last + ","));
  EXPECT_THAT(Run("version -o json").second, HasSubstr("\"generation\": " + last));
  EXPECT_THAT(Run("top --interval 0.1 --count 1").second, HasSubstr("generation " + last + ", published"));
  plane_.worker.Load(intake_->store().table());
  FILE* drops = Begin("drops --follow --limit 1 -o json");
  WaitUntilWatched(true);
  plane_.worker.SendQuietly({ClientTcp(kTcpSyn, 999, 82).Bytes()});
  EXPECT_THAT(Finish(drops).second, HasSubstr("\"generation\":" + last));
}

TEST_F(LiveCommandTest, SuggestWritesPolicyFromLiveFlows) {
  Sender sender(Connect(), "test");
  ResolvedPolicy policy = ServerAdmitsClient();
  for (Endpoint& endpoint : policy.endpoints) endpoint.labels = "app=" + endpoint.name + ",pod-template-hash=x1";
  ASSERT_TRUE(sender.SendFullState(policy, 8, 1).applied());
  const auto [code, out] = Run("suggest -n default");
  EXPECT_EQ(code, 0) << out;
  EXPECT_THAT(out, HasSubstr("# 1 connection with default/client"));
  EXPECT_THAT(out, HasSubstr("      app: \"server\"\n"));
  EXPECT_THAT(out, HasSubstr("{protocol: TCP, port: 80}"));
  EXPECT_THAT(out, Not(HasSubstr("port: 81"))) << "it was denied";
  const auto [nobody, why] = Run("suggest -n elsewhere");
  EXPECT_EQ(nobody, 1) << why;
}

TEST_F(LiveCommandTest, StatusTellsWhereThePolicyIsFrom) {
  const auto [code, out] = Run("status");
  EXPECT_EQ(code, 0) << out;
  EXPECT_THAT(out, HasSubstr("policy from       push\n"));
  EXPECT_THAT(out, HasSubstr("not kept          -\n"));
  EXPECT_THAT(out, HasSubstr("large removals    0\n"));
  EXPECT_THAT(Run("status -o json").second, HasSubstr("\"policy_from\": \"push\""));
  EXPECT_THAT(Run("status -o yaml").second, HasSubstr("endpoints: 3\n"));
}

TEST_F(LiveCommandTest, WhatIsHeldBackAndWhatNothingAnswersToIsTold) {
  ResolvedPolicy policy = ServerAdmitsClient();
  const auto nobody = static_cast<GroupId>(policy.groups.size());
  policy.groups.push_back({"pods[app=nobody] in default", {}});
  Section section;
  section.policy = "default/lonely";
  section.subjects = nobody;
  policy.sections.push_back(section);
  section.policy = "default/much";
  section.subjects = 0;
  section.held = "limits.rules: needs more than 10 rules";
  policy.sections.push_back(section);
  section.policy = "default/ports";
  section.held.clear();
  Rule rule;
  rule.any_port = false;
  rule.index = 2;
  section.rules = {rule};
  policy.sections.push_back(section);
  policy.sections.Sort();
  Sender sender(Connect(), "test");
  ASSERT_TRUE(sender.SendFullState(policy, 8, 1).applied());
  const std::string policies = Run("get policies").second;
  EXPECT_THAT(policies, HasSubstr("POLICY          PODS  ISOLATES"));
  EXPECT_THAT(policies, testing::ContainsRegex("default/lonely +0 +ingress .*selects no pod"));
  EXPECT_THAT(policies, testing::ContainsRegex("default/much +1 +ingress .*limits.rules: needs more than 10 rules"));
  EXPECT_THAT(
      policies,
      testing::ContainsRegex(
          "default/ports +1 +ingress .*ingress.2. names a port that none of the pods has on which it is looked up"));
  EXPECT_THAT(policies, testing::ContainsRegex("default/server +1 +ingress"));
  EXPECT_THAT(Run("get policies default/much -o json").second,
              AllOf(HasSubstr("\"selected\":1"), HasSubstr("\"held\":\"limits.rules: needs more than 10 rules\""),
                    HasSubstr("\"warnings\":[]")));
  const std::string status = Run("status").second;
  EXPECT_THAT(status, testing::ContainsRegex("held policies +1\n"));
  EXPECT_THAT(status, testing::ContainsRegex("held +policy default/much: limits.rules: needs more than 10 rules"));
  EXPECT_THAT(status, testing::ContainsRegex("warning count +2\n"));
  EXPECT_THAT(status, HasSubstr("policy default/lonely: selects no pod"));
  EXPECT_THAT(Run("explain --src 10.0.0.1 --dst 10.0.0.2 --proto tcp").second,
              AllOf(HasSubstr("warning: --dport: missing: judged as to port 0, which no rule names\n"),
                    HasSubstr("warning: policy default/lonely: selects no pod\n"),
                    HasSubstr("warning: policy default/ports: ingress[2]: names a port that none of the pods has on "
                              "which it is looked up")));
  const auto held = [this](std::string_view text) {
    std::size_t count = 0;
    for (const std::string& line : said()) count += line.find(text) != std::string::npos;
    return count;
  };
  EXPECT_EQ(
      held("policy default/much is held back by its sender: it isolates the pods that it selects and allows nothing, "
           "because of: limits.rules: needs more than 10 rules"),
      1u);
  ASSERT_TRUE(sender.SendFullState(policy, 9, 1).applied());
  EXPECT_EQ(held("is held back by its sender"), 1u) << "it is told once";
  ASSERT_TRUE(sender.SendFullState(ServerAdmitsClient(), 10, 1).applied());
  EXPECT_EQ(held("policy default/much is held back no more"), 1u);
  EXPECT_THAT(Run("status").second, testing::ContainsRegex("held policies +0\n"));
}

TEST_F(LiveCommandTest, OptionsMayStandBeforeTheCommand) {
  EXPECT_THAT(Run("-o json status").second, HasSubstr("\"policy_from\": \"push\""));
  EXPECT_EQ(Run("-o json get endpoints"), Run("get endpoints -o json"));
  EXPECT_THAT(Run("--target unix:/nobody get flows").second, HasSubstr("nobody answers at unix:/nobody"));
}

TEST_F(LiveCommandTest, WhatIsNoCommandIsNamed) {
  EXPECT_EQ(Run("stauts"), std::pair(2, std::string("error: 'stauts' is no command; sluicectl --help lists them\n")));
  EXPECT_THAT(Run("--bogus status"), testing::Pair(2, HasSubstr("--bogus")));
  for (const char* words :
       {"-o json stauts", "--target unix:/nobody stauts", "--insecure stauts", "--timeout=1 stauts"}) {
    EXPECT_EQ(Run(words), std::pair(2, std::string("error: 'stauts' is no command; sluicectl --help lists them\n")));
  }
  EXPECT_THAT(Run("drops --follow --limit x"),
              testing::Pair(2, HasSubstr("--limit: 'x' is not a number that it takes\n")));
}

TEST_F(LiveCommandTest, EveryListHasATableAndJsonAndYaml) {
  const std::pair<const char*, const char*> lists[] = {{"get endpoints", "10.0.0.2,fd00::2"},
                                                       {"get policies", "default/server"},
                                                       {"get rules", "default/server"},
                                                       {"get flows", "default/server:80"},
                                                       {"get ports", "null"},
                                                       {"get workers", "25.0"},
                                                       {"get drops", "policy_denied"}};
  for (const auto& [list, wants] : lists) {
    const auto [code, out] = Run(list);
    EXPECT_EQ(code, 0) << list << out;
    EXPECT_THAT(out, HasSubstr(wants)) << list;
    EXPECT_THAT(Run(std::string(list) + " -o json").second, ::testing::StartsWith("[\n  {\"")) << list;
    EXPECT_THAT(Run(std::string(list) + " -o yaml").second, ::testing::StartsWith("- ")) << list;
  }
}

TEST_F(LiveCommandTest, FlowsAreFiltered) {
  EXPECT_THAT(Run("get flows --address 10.0.0.0/24 --port 80 --proto tcp").second, HasSubstr("default/server:80"));
  EXPECT_THAT(Run("get flows --port 81").second, Not(HasSubstr("default/server")));
  const auto [code, out] = Run("get flows --address nonsense");
  EXPECT_EQ(code, 2);
  EXPECT_THAT(out, HasSubstr("error: --address 'nonsense': wants an address or a CIDR"));
}

TEST_F(LiveCommandTest, UnusedLeavesOutWhatWasHit) {
  const auto [code, out] = Run("unused -n default");
  EXPECT_EQ(code, 0);
  EXPECT_THAT(out, Not(HasSubstr("default/server ")));
}

TEST_F(LiveCommandTest, ExplainBeforeAnyPolicySaysThatAllIsDropped) {
  StopServer();
  StartServer();
  EXPECT_THAT(Run("explain --src 10.0.0.1 --dst 10.0.0.2 --proto tcp --dport 80").second,
              StartsWith("verdict  deny, whatever policy says: no_policy, no policy has been received since start"));
}

TEST_F(LiveCommandTest, ExplainTellsTheLivePolicysSteps) {
  const std::string ends = "explain --src default/client --dst 10.0.0.2 --proto tcp --dport ";
  const auto [code, out] = Run(ends + "80");
  EXPECT_EQ(code, 0) << out;
  EXPECT_THAT(out, HasSubstr("default/server isolates it"));
  EXPECT_THAT(out, StartsWith("verdict  allow by default/server ingress[0]\n"));
  EXPECT_THAT(Run(ends + "81").second,
              StartsWith("verdict  deny by default/server ingress default (isolated by default/server)\n"));
  EXPECT_EQ(Run("explain --src default/nobody --dst 10.0.0.2 --proto tcp --dport 80").first, 2);
}

TEST_F(LiveCommandTest, NamesAndNamespacesNarrowTheLists) {
  EXPECT_THAT(Run("get endpoints default/server --no-headers").second, StartsWith("default"));
  EXPECT_THAT(Run("get pods server -n default").second, Not(HasSubstr("client")));
  EXPECT_THAT(Run("get policies server").second, HasSubstr("default/server"));
  EXPECT_THAT(Run("get netpol -n default -o wide").second, HasSubstr("default/server"));
  const auto [code, out] = Run("get policies default/nothing");
  EXPECT_EQ(code, 1);
  EXPECT_THAT(out, HasSubstr("error: no policy 'default/nothing' is in force\n"));
  const auto [none_code, none] = Run("get policies -n nowhere");
  EXPECT_EQ(none_code, 0);
  EXPECT_EQ(none, "No policies found in namespace nowhere.\n");
  EXPECT_EQ(Run("get policies -n nowhere -o json").second, "[]\n");
  EXPECT_THAT(Run("get flows --pod default/server -o wide").second, HasSubstr("default/client"));
  EXPECT_THAT(Run("get flows --pod default/bystander").second, HasSubstr("No flows found."));
  EXPECT_THAT(Run("get flows --pod server").second, HasSubstr("error: --pod 'server': wants NAMESPACE/NAME"));
}

TEST_F(LiveCommandTest, DropsAreFollowedByNames) {
  for (const char* format : {"table", "json", "yaml"}) {
    FILE* drops = Begin(std::string("drops --follow --limit 1 --pod default/server -o ") + format);
    WaitUntilWatched(true);
    plane_.worker.SendQuietly({ClientTcp(kTcpSyn, 1234, 81).Bytes()});
    const auto [code, out] = Finish(drops);
    WaitUntilWatched(false);
    EXPECT_EQ(code, 0) << out;
    EXPECT_THAT(out, HasSubstr("policy_denied")) << format;
    EXPECT_THAT(out, HasSubstr("client")) << format;
    EXPECT_THAT(out, HasSubstr("default/server")) << format;
  }
}

TEST_F(LiveCommandTest, ExplainByTheInterfaceOfAPodAsksTheHooks) {
  const std::string ask =
      "explain --src 10.9.9.9 --interface default/client --dst default/server --proto tcp --dport 80";
  const auto [code, out] = Run(ask);
  EXPECT_EQ(code, 2);
  EXPECT_THAT(out, HasSubstr("sluiced stands at no node's hooks (--wire hooks)"));
  plane_.hook_drops = {5, 7};
  EXPECT_THAT(Run(ask).second,
              StartsWith("verdict  deny, whatever policy says: spoofed_source, the hook at the pod's "));
  EXPECT_THAT(Run("status").second, HasSubstr("spoofed source    5\n"));
  EXPECT_THAT(Run("drops").second, HasSubstr("spoofed_tunnel"));
}

TEST_F(LiveCommandTest, FollowHasNoShortForm) {
  for (const char* command : {"flows -f", "drops -f"}) {
    const auto [code, out] = Run(command);
    EXPECT_EQ(code, 2) << command;
    EXPECT_THAT(out, HasSubstr("-f")) << command;
  }
  EXPECT_THAT(Run("flows --since 5m -n shop").second, HasSubstr("flow_history is 0")) << "-n is --namespace here, too";
}

TEST_F(LiveCommandTest, DropsWithoutFollowAreCounters) {
  EXPECT_THAT(Run("drops").second, HasSubstr("policy_denied"));
  const auto [code, out] = Run("drops --port 80");
  EXPECT_EQ(code, 2);
  EXPECT_THAT(out, HasSubstr("error: --port wants --follow"));
  EXPECT_EQ(Run("drops --follow --reason gremlins").first, 2);
}

TEST_F(LiveCommandTest, DiffTellsWhatPoliciesWouldChangeAndWhomTheyCut) {
  const std::string file = folder_.path() + "/policies.yaml";
  std::ofstream(file) << R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {}, policyTypes: [Ingress]}
)";
  const auto [code, out] = Run("diff --manifests " + file);
  EXPECT_EQ(code, 1) << out;
  EXPECT_THAT(out, HasSubstr("note: the manifests hold no Pod: taking the 3 live endpoints"));
  EXPECT_THAT(out, HasSubstr("+ policy default/closed\n"));
  EXPECT_THAT(out, HasSubstr("- policy default/server\n"));
  EXPECT_THAT(out, HasSubstr("default/closed ingress default"));
  EXPECT_THAT(out, HasSubstr("policies: 1 added, 1 removed; 1 of 1 live flows would be cut\n"));
  EXPECT_THAT(Run("diff --manifests " + file + " -o json").second, HasSubstr("\"cut\": 1"));
  EXPECT_EQ(Run("diff --manifests /nowhere.yaml").first, 2);
}

// The server's policy stays where only another one comes, and is replaced by one of its name.
TEST_F(LiveCommandTest, DiffOfWhatIsAddedLeavesTheRestInForce) {
  const std::string file = folder_.path() + "/added.yaml";
  const auto write = [&](const std::string& name, const std::string& spec) {
    std::ofstream(file) << "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: " << name
                        << "}, spec: " << spec << "}\n";
  };
  write("egress", "{podSelector: {}, policyTypes: [Egress]}");
  const auto [code, out] = Run("diff --add " + file);
  EXPECT_EQ(code, 1) << out;
  EXPECT_THAT(out, HasSubstr("+ policy default/egress\n"));
  EXPECT_THAT(out, Not(HasSubstr("policy default/server")));
  EXPECT_THAT(out, HasSubstr("default/egress egress default\n"));
  EXPECT_THAT(out, HasSubstr("policies: 1 added; 1 of 1 live flows would be cut\n"));
  write("more", "{podSelector: {}, ingress: [{}]}");
  EXPECT_THAT(Run("diff --add " + file).second, HasSubstr("policies: 1 added; 0 of 1 live flows would be cut\n"));
  write("server", "{podSelector: {}, policyTypes: [Ingress]}");
  const std::string changed = Run("diff --add " + file).second;
  EXPECT_THAT(changed, HasSubstr("~ policy default/server\n"));
  EXPECT_THAT(changed, HasSubstr("policies: 1 changed; 1 of 1 live flows would be cut\n"));
  std::ofstream(file, std::ios::app) << "---\n{apiVersion: v1, kind: Pod, metadata: {name: new}, spec: {containers: "
                                        "[{name: c, image: c}]}, status: {podIP: 10.0.0.9}}\n";
  EXPECT_THAT(Run("diff --add " + file).second,
              AllOf(HasSubstr("warning: Pods and Nodes are not looked at: with --add, those in force are taken"),
                    Not(HasSubstr("endpoint default/new"))));
  EXPECT_THAT(Run("diff --add " + file + " --manifests " + file),
              testing::Pair(2, HasSubstr("wants either --manifests")));
  EXPECT_THAT(Run("diff"), testing::Pair(2, HasSubstr("wants either --manifests")));
}

// Of a selector that is in force too, the dataplane knows what it selects, and no manifest need tell labels again.
TEST_F(LiveCommandTest, DiffOfWhatIsAddedTakesTheSelectorsInForceForWhatTheyAre) {
  ResolvedPolicy policy = ServerAdmitsClient();
  const auto by_namespace = static_cast<GroupId>(policy.groups.size());
  policy.groups.push_back({"pods[] in namespaces[team=shop]", {}});
  for (Endpoint& endpoint : policy.endpoints) {
    std::vector<GroupId> groups = policy.member_sets.ToVector(endpoint.members);
    if (endpoint.name == "client") groups.push_back(by_namespace);
    endpoint.members = policy.member_sets.Intern(groups);
  }
  Section section;
  section.policy = "default/other";
  section.subjects = 0;
  Rule rule;
  rule.peers = by_namespace;
  section.rules = {rule};
  policy.sections.push_back(section);
  policy.sections.Sort();
  Sender sender(Connect(), "test");
  ASSERT_TRUE(sender.SendFullState(policy, 8, 1).applied());
  const std::string file = folder_.path() + "/added.yaml";
  std::ofstream(file) << "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: server}, spec: "
                         "{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: shop}}}]}]}}\n";
  EXPECT_THAT(Run("diff --add " + file).second, HasSubstr("0 of 1 live flows would be cut\n"));
}

TEST_F(LiveCommandTest, DiffLeavesOutConnectionsThatAreOver) {
  plane_.worker.Send(ClientTcp(kTcpRst | kTcpAck, 1234, 80));
  const std::string file = folder_.path() + "/policies.yaml";
  std::ofstream(file)
      << "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: closed}, spec: {}}\n";
  EXPECT_THAT(Run("get flows --state CLOSE").second, HasSubstr("default/server:80"));
  const std::string out = Run("diff --manifests " + file).second;
  EXPECT_THAT(out, HasSubstr("0 of 0 live flows would be cut\nnot among them: 1 flows that are over, and time out\n"));
}

TEST_F(LiveCommandTest, VersionIsOursAndTheServers) {
  const auto [code, out] = Run("version");
  EXPECT_EQ(code, 0);
  EXPECT_THAT(out, HasSubstr("client version: "));
  EXPECT_THAT(out, HasSubstr("server api: sluice.v1 minor " + std::to_string(kApiMinor) + "\n"));
  EXPECT_THAT(Run("version -o json").second, HasSubstr("\"generation\": 1"));
}

TEST_F(LiveCommandTest, WatchGoesOnAndShowsWhatIsNew) {
  FILE* watch = Begin("get drops -w --interval 0.1 -o json | head -n " + std::to_string(kDropReasonCount));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::thread denied([&] {  // after the first round, which lists every reason once
    while (std::chrono::steady_clock::now() < end && !done_) {
      plane_.worker.SendQuietly({ClientTcp(kTcpSyn, 1234, 81).Bytes()});
      usleep(50'000);
    }
  });
  const std::string out = Finish(watch).second;
  done_ = true;
  denied.join();
  const std::size_t last = out.rfind("policy_denied");
  ASSERT_NE(last, std::string::npos) << out;
  EXPECT_NE(out.find("policy_denied"), last) << "shown once more, as its count changed";
}

TEST_F(LiveCommandTest, TopEndsAfterItsCount) {
  const auto [code, out] = Run("top --interval 0.1 --count 2");
  EXPECT_EQ(code, 0) << out;
  EXPECT_THAT(out, HasSubstr("generation 1, published"));
  EXPECT_THAT(out, HasSubstr("PACKETS/S   RULE\n"));
}

TEST_F(LiveCommandTest, WhereNobodyListensItSaysSo) {
  const auto [code, out] = Run("status --target unix:/nowhere.sock");
  EXPECT_EQ(code, 2);
  EXPECT_THAT(out, HasSubstr("error: nobody answers at unix:/nowhere.sock; is sluiced running?"));
  EXPECT_THAT(Run("status --target 127.0.0.1:1").second, HasSubstr("TCP wants --tls-ca"));
}

}  // namespace
}  // namespace sluice
