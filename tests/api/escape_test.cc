// Names that a sender made up end no line and command no terminal, whatever sluicectl shows of them and however.
#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "api/observed_plane.h"
#include "api/run_command.h"
#include "sluice/printable.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A line's end, an escape, C1, one that turns the writing round, and what JSON and YAML quote.
const std::string kEvil = "x\n\x1b[31m\u009b2J\u202e\"'\\{}: #\ty";

class EscapeTest : public ObservedFixture {
 protected:
  EscapeTest() {
    PolicyBuilder builder;
    const GroupId web = builder.Group("g" + kEvil);
    const NodeId node = builder.Node("n" + kEvil, {Ip("192.0.2.9")});
    builder.Endpoint("e" + kEvil, {Ip("10.0.0.1")}, {web}, node);
    builder.policy().endpoints.back().namespace_name = "ns" + kEvil;
    builder.policy().endpoints.back().labels = "l" + kEvil;
    builder.policy().endpoints.back().ports = {{"p" + kEvil, kProtoTcp, 80}};
    builder.Endpoint("plain", {Ip("10.0.0.2")}, {web});
    builder.Section("pol/" + kEvil, Direction::kIngress, web, {AllowRule(web, {{kProtoTcp, 80, 80}})});
    Sender sender(Connect(), "s" + kEvil);
    EXPECT_TRUE(sender.SendFullState(builder.policy(), 8, 1).applied());
    const auto table = intake_->store().table();
    plane_.worker.pipeline().Reserve(*table);
    plane_.worker.Load(table);
    plane_.worker.Send(PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2").Tcp(1234, 80, kTcpSyn));
    plane_.worker.SendQuietly({PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2").Tcp(1234, 81, kTcpSyn).Bytes()});
    std::ofstream(File())
        << "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: other}\nspec: {podSelector: {}}\n";
  }
  std::string Target() const { return "unix:" + Socket(); }
  std::string File() const { return folder_.path() + "/policy.yaml"; }

  // Nothing but text and ends of lines.
  static void ExpectHarmless(const std::string& what, const std::string& out) {
    std::string rest = out;
    std::erase(rest, '\n');
    EXPECT_EQ(Printable(rest), rest) << what;
    EXPECT_THAT(out, Not(HasSubstr("\n\\x1b"))) << what;  // a line's end in a name is none
  }
};

TEST_F(EscapeTest, EveryListInEveryFormIsHarmlessAndJsonIsExact) {
  for (const std::string& list :
       std::vector<std::string>{"endpoints", "policies", "rules", "flows", "ports", "workers", "drops"}) {
    for (const std::string& format : std::vector<std::string>{"table", "wide", "json", "yaml"}) {
      const auto end = RunSluicectl(Target(), "get " + list + " -o " + format);
      EXPECT_EQ(end.code, 0) << end.out;
      ExpectHarmless(list + " " + format, end.out);
      if (format == "json") {
        EXPECT_TRUE(nlohmann::json::accept(end.out)) << end.out;
      }
    }
  }
  const auto endpoints = nlohmann::json::parse(RunSluicectl(Target(), "get endpoints -o json").out);
  EXPECT_EQ(endpoints[0]["name"], "e" + kEvil);
  EXPECT_TRUE(endpoints[0]["labels"].contains("l" + kEvil));
  EXPECT_THAT(RunSluicectl(Target(), "get endpoints").out, HasSubstr("ex\\n\\x1b[31m\\u009b2J\\u202e\"'\\{}: #\\ty"));
  EXPECT_THAT(RunSluicectl(Target(), "get policies --no-headers").out, HasSubstr("pol/x\\n"));
}

TEST_F(EscapeTest, EveryOtherCommandIsHarmless) {
  const std::string ends = "explain --src 10.0.0.1 --dst 10.0.0.2 --proto tcp --dport 80";
  for (const std::string& command : std::vector<std::string>{
           std::string("status"), std::string("status -o json"), std::string("status -o yaml"), std::string("version"),
           ends, ends + " -o json", ends + " -o yaml", std::string("unused"), "diff --manifests " + File(),
           "diff --manifests " + File() + " -o json", std::string("top --interval 0.1 --count 1")}) {
    ExpectHarmless(command, RunSluicectl(Target(), command).out);
  }
  EXPECT_THAT(RunSluicectl(Target(), "status").out, HasSubstr("sx\\n"));
  EXPECT_THAT(RunSluicectl(Target(), ends).out, HasSubstr("pol/x\\n"));
  EXPECT_THAT(RunSluicectl(Target(), "diff --manifests " + File()).out, HasSubstr("- policy pol/x\\n"));
}

TEST_F(EscapeTest, DropsAreHarmless) {
  for (const std::string& format : std::vector<std::string>{"wide", "json", "yaml"}) {
    RunningCommand drops(Target(), "drops --follow --limit 1 -o " + format);
    for (int i = 0; i < 1000 && !plane_.worker.pipeline().drop_ring().Watches(DropReason::kPolicyDenied); ++i)
      usleep(10'000);
    plane_.worker.SendQuietly({PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2").Tcp(1234, 81, kTcpSyn).Bytes()});
    const auto end = drops.Wait();
    EXPECT_EQ(end.code, 0) << end.out;
    ExpectHarmless("drops " + format, end.out);
    EXPECT_THAT(end.out, HasSubstr("policy_denied"));
  }
}

TEST_F(EscapeTest, AnArgumentIsNamedHarmlessly) {
  for (const std::string& command : std::vector<std::string>{
           "$(printf 'x\\n\\033[31m')", "get endpoints \"$(printf 'x\\n\\033[31my')\"",
           "get \"$(printf 'x\\n\\033[31my')\"", "get flows --address \"$(printf 'x\\n\\033[31my')\"",
           "status --\"$(printf 'x\\n\\033[31my')\"", "status -o \"$(printf 'x\\n\\033[31my')\"",
           "status --target \"unix:$(printf 'x\\n\\033[31my')\"", "get policies -n \"$(printf 'x\\n\\033[31my')\"",
           "explain --src \"a/$(printf 'x\\n\\033[31my')\" --dst 10.0.0.2 --proto tcp --dport 80",
           "check --manifests \"$(printf '/x\\n\\033[31my')\" --flows /dev/null",
           "diff --manifests \"$(printf '/x\\n\\033[31my')\"", "get flows --pod \"a/$(printf '\\377')\""}) {
    const auto end = RunSluicectl(Target(), command);
    ExpectHarmless(command, end.out);
    EXPECT_NE(end.out, "") << command;
  }
}

// Offline, names come from files.
TEST_F(EscapeTest, ManifestsAndFlowsAreTold) {
  const std::string manifest = folder_.path() + "/evil.yaml";
  std::ofstream(manifest)
      << "apiVersion: v1\nkind: Pod\nmetadata: {name: \"e\\n\\e[31mx\", namespace: \"n\\n\\e[31mx\"}\n"
         "status: {podIP: 10.0.0.1}\n---\n"
         "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
         "metadata: {name: \"p\\n\\e[31mx\", namespace: \"n\\n\\e[31mx\"}\n"
         "spec: {podSelector: {matchLabels: {\"a\\n\\e[31mx\": b}}, ingress: [{ports: [{port: "
         "\"h\\n\\e[31mx\"}]}]}\n---\n"
         "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
         "metadata: {name: \"q\\n\\e[31mx\", namespace: \"n\\n\\e[31mx\"}\nspec: {podSelector: {}}\n---\n"
         "apiVersion: v1\nkind: \"K\\n\\e[31mx\"\nmetadata: {name: a}\n";
  const std::string flows = folder_.path() + "/flows.jsonl";
  std::ofstream(flows)
      << R"({"id":"i\n\u001b[31mx","src":"10.0.0.2","dst":"10.0.0.1","proto":"tcp","dport":80,"expect":"allow"})"
      << "\n"
      << R"({"id":"j","src":"x\n\u001b/y","dst":"10.0.0.1","proto":"tcp"})"
      << "\n";
  for (const std::string& command : std::vector<std::string>{
           "check --manifests " + manifest + " --flows " + flows,
           "check --manifests " + manifest + " --flows " + flows + " -o json",
           "check --engine both --manifests " + manifest + " --flows " + flows,
           "explain --manifests " + manifest + " --src 10.0.0.2 --dst 10.0.0.1 --proto tcp --dport 80",
           "verify --manifests " + manifest}) {
    const auto end = RunSluicectl(Target(), command);
    ExpectHarmless(command, end.out);
    EXPECT_NE(end.out, "") << command;
  }
}

}  // namespace
}  // namespace sluice
