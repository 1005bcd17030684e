// `sluicectl check`: its answers, their form, every kind of bad input, the exit codes.
#include <gmock/gmock.h>

#include <algorithm>

#include "cli/command.h"

namespace sluice::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;

class Check : public CommandTest {
 protected:
  Check() { Write("shop.yaml", kShop); }

  CommandResult RunOn(std::string_view flows, std::vector<std::string> more = {"-o", "json"}) const {
    Write("flows.jsonl", flows);
    std::vector<std::string> arguments = {"check", "--manifests", "shop.yaml", "--flows", "flows.jsonl"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }
};

TEST_F(Check, AllowedFlowNamesBothRules) {
  const auto result = RunOn(R"({"id":"a","src":"198.51.100.9","dst":"10.0.0.1","proto":"tcp","dport":80})");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out,
            R"({"id":"a","verdict":"allow","egress":{"verdict":"allow","tier":""},)"
            R"("ingress":{"verdict":"allow","tier":"NetworkPolicy","policy":"shop/web","rule":0},"exempt":""})"
            "\n");
}

TEST_F(Check, DefaultDenyIsRuleMinusOne) {
  const auto result = RunOn(R"({"id":7,"src":"10.0.0.2","dst":"198.51.100.9","proto":"udp","dport":53})");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out,
            R"({"id":7,"verdict":"deny","egress":{"verdict":"deny","tier":"NetworkPolicy","policy":"shop/deny",)"
            R"("rule":-1},"ingress":{"verdict":"allow","tier":""},"exempt":""})"
            "\n");
}

TEST_F(Check, AnswersComeInOrderAndBlankLinesAreSkipped) {
  const auto result = RunOn(
      "{\"id\":1,\"src\":\"10.0.0.1\",\"dst\":\"10.0.0.2\",\"proto\":6,\"dport\":5432}\n\n"
      "{\"id\":2,\"src\":\"10.0.0.2\",\"dst\":\"10.0.0.1\",\"proto\":\"icmp\"}\r\n"
      "{\"id\":3,\"src\":\"10.0.0.1\",\"dst\":\"203.0.113.1\",\"proto\":47}");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  // 1 is denied by db's ingress, 2 has no rule, 3 is a rule without ports.
  EXPECT_THAT(result.out,
              MatchesRegex("\\{\"id\":1,\"verdict\":\"deny\",[^\n]*\n\\{\"id\":2,\"verdict\":\"deny\",[^\n]*\n"
                           "\\{\"id\":3,\"verdict\":\"allow\",[^\n]*\n"));
}

TEST_F(Check, PodNamesStandForAddressesOfAFamilyThatBothHave) {
  const auto result = RunOn(
      "{\"id\":1,\"src\":\"shop/web\",\"dst\":\"shop/db\",\"proto\":\"tcp\",\"dport\":5432}\n"
      "{\"id\":2,\"src\":\"2001:db8::9\",\"dst\":\"shop/web\",\"proto\":\"tcp\",\"dport\":80}\n",
      {});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("shop/web     shop/db:5432"), HasSubstr("2001:db8::9  shop/web:80")));
}

TEST_F(Check, ExemptionsAreNamedAndCanBeTurnedOff) {
  const std::string flows =
      "{\"id\":1,\"src\":\"10.0.0.1\",\"dst\":\"10.0.0.1\",\"proto\":\"udp\",\"dport\":9}\n"
      "{\"id\":2,\"src\":\"192.0.2.1\",\"dst\":\"10.0.0.2\",\"proto\":\"udp\",\"dport\":9}\n";
  const auto exempt = RunOn(flows);
  EXPECT_THAT(exempt.out, MatchesRegex(".*\"id\":1,\"verdict\":\"allow\".*\"exempt\":\"self\"\\}\n"
                                       ".*\"id\":2,\"verdict\":\"allow\".*\"exempt\":\"node\"\\}\n"));
  const auto judged = RunOn(flows, {"-o", "json", "--no-exemptions"});
  EXPECT_THAT(judged.out, MatchesRegex(".*\"id\":1,\"verdict\":\"deny\".*\"exempt\":\"\"\\}\n"
                                       ".*\"id\":2,\"verdict\":\"deny\".*\"exempt\":\"\"\\}\n"));
}

TEST_F(Check, UnmetExpectationExits1AndIsNamed) {
  const auto result = RunOn(
      "{\"id\":\"ok\",\"src\":\"shop/"
      "web\",\"dst\":\"198.51.100.9\",\"proto\":\"tcp\",\"dport\":1,\"expect\":\"deny\"}\n"
      "{\"id\":\"off\",\"src\":\"shop/"
      "web\",\"dst\":\"198.51.100.9\",\"proto\":\"tcp\",\"dport\":1,\"expect\":\"allow\"}\n");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("flows.jsonl:2: flow \"off\": expected allow"));
  EXPECT_THAT(result.err, HasSubstr("2 flows: 0 allowed, 2 denied; 1 not as expected"));
}

TEST_F(Check, EnginesSayTheSame) {
  const std::string flows =
      "{\"id\":1,\"src\":\"shop/web\",\"dst\":\"203.0.113.127\",\"proto\":\"tcp\",\"dport\":1}\n"
      "{\"id\":2,\"src\":\"shop/web\",\"dst\":\"203.0.113.128\",\"proto\":\"tcp\",\"dport\":1}\n";
  const auto compiled = RunOn(flows, {"-o", "json", "--engine", "compiled"});
  const auto reference = RunOn(flows, {"-o", "json", "--engine", "reference"});
  const auto both = RunOn(flows, {"-o", "json", "--engine", "both"});
  EXPECT_EQ(compiled.out, reference.out);
  EXPECT_EQ(compiled.out, both.out);
  EXPECT_EQ(both.exit_code, 0) << both.err;
}

TEST_F(Check, TableIsAlignedAndSaysWhatWasExpected) {
  const auto result = RunOn(
      "{\"id\":1,\"src\":\"shop/web\",\"dst\":\"203.0.113.1\",\"proto\":\"tcp\",\"dport\":443,\"expect\":\"deny\"}\n",
      {});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.out,
            "ID  FROM      TO               PROTO  VERDICT  EGRESS                    INGRESS  EXPECTED\n"
            "1   shop/web  203.0.113.1:443  tcp    allow    allow shop/web egress[0]  -        deny NOT MET\n");
}

struct BadLine {
  const char* name;
  const char* line;
  const char* error;
};

class CheckBadLine : public Check, public testing::WithParamInterface<BadLine> {};

TEST_P(CheckBadLine, IsNamedAndTheRestIsJudged) {
  const std::string good = R"({"id":"good","src":"10.0.0.1","dst":"203.0.113.1","proto":"tcp","dport":1})";
  const auto result = RunOn(good + '\n' + GetParam().line + '\n' + good + '\n');
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr(std::string("flows.jsonl:2: error: ") + GetParam().error));
  EXPECT_THAT(result.err, HasSubstr("2 flows: 2 allowed, 0 denied; 1 bad line skipped"));
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 2);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, CheckBadLine,
    testing::Values(BadLine{"NotJson", "{\"id\":1", "not JSON"}, BadLine{"TwoValues", "{} {}", "not JSON"},
                    BadLine{"NotAnObject", "[1]", "not a JSON object"}, BadLine{"NothingGiven", "{}", "id: missing"},
                    BadLine{"UnknownKey", R"({"id":1,"src":"10.0.0.1","dst":"10.0.0.2","proto":"tcp","port":1})",
                            "flow 1: port: no such key"},
                    BadLine{"KeyTwice", R"({"id":1,"src":"10.0.0.1","src":"10.0.0.1","dst":"10.0.0.2","proto":"tcp"})",
                            "flow 1: src: given twice"},
                    BadLine{"BadId", R"({"id":[],"src":"10.0.0.1","dst":"10.0.0.2","proto":"tcp"})", "id: must be"},
                    BadLine{"NoSource", R"({"id":1,"dst":"10.0.0.2","proto":"tcp"})", "flow 1: src: missing"},
                    BadLine{"BadAddress", R"({"id":1,"src":"10.0.0.256","dst":"10.0.0.2","proto":"tcp"})",
                            "flow 1: src: '10.0.0.256' is neither"},
                    BadLine{"MappedAddress", R"({"id":1,"src":"::ffff:10.0.0.1","dst":"10.0.0.2","proto":"tcp"})",
                            "flow 1: src: '::ffff:10.0.0.1' never"},
                    BadLine{"UnknownPod", R"({"id":1,"src":"10.0.0.1","dst":"shop/none","proto":"tcp"})",
                            "flow 1: dst: no pod 'shop/none'"},
                    BadLine{"PodWithoutAddress", R"({"id":1,"src":"shop/pending","dst":"10.0.0.1","proto":"tcp"})",
                            "flow 1: src: pod 'shop/pending' has no address"},
                    BadLine{"TwoFamilies", R"({"id":1,"src":"10.0.0.1","dst":"fd00::1","proto":"tcp"})",
                            "flow 1: dst: '10.0.0.1' and 'fd00::1' have no address of the same family"},
                    BadLine{"PodOfTheOtherFamily", R"({"id":1,"src":"fd00::9","dst":"shop/db","proto":"tcp"})",
                            "flow 1: dst: 'fd00::9' and 'shop/db' have no address of the same family"},
                    BadLine{"UnknownProtocol", R"({"id":1,"src":"10.0.0.1","dst":"10.0.0.2","proto":"ipx"})",
                            "flow 1: proto: must be"},
                    BadLine{"ProtocolTooLarge", R"({"id":1,"src":"10.0.0.1","dst":"10.0.0.2","proto":256})",
                            "flow 1: proto: must be"},
                    BadLine{"PortTooLarge", R"({"id":1,"src":"10.0.0.1","dst":"10.0.0.2","proto":"tcp","dport":65536})",
                            "flow 1: dport: must be"},
                    BadLine{"PortIsText", R"({"id":1,"src":"10.0.0.1","dst":"10.0.0.2","proto":"tcp","sport":"80"})",
                            "flow 1: sport: must be"},
                    BadLine{"BadExpect", R"({"id":1,"src":"10.0.0.1","dst":"10.0.0.2","proto":"tcp","expect":"drop"})",
                            "flow 1: expect: must be"}),
    [](const auto& form) { return form.param.name; });

TEST_F(Check, AllThatIsWrongWithALineIsSaid) {
  const auto result = RunOn(R"({"src":"x","dst":"10.0.0.2","proto":"ipx","dport":-1,"sprot":1})");
  EXPECT_EQ(result.exit_code, 2);
  for (const char* part :
       {"id: missing", "src: 'x' is neither", "proto: must be", "dport: must be", "sprot: no such key"}) {
    EXPECT_THAT(result.err, HasSubstr(part));
  }
  EXPECT_THAT(result.out, IsEmpty());
}

TEST_F(Check, RefusedManifestExits2AndTheRestIsJudged) {
  Write("bad/bad.yaml",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: shop, name: bad}\n"
        "spec:\n  podSelector: {matchLabels: {app: db}}\n  ingress: [{ports: [{port: 70000}]}]\n");
  const auto result = RunOn(R"({"id":1,"src":"10.0.0.1","dst":"203.0.113.1","proto":"tcp","dport":1})",
                            {"-o", "json", "--manifests", "bad"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("bad/bad.yaml:6: error: NetworkPolicy shop/bad: spec.ingress[0].ports[0].port")));
  EXPECT_THAT(result.out, HasSubstr(R"({"id":1,"verdict":"allow")"));
}

TEST_F(Check, SkippedKindIsANoteAndFine) {
  Write("deployment.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {namespace: shop, name: web}\n");
  const auto result = RunOn(R"({"id":1,"src":"10.0.0.1","dst":"203.0.113.1","proto":"tcp","dport":1})",
                            {"-o", "json", "--manifests", "deployment.yaml"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, AllOf(HasSubstr("note:"), HasSubstr("Deployment")));
}

TEST_F(Check, MissingFilesExit2) {
  Write("flows.jsonl", "");
  EXPECT_EQ(Run({"check", "--manifests", "shop.yaml", "--flows", "flows.jsonl"}).exit_code, 0);
  const auto no_flows = Run({"check", "--manifests", "shop.yaml", "--flows", "none.jsonl"});
  EXPECT_EQ(no_flows.exit_code, 2);
  EXPECT_THAT(no_flows.err, HasSubstr("none.jsonl: error: cannot be read"));
  const auto no_manifests = Run({"check", "--manifests", "none", "--flows", "flows.jsonl"});
  EXPECT_EQ(no_manifests.exit_code, 2);
  EXPECT_THAT(no_manifests.err, HasSubstr("none: error:"));
}

TEST_F(Check, BadOptionsExit2) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"check"},
                                             {"check", "--manifests", "shop.yaml"},
                                             {"check", "--manifests", "shop.yaml", "--flows", "x", "--engine", "fast"},
                                             {"check", "--manifests", "shop.yaml", "--flows", "x", "-o", "xml"},
                                             {"check", "--manifest", "shop.yaml", "--flows", "x"}}) {
    const auto result = Run(arguments);
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_THAT(result.err, Not(IsEmpty()));
  }
}

}  // namespace
}  // namespace sluice::test
