// sluicectl as a user runs it against a running server.
#include <gmock/gmock.h>

#include <array>
#include <cstdio>

#include "api/observed_plane.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class LiveCommandTest : public ObservedFixture {
 protected:
  // Standard output and error together, and the exit code.
  std::pair<int, std::string> Run(const std::string& arguments) const {
    const std::string command =
        std::string("SLUICE_TARGET=unix:") + Socket() + " timeout 60 " SLUICECTL " " + arguments + " 2>&1";
    FILE* pipe = popen(command.c_str(), "r");
    std::string out;
    std::array<char, 4096> buffer;
    std::size_t count = 0;
    while ((count = fread(buffer.data(), 1, buffer.size(), pipe)) > 0) out.append(buffer.data(), count);
    const int status = pclose(pipe);
    return {WEXITSTATUS(status), out};
  }
};

TEST_F(LiveCommandTest, StatusTellsWhereThePolicyIsFrom) {
  const auto [code, out] = Run("status");
  EXPECT_EQ(code, 0) << out;
  EXPECT_THAT(out, HasSubstr("policy from       push\n"));
  EXPECT_THAT(Run("status -o json").second, HasSubstr("\"policy_from\": \"push\""));
  EXPECT_THAT(Run("status -o yaml").second, HasSubstr("endpoints: 3\n"));
}

TEST_F(LiveCommandTest, EveryListHasATableAndJsonAndYaml) {
  const std::pair<const char*, const char*> lists[] = {{"get endpoints", "10.0.0.2,fd00::2"},
                                                       {"get policies", "default/server"},
                                                       {"get rules", "default/server"},
                                                       {"get flows", "10.0.0.2:80"},
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
  EXPECT_THAT(Run("get flows --address 10.0.0.0/24 --port 80 --proto tcp").second, HasSubstr("10.0.0.2:80"));
  EXPECT_THAT(Run("get flows --port 81").second, Not(HasSubstr("10.0.0.2")));
  const auto [code, out] = Run("get flows --address nonsense");
  EXPECT_EQ(code, 2);
  EXPECT_THAT(out, HasSubstr("error: --address 'nonsense': wants an address or a CIDR"));
}

TEST_F(LiveCommandTest, UnusedLeavesOutWhatWasHit) {
  const auto [code, out] = Run("unused -n default");
  EXPECT_EQ(code, 0);
  EXPECT_THAT(out, Not(HasSubstr("default/server ")));
}

TEST_F(LiveCommandTest, ExplainTellsTheLivePolicysSteps) {
  const std::string ends = "explain --src default/client --dst 10.0.0.2 --proto tcp --dport ";
  const auto [code, out] = Run(ends + "80");
  EXPECT_EQ(code, 0) << out;
  EXPECT_THAT(out, HasSubstr("default/server isolates it"));
  EXPECT_THAT(out, HasSubstr("verdict  allow"));
  EXPECT_THAT(Run(ends + "81").second, HasSubstr("verdict  deny"));
  EXPECT_EQ(Run("explain --src default/nobody --dst 10.0.0.2 --proto tcp --dport 80").first, 2);
}

TEST_F(LiveCommandTest, TopEndsAfterItsCount) {
  const auto [code, out] = Run("top --interval 0.1 --count 2");
  EXPECT_EQ(code, 0) << out;
  EXPECT_THAT(out, HasSubstr("generation 1, published"));
  EXPECT_THAT(out, HasSubstr("PACKETS/S  RULE\n"));
}

TEST_F(LiveCommandTest, WhereNobodyListensItSaysSo) {
  const auto [code, out] = Run("status --target unix:/nowhere.sock");
  EXPECT_EQ(code, 2);
  EXPECT_THAT(out, HasSubstr("error: nobody answers at unix:/nowhere.sock; is sluiced running?"));
  EXPECT_THAT(Run("status --target 127.0.0.1:1").second, HasSubstr("TCP wants --tls-ca"));
}

}  // namespace
}  // namespace sluice
