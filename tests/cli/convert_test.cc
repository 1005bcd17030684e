// `sluicectl convert`: what it writes, that it means the same, and what it refuses.
#include <gmock/gmock.h>

#include <algorithm>
#include <string>

#include "cli/command.h"

namespace sluice::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr std::string_view kOld = R"(
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: guard}
spec:
  priority: 7
  subject: {pods: {namespaceSelector: {matchLabels: {team: red}}, podSelector: {matchLabels: {app: web}}}}
  ingress:
  - name: no strangers
    action: Deny
    from: [{namespaces: {matchExpressions: [{key: team, operator: NotIn, values: [red, blue]}]}}]
    ports: [{portNumber: {port: 80}}, {portRange: {protocol: UDP, start: 5, end: 7}}, {namedPort: http}]
  egress:
  - action: Pass
    to: [{networks: [10.0.0.0/8]}]
  - action: Allow
    to: [{nodes: {matchLabels: {zone: x}}}]
---
apiVersion: policy.networking.k8s.io/v1alpha1
kind: BaselineAdminNetworkPolicy
metadata: {name: default}
spec:
  subject: {namespaces: {}}
  ingress: [{action: Deny, from: [{namespaces: {}}]}]
)";

std::string Admin(std::string_view name, int priority, int rules) {
  std::string text = "---\napiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: " +
                     std::string(name) + "}\nspec:\n  priority: " + std::to_string(priority) +
                     "\n  subject: {namespaces: {}}\n  ingress:\n";
  for (int i = 0; i < rules; ++i) {
    text += std::string("  - {action: ") + (i % 2 == 0 ? "Deny" : "Allow") +
            ", from: [{namespaces: {}}], ports: [{portNumber: {port: " + std::to_string(i / 2 + 1) + "}}]}\n";
  }
  return text;
}

class Convert : public CommandTest {
 protected:
  CommandResult RunOn(std::string_view text, std::vector<std::string> more = {}) const {
    Write("old.yaml", text);
    std::vector<std::string> arguments = {"convert", "--manifests", "old.yaml"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }
};

TEST_F(Convert, CNP_12_WritesWhatMeansTheSame) {
  const auto result = RunOn(kOld);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, StartsWith("2 ClusterNetworkPolicies mean the same on "));
  EXPECT_THAT(result.out, HasSubstr("kind: ClusterNetworkPolicy"));
  EXPECT_THAT(result.out, HasSubstr("tier: Admin"));
  EXPECT_THAT(result.out, HasSubstr("tier: Baseline"));
  EXPECT_THAT(result.out, HasSubstr("action: Accept"));
  EXPECT_THAT(result.out, HasSubstr("destinationNamedPort: http"));
  // It is read again without a word beside that it has no pods, and every engine agrees on it.
  Write("new.yaml", result.out);
  const auto verified = Run({"verify", "--manifests", "new.yaml"});
  EXPECT_EQ(verified.exit_code, 0) << verified.err;
  EXPECT_THAT(verified.err, StartsWith("warning: no Pod among the manifests: "));
  EXPECT_EQ(std::count(verified.err.begin(), verified.err.end(), '\n'), 1);
}

TEST_F(Convert, WritesAListInJson) {
  const auto result = RunOn(kOld, {"-o", "json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, StartsWith("{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"List\""));
  Write("new.json", result.out);
  EXPECT_EQ(Run({"verify", "--manifests", "new.json"}).exit_code, 0);
}

TEST_F(Convert, OneOfMoreThan25RulesBecomesSeveralOfAscendingPriorities) {
  const auto result = RunOn(Admin("long", 7, 60));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (const char* name : {"name: long\n", "name: long-2\n", "name: long-3\n"}) {
    EXPECT_THAT(result.out, HasSubstr(name));
  }
  EXPECT_THAT(result.out, HasSubstr("priority: 9\n"));
  Write("new.yaml", result.out);
  EXPECT_EQ(Run({"verify", "--manifests", "new.yaml"}).exit_code, 0);
}

TEST_F(Convert, WhereThePrioritiesAreTakenItSaysWhomToMove) {
  const auto taken = RunOn(Admin("long", 7, 30) + Admin("next", 8, 1));
  EXPECT_EQ(taken.exit_code, 2);
  EXPECT_THAT(taken.out, IsEmpty());
  EXPECT_THAT(
      taken.err,
      HasSubstr("error: AdminNetworkPolicy long: spec.priority: becomes 2 ClusterNetworkPolicies of at most 25 "
                "rules a direction, with the priorities 7 to 8; AdminNetworkPolicy next has 8: move one of them"));
  EXPECT_THAT(RunOn(Admin("last", 1000, 30)).err, HasSubstr("1000 is the last one: give it a lower one"));
}

TEST_F(Convert, ANameThatIsTakenIsRefused) {
  const auto result = RunOn(Admin("guard", 7, 1) +
                            "---\napiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: "
                            "{name: guard}\nspec: {tier: Admin, priority: 1, subject: {namespaces: {}}}\n");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err,
              HasSubstr("metadata.name: would become the ClusterNetworkPolicy guard, which there is already"));
}

TEST_F(Convert, NothingToConvertAndRefusedManifestsAreErrors) {
  EXPECT_THAT(RunOn("{apiVersion: v1, kind: Namespace, metadata: {name: a}}").err,
              HasSubstr("no AdminNetworkPolicy and no BaselineAdminNetworkPolicy in the manifests"));
  const auto refused = RunOn(std::string(kOld) + "  extra: 1\n");
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.out, IsEmpty());
  EXPECT_THAT(refused.err, HasSubstr("some manifests were refused, see above; nothing is converted"));
}

}  // namespace
}  // namespace sluice::test
