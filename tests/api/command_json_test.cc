// What sluicectl says of a running server as JSON, and what it lists, names and describes.
#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "api/observed_plane.h"
#include "api/run_command.h"
#include "schema/schema.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Json = nlohmann::json;

class CommandJsonTest : public ObservedFixture {
 protected:
  CommandJsonTest() {
    ResolvedPolicy policy = ServerAdmitsClient();
    policy.nodes.push_back({"n1", {Ip("192.0.2.1")}, {}});
    for (Endpoint& endpoint : policy.endpoints) {
      endpoint.labels = "app=" + endpoint.name + ",tier=front";
      endpoint.node = static_cast<NodeId>(policy.nodes.size() - 1);
    }
    Sender sender(Connect(), "test");
    EXPECT_TRUE(sender.SendFullState(policy, 8, 1).applied());
  }

  RunningCommand::End Run(const std::string& arguments) const {
    return RunSluicectl(std::string("unix:") + Socket(), arguments);
  }
  // Its JSON, held to its schema.
  Json JsonOf(const std::string& schema, const std::string& arguments) const {
    const std::string out = Run(arguments + " -o json 2>/dev/null").out;
    EXPECT_EQ(test::SchemaProblems(schema, out), "") << arguments;
    return Json::parse(out, nullptr, false);
  }
  std::string WriteClosed() const {
    const std::string file = folder_.path() + "/policies.yaml";
    std::ofstream(file) << R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {}, policyTypes: [Ingress]}
)";
    return file;
  }
  std::string DropOf(const std::string& arguments) {
    plane_.worker.Load(intake_->store().table());
    RunningCommand drops(std::string("unix:") + Socket(), arguments);
    const DropRing& ring = plane_.worker.pipeline().drop_ring();
    for (int i = 0; i < 1000 && !ring.Watches(DropReason::kPolicyDenied); ++i) usleep(10'000);
    plane_.worker.SendQuietly({ClientTcp(kTcpSyn, 1234, 81).Bytes()});
    return drops.Wait().out;
  }
};

const Json kClient = {{"address", "10.0.0.1"}, {"namespace", "default"}, {"node", "n1"}, {"pod", "client"}};

Json WithPort(Json end, int port) {
  end["port"] = port;
  return end;
}

TEST_F(CommandJsonTest, EveryJsonHoldsItsSchema) {
  for (const char* list : {"endpoints", "policies", "rules", "flows", "ports", "workers", "drops"}) {
    EXPECT_FALSE(JsonOf(list, std::string("get ") + list).empty()) << list;
  }
  JsonOf("names", "get names");
  JsonOf("rules", "unused");
  JsonOf("status", "status");
  JsonOf("version", "version");
  JsonOf("version", "version --client");
  JsonOf("diff", "diff --manifests " + WriteClosed());
  JsonOf("top", "top --interval 0.1 --count 1");
  JsonOf("explain", "explain --src default/client --dst 10.0.0.2 --proto tcp --dport 81");
  JsonOf("explain", "explain --src 198.51.100.7 --dst 10.0.0.2 --proto 132");
  plane_.hook_drops = {5, 7};
  JsonOf("drops", "get drops");
  JsonOf("explain", "explain --src 198.51.100.7 --interface default/client --dst 10.0.0.2 --proto 132");
}

TEST_F(CommandJsonTest, ADecisionAndAnEndHaveOneShapeEverywhere) {
  const Json denied = {{"verdict", "deny"},
                       {"tier", "NetworkPolicy"},
                       {"policy", "default/server"},
                       {"rule", -1},
                       {"isolated_by", Json::array({"default/server"})}};
  const Json flow = JsonOf("flows", "get flows --port 80")[0];
  EXPECT_EQ(flow["src"], WithPort(kClient, flow["src"]["port"]));
  EXPECT_EQ(flow["ingress"],
            (Json{{"verdict", "allow"}, {"tier", "NetworkPolicy"}, {"policy", "default/server"}, {"rule", 0}}));
  EXPECT_EQ(flow["egress"], (Json{{"verdict", "allow"}, {"tier", ""}}));
  const std::string line = DropOf("drops --follow --limit 1 -o json");
  EXPECT_EQ(test::SchemaProblems("drop", line), "");
  const Json drop = Json::parse(line, nullptr, false);
  EXPECT_EQ(drop["src"], WithPort(kClient, 1234)) << line;
  EXPECT_EQ(drop["ingress"], denied);
  EXPECT_FALSE(drop.contains("egress")) << "that side did not deny";
  const Json explained =
      JsonOf("explain", "explain --src default/client --dst 10.0.0.2 --proto tcp --dport 81")["ingress"];
  for (const auto& [key, value] : denied.items()) EXPECT_EQ(explained[key], value);
  const Json cut = JsonOf("diff", "diff --manifests " + WriteClosed())["flows"]["shown"][0];
  EXPECT_EQ(cut["src"], flow["src"]);
  EXPECT_EQ(cut["ingress"]["policy"], "default/closed");
}

TEST_F(CommandJsonTest, TextHasOneNotationForARule) {
  EXPECT_THAT(Run("get rules").out,
              AllOf(HasSubstr("default/server ingress[0] "), HasSubstr("default/server ingress default ")));
  EXPECT_THAT(Run("get flows -o wide").out, HasSubstr("default/server ingress[0]"));
  EXPECT_THAT(DropOf("drops --follow --limit 1"), HasSubstr("default/server ingress default"));
  EXPECT_THAT(Run("explain --src default/client --dst 10.0.0.2 --proto tcp --dport 80").out,
              HasSubstr("default/server ingress[0]"));
}

TEST_F(CommandJsonTest, LabelsChooseEndpoints) {
  EXPECT_EQ(Run("get endpoints -l app=server -o name").out, "default/server\n");
  EXPECT_EQ(Run("get endpoints -l 'app in (server, client),tier' -o name").out, "default/client\ndefault/server\n");
  EXPECT_THAT(Run("get endpoints -l 'app!=server' --no-headers").out, Not(HasSubstr("server ")));
  EXPECT_EQ(Run("get endpoints -l '!tier' -o name").out, "No endpoints found.\n");
  const auto wrong = Run("get endpoints -l 'app in server'");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.out, HasSubstr("error: --selector 'app in server': wants requirements with commas between"));
}

TEST_F(CommandJsonTest, RowsAreSortedByAKey) {
  const auto names = [&](const std::string& key) {
    std::vector<std::string> found;
    for (const Json& row : Json::parse(Run("get endpoints -o json --sort-by " + key).out)) found.push_back(row["name"]);
    return found;
  };
  EXPECT_THAT(names("name"), ::testing::ElementsAre("bystander", "client", "server"));
  EXPECT_THAT(names(".labels.app"), ::testing::ElementsAre("bystander", "client", "server"));
  EXPECT_THAT(Run("get rules --sort-by packets --no-headers").out, StartsWith("default/server ingress"));
  EXPECT_THAT(Run("get flows --sort-by dst.port").out, HasSubstr("default/server:80"));
  const auto wrong = Run("get ports --sort-by colour");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.out, HasSubstr("error: --sort-by 'colour': no row has it; rows have wire, device, link"));
}

TEST_F(CommandJsonTest, NamesAlone) {
  EXPECT_EQ(Run("get policies -o name").out, "default/server\n");
  EXPECT_EQ(Run("get rules -o name").code, 2);
}

TEST_F(CommandJsonTest, DescribeShowsAPolicyOrAnEndpoint) {
  const auto policy = Run("describe policy server");
  EXPECT_EQ(policy.code, 0) << policy.out;
  EXPECT_THAT(policy.out, AllOf(HasSubstr("Name:       default/server\n"), HasSubstr("Tier:       NetworkPolicy\n"),
                                HasSubstr("Isolates:   ingress\n"), HasSubstr("  ingress[0] allow from "),
                                HasSubstr("  ingress default deny what no rule allows\n")));
  const auto endpoint = Run("describe pod client -n default");
  EXPECT_THAT(endpoint.out, AllOf(HasSubstr("Name:       default/client\n"), HasSubstr("Node:       n1\n"),
                                  HasSubstr("Labels:     app=client\n            tier=front\n"),
                                  HasSubstr("Ports:      -\n"), HasSubstr("Egress:     -\n")));
  EXPECT_EQ(Run("describe endpoint nobody").code, 1);
  EXPECT_THAT(Run("describe").out, HasSubstr("error: say what to describe: policy or endpoint"));
}

TEST_F(CommandJsonTest, APathIsASocketAndTheVersionIsAFlag) {
  EXPECT_EQ(RunSluicectl(Socket(), "status").code, 0);
  EXPECT_EQ(Run("status --target " + std::string(Socket())).code, 0);
  EXPECT_THAT(Run("--version").out, StartsWith("sluicectl "));
}

}  // namespace
}  // namespace sluice
