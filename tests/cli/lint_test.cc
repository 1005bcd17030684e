// `sluicectl lint`: each rule finds what it is for, with file and line, and not its harmless neighbour.
#include "lint/lint.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cli/command.h"

namespace sluice::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// shop: web declares 8080 (http), api declares nothing, db is of another namespace with labels of its own.
constexpr std::string_view kLintedPods = R"(
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: shop}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: data, labels: {team: data}}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: web, labels: {app: web}},
 spec: {containers: [{name: c, ports: [{containerPort: 8080, name: http}]}]}, status: {podIP: 10.0.0.1}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: api, labels: {app: api}},
 spec: {containers: [{name: c}]}, status: {podIP: 10.0.0.2}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: data, name: db, labels: {app: db}},
 spec: {containers: [{name: c}]}, status: {podIP: 10.1.0.1}}
)";

class LintTest : public CommandTest {
 protected:
  LintTest() { Write("m/0pods.yaml", kLintedPods); }

  // The rules that a policy of namespace shop breaks, with the lines of its file: "selects-nothing 6".
  std::vector<std::string> RulesOf(const std::string& spec) const {
    Write("m/policy.yaml",
          "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
          "metadata: {name: p, namespace: shop}\nspec:\n" +
              spec);
    const CommandResult result = Run({"lint", "--manifests", "m", "-o", "json"});
    std::vector<std::string> rules;
    std::istringstream lines(result.out);
    for (std::string line; std::getline(lines, line);) {
      const auto finding = nlohmann::json::parse(line);
      rules.push_back(finding.at("rule").get<std::string>() + ' ' + std::to_string(finding.at("line").get<int>()));
      EXPECT_THAT(finding.at("file").get<std::string>(), testing::EndsWith("policy.yaml"));
      EXPECT_EQ(finding.at("object"), "NetworkPolicy shop/p");
    }
    EXPECT_EQ(result.exit_code, rules.empty() ? 0 : 1) << result.err;
    return rules;
  }
};

TEST_F(LintTest, PolicyThatSelectsAPodIsFineAndOneThatSelectsNobodyIsNot) {
  EXPECT_THAT(RulesOf("  podSelector: {matchLabels: {app: web}}\n"), IsEmpty());
  EXPECT_THAT(RulesOf("  podSelector:\n    matchLabels: {app: wbe}\n"), ElementsAre("selects-nothing 5"));
}

TEST_F(LintTest, PeerThatMatchesNoPodIsFoundWhereverItLooks) {
  const std::string head = "  podSelector: {}\n  ingress:\n  - from:\n    - ";
  EXPECT_THAT(RulesOf(head + "podSelector: {matchLabels: {app: api}}\n"), IsEmpty());
  EXPECT_THAT(RulesOf(head + "podSelector: {matchLabels: {app: db}}\n"), ElementsAre("peer-matches-nothing 8"));
  EXPECT_THAT(RulesOf(head + "namespaceSelector: {matchLabels: {name: data}}\n"),
              ElementsAre("peer-matches-nothing 8"));
  EXPECT_THAT(RulesOf(head + "namespaceSelector: {matchLabels: {team: data}}\n"), IsEmpty());
  EXPECT_THAT(
      RulesOf(head + "{namespaceSelector: {matchLabels: {team: data}}, podSelector: {matchLabels: {app: web}}}\n"),
      ElementsAre("peer-matches-nothing 8"));
}

TEST_F(LintTest, NamespaceWithoutAnObjectIsFoundWhereItsLabelsAreAskedFor) {
  Write("m/1more.yaml",
        "{apiVersion: v1, kind: Pod, metadata: {namespace: made, name: up}, spec: {containers: [{name: c}]}, "
        "status: {podIP: 10.3.0.1}}\n");
  const std::string head = "  podSelector: {}\n  ingress:\n  - from:\n    - ";
  EXPECT_THAT(RulesOf(head + "namespaceSelector: {matchLabels: {team: data}}\n"), ElementsAre("namespace-unknown 8"));
  EXPECT_THAT(RulesOf(head + "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: made}}\n"), IsEmpty());
  EXPECT_THAT(RulesOf(head + "namespaceSelector: {}\n"), IsEmpty());
}

TEST_F(LintTest, OrThatWasMeantAsAndIsFoundAndOnePeerOfBothIsNot) {
  const std::string head = "  podSelector: {}\n  ingress:\n  - from:\n";
  EXPECT_THAT(RulesOf(head + "    - namespaceSelector: {matchLabels: {team: shop}}\n"
                             "    - podSelector: {matchLabels: {app: web}}\n"),
              ElementsAre("or-meant-as-and 9"));
  EXPECT_THAT(RulesOf(head + "    - namespaceSelector: {matchLabels: {team: shop}}\n"
                             "      podSelector: {matchLabels: {app: web}}\n"),
              IsEmpty());
  EXPECT_THAT(RulesOf(head + "    - namespaceSelector: {matchLabels: {team: data}}\n"
                             "    - podSelector: {}\n"),
              IsEmpty());
}

TEST_F(LintTest, RuleThatAnotherOneCoversIsFoundOnce) {
  const std::string head = "  podSelector: {}\n  ingress:\n";
  EXPECT_THAT(RulesOf(head + "  - from: [{podSelector: {}}]\n"
                             "  - from: [{podSelector: {matchLabels: {app: web}}}]\n    ports: [{port: http}]\n"),
              ElementsAre("redundant-rule 8"));
  EXPECT_THAT(RulesOf(head + "  - from: [{podSelector: {matchLabels: {app: web}}}]\n"
                             "  - from: [{podSelector: {matchLabels: {app: web}}}]\n"),
              ElementsAre("redundant-rule 8"));
  EXPECT_THAT(RulesOf(head + "  - from: [{podSelector: {matchLabels: {app: web}}}]\n"
                             "  - from: [{podSelector: {matchLabels: {app: api}}}]\n"),
              IsEmpty());
}

TEST_F(LintTest, PortsThatNoContainerHasAreFoundWhereAllPodsDeclareTheirs) {
  const std::string web = "  podSelector: {matchLabels: {app: web}}\n  ingress:\n  - ports:\n";
  EXPECT_THAT(RulesOf(web + "    - {port: 8080}\n    - {port: http}\n    - {port: 8000, endPort: 9000}\n"), IsEmpty());
  EXPECT_THAT(RulesOf(web + "    - {port: 80}\n    - {port: metrics}\n    - {port: 8080, protocol: UDP}\n"),
              ElementsAre("port-of-no-container 8", "named-port-missing 9", "port-of-no-container 10"));
  EXPECT_THAT(RulesOf("  podSelector: {}\n  ingress:\n  - ports: [{port: 80}]\n"), IsEmpty()) << "api declares nothing";
}

TEST_F(LintTest, ListOfNobodyThatMeansEveryoneAndRulesNotInForceAreFound) {
  EXPECT_THAT(RulesOf("  podSelector: {}\n  ingress:\n  - from: []\n"), ElementsAre("empty-peer-list 7"));
  EXPECT_THAT(RulesOf("  podSelector: {}\n  ingress:\n  - {}\n"), IsEmpty());
  EXPECT_THAT(RulesOf("  podSelector: {}\n  policyTypes: [Ingress]\n  egress:\n  - {}\n"),
              ElementsAre("rules-not-in-force 7"));
}

TEST_F(LintTest, BlockThatCoversPodsIsFoundAndOneThatExceptsThemIsNot) {
  const std::string head = "  podSelector: {}\n  ingress:\n  - from:\n    - ipBlock:\n";
  EXPECT_THAT(RulesOf(head + "        cidr: 0.0.0.0/0\n"), ElementsAre("block-covers-pods 8"));
  EXPECT_THAT(RulesOf(head + "        cidr: 0.0.0.0/0\n        except: [10.0.0.0/16]\n"),
              ElementsAre("block-covers-pods 8"));
  EXPECT_THAT(RulesOf(head + "        cidr: 0.0.0.0/0\n        except: [10.0.0.0/8, 10.1.0.0/16]\n"), IsEmpty());
  EXPECT_THAT(RulesOf(head + "        cidr: 10.1.0.0/24\n"), ElementsAre("block-covers-pods 8"));
  EXPECT_THAT(RulesOf(head + "        cidr: 198.51.100.0/24\n"), IsEmpty());
}

TEST_F(LintTest, EgressWithoutDnsIsFoundUnlessAnotherPolicyAdmitsItOrNobodyIsReachable) {
  const std::string to_api =
      "  podSelector: {matchLabels: {app: web}}\n  policyTypes: [Egress]\n  egress:\n"
      "  - to: [{podSelector: {matchLabels: {app: api}}}]\n";
  EXPECT_THAT(RulesOf(to_api + "    ports: [{port: 80}]\n"), ElementsAre("egress-without-dns 7"));
  EXPECT_THAT(RulesOf(to_api + "    ports: [{port: 80}]\n  - ports: [{port: 53, protocol: UDP}]\n"),
              ElementsAre("dns-by-udp-alone 7"));
  EXPECT_THAT(RulesOf(to_api + "    ports: [{port: 80}]\n  - ports: [{port: 53, protocol: UDP}, {port: 53}]\n"),
              IsEmpty());
  EXPECT_THAT(RulesOf("  podSelector: {}\n  policyTypes: [Egress]\n"), IsEmpty()) << "shut in on purpose";
  Write("m/dns.yaml",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: dns, namespace: shop}\n"
        "spec:\n  podSelector: {}\n  policyTypes: [Egress]\n"
        "  egress: [{ports: [{port: 53, protocol: UDP}, {port: 53}]}]\n");
  EXPECT_THAT(RulesOf(to_api + "    ports: [{port: 80}]\n"), IsEmpty());
}

// Cluster policies, one a document, of kind ClusterNetworkPolicy: their findings as "rule name field".
class TierLintTest : public LintTest {
 protected:
  void WritePolicies(const std::vector<std::string>& specs) const {
    std::string text;
    for (std::size_t i = 0; i < specs.size(); ++i) {
      text += "---\napiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: p" +
              std::to_string(i) + "}\nspec:\n" + specs[i];
    }
    Write("m/cluster.yaml", text);
  }

  std::vector<std::string> FindingsOf(const std::vector<std::string>& specs) {
    WritePolicies(specs);
    std::vector<std::string> arguments = {"lint", "--manifests", "m", "-o", "json"};
    if (!config_.empty()) {
      Write("sluiced.yaml", config_);
      arguments.insert(arguments.end(), {"--config", "sluiced.yaml"});
    }
    const CommandResult result = Run(arguments);
    EXPECT_EQ(result.err, "");
    std::vector<std::string> findings;
    std::istringstream lines(result.out);
    for (std::string line; std::getline(lines, line);) {
      const auto finding = nlohmann::json::parse(line);
      EXPECT_GT(finding.at("line").get<int>(), 0);
      messages_.push_back(finding.at("message"));
      findings.push_back(finding.at("rule").get<std::string>() + ' ' +
                         finding.at("object").get<std::string>().substr(21) + ' ' +
                         finding.at("field").get<std::string>());
    }
    EXPECT_EQ(result.exit_code, findings.empty() ? 0 : 1);
    return findings;
  }

  // A policy of the Admin tier; `ingress` is its rules.
  static std::string Admin(int priority, const std::string& ingress, const std::string& subject = "namespaces: {}") {
    return "  tier: Admin\n  priority: " + std::to_string(priority) + "\n  subject: {" + subject + "}\n  ingress:\n" +
           ingress;
  }
  static std::string Rule(const std::string& action, const std::string& labels, const std::string& more = "") {
    return "  - {name: r, action: " + action + ", from: [{namespaces: {matchLabels: {" + labels + "}}}]" + more + "}\n";
  }

  std::vector<std::string> messages_;
  std::string config_;  // empty: without --config
};

constexpr const char* kPort80 = ", protocols: [{tcp: {destinationPort: {number: 80}}}]";
constexpr const char* kPort8080 = ", protocols: [{tcp: {destinationPort: {number: 8080}}}]";
constexpr const char* kPort90 = ", protocols: [{tcp: {destinationPort: {number: 90}}}]";

TEST_F(TierLintTest, RuleBehindOneThatMatchesAllOfItIsFoundInItsPolicyAndInAnother) {
  EXPECT_THAT(FindingsOf({Admin(1, Rule("Accept", "team: shop", kPort80) + Rule("Deny", "team: shop"))}), IsEmpty());
  EXPECT_THAT(FindingsOf({Admin(1, Rule("Deny", "team: shop") + Rule("Accept", "team: shop", kPort80))}),
              ElementsAre("rule-never-decides p0 spec.ingress[1]"));
  EXPECT_THAT(messages_.back(),
              HasSubstr("spec.ingress[0] 'r' (Deny) comes first and matches all that this rule matches"));
  const std::string wide = Admin(1, Rule("Deny", "team: shop"));
  EXPECT_THAT(FindingsOf({wide, Admin(2, Rule("Accept", "team: shop", kPort80))}),
              ElementsAre("rule-never-decides p1 spec.ingress[0]"));
  EXPECT_THAT(messages_.back(), HasSubstr("spec.ingress[0] 'r' of ClusterNetworkPolicy p0 (Deny) comes first"));
  EXPECT_THAT(FindingsOf({Admin(2, Rule("Deny", "team: shop")), Admin(1, Rule("Accept", "team: shop", kPort80))}),
              IsEmpty())
      << "the exception goes first";
  EXPECT_THAT(FindingsOf({Admin(1, Rule("Deny", "team: shop"), "namespaces: {matchLabels: {team: shop}}"),
                          Admin(2, Rule("Accept", "team: shop", kPort80))}),
              IsEmpty())
      << "only some of the subjects are denied";
}

TEST_F(TierLintTest, NetworkPolicysRuleIsFoundWhereTheAdminTierDecidesAllOfIt) {
  const std::string of_web = "  podSelector: {matchLabels: {app: web}}\n  ingress:\n";
  const std::string from_api =
      of_web + "  - from: [{podSelector: {matchLabels: {app: api}}}]\n    ports: [{port: 8080}]\n";
  const std::vector<std::string> found = {"rule-never-decides 7"};
  WritePolicies({Admin(1, Rule("Deny", "team: shop"))});
  EXPECT_EQ(RulesOf(from_api), found) << "by the pods that are there, whatever the selectors";
  EXPECT_EQ(RulesOf(of_web + "  - from: [{ipBlock: {cidr: 192.0.2.0/24}}]\n"), std::vector<std::string>());
  EXPECT_EQ(RulesOf(of_web + "  - ports: [{port: 8080}]\n"), std::vector<std::string>()) << "others are admitted by it";
  WritePolicies({Admin(1, Rule("Accept", "team: shop", kPort8080))});
  EXPECT_EQ(RulesOf(from_api), found);
  WritePolicies({Admin(1, Rule("Accept", "team: shop", kPort90))});
  EXPECT_EQ(RulesOf(from_api), std::vector<std::string>()) << "of other ports";
  WritePolicies({Admin(1, Rule("Deny", "team: data"))});
  EXPECT_EQ(RulesOf(from_api), std::vector<std::string>()) << "from other pods";
  WritePolicies({Admin(1, Rule("Deny", "team: shop"), "namespaces: {matchLabels: {team: data}}")});
  EXPECT_EQ(RulesOf(from_api), std::vector<std::string>()) << "to other pods";
}

TEST_F(TierLintTest, NetworkPolicysRuleDecidesWhatAPassLeavesToIt) {
  const std::string from_api =
      "  podSelector: {matchLabels: {app: web}}\n  ingress:\n"
      "  - from: [{podSelector: {matchLabels: {app: api}}}]\n    ports: [{port: 8080}]\n";
  const std::string deny = Rule("Deny", "team: shop");
  WritePolicies({Admin(1, Rule("Pass", "team: shop", kPort8080) + deny)});
  EXPECT_EQ(RulesOf(from_api), std::vector<std::string>());
  WritePolicies({Admin(1, Rule("Pass", "team: shop", kPort8080)), Admin(2, deny)});
  EXPECT_EQ(RulesOf(from_api), std::vector<std::string>());
  WritePolicies({Admin(1, Rule("Pass", "team: shop", kPort90) + Rule("Pass", "team: data") + deny)});
  EXPECT_EQ(RulesOf(from_api), std::vector<std::string>{"rule-never-decides 7"}) << "it passes other connections";
  WritePolicies({Admin(2, Rule("Pass", "team: shop", kPort8080)), Admin(1, deny)});
  // The Pass is behind the Deny itself, which is told of the cluster policy.
  const CommandResult result = Run({"lint", "--manifests", "m"});
  EXPECT_THAT(result.out, HasSubstr("NetworkPolicy shop/p spec.ingress[0]: ClusterNetworkPolicy p1 spec.ingress[0] 'r' "
                                    "(Deny) of the Admin tier comes first and matches all that this rule matches, so "
                                    "this one admits nothing; remove it, or have a Pass put before that one"));
}

TEST_F(TierLintTest, NetworkPolicysEgressAndBlocksAreHeldAgainstNetworks) {
  const auto admin = [](const std::string& networks) {
    return "  tier: Admin\n  priority: 1\n  subject: {namespaces: {}}\n  egress:\n"
           "  - {name: r, action: Deny, to: [{networks: [" +
           networks + "]}]}\n";
  };
  const std::string to_block =
      "  podSelector: {matchLabels: {app: web}}\n  policyTypes: [Egress]\n  egress:\n"
      "  - to: [{ipBlock: {cidr: 192.0.2.0/24}}]\n    ports: [{port: 53, protocol: UDP}, {port: 53}]\n";
  const std::string to_all = "  podSelector: {matchLabels: {app: web}}\n  policyTypes: [Egress]\n  egress:\n  - {}\n";
  const std::vector<std::string> found = {"rule-never-decides 8"};
  WritePolicies({admin("192.0.0.0/16")});
  EXPECT_EQ(RulesOf(to_block), found);
  EXPECT_EQ(RulesOf(to_all), std::vector<std::string>());
  WritePolicies({admin("192.0.2.0/25")});
  EXPECT_EQ(RulesOf(to_block), std::vector<std::string>());
  WritePolicies({admin("0.0.0.0/0")});
  EXPECT_EQ(RulesOf(to_all), std::vector<std::string>()) << "IPv6 is left";
  WritePolicies({admin("0.0.0.0/0, '::/0'")});
  EXPECT_EQ(RulesOf(to_all), found);
  EXPECT_EQ(RulesOf(to_block), found);
}

TEST_F(TierLintTest, PoliciesOfOnePriorityAreFoundWhereTheyDisagreeAboutTheSameConnections) {
  EXPECT_THAT(FindingsOf({Admin(5, Rule("Accept", "team: shop", kPort80)), Admin(5, Rule("Deny", "team: shop"))}),
              ElementsAre("equal-priority p1 spec.ingress[0]"));
  EXPECT_THAT(messages_.back(),
              HasSubstr("Deny, and ClusterNetworkPolicy p0 says Accept by spec.ingress[0] 'r' to some "
                        "of the same connections at the same priority (5)"));
  EXPECT_THAT(FindingsOf({Admin(5, Rule("Accept", "team: shop", kPort80)), Admin(6, Rule("Deny", "team: shop"))}),
              IsEmpty());
  EXPECT_THAT(FindingsOf({Admin(5, Rule("Accept", "team: shop", kPort80)), Admin(5, Rule("Deny", "team: data"))}),
              IsEmpty());
  EXPECT_THAT(
      FindingsOf({Admin(5, Rule("Accept", "team: shop", kPort80)), Admin(5, Rule("Deny", "team: shop", kPort90))}),
      IsEmpty());
  EXPECT_THAT(
      FindingsOf({Admin(5, Rule("Deny", "team: shop", kPort80)), Admin(5, Rule("Deny", "team: shop", kPort90))}),
      IsEmpty());
  EXPECT_THAT(FindingsOf({Admin(5, Rule("Accept", "team: shop", kPort80), "namespaces: {matchLabels: {team: data}}"),
                          Admin(5, Rule("Deny", "team: shop"), "namespaces: {matchLabels: {team: shop}}")}),
              IsEmpty());
}

TEST_F(TierLintTest, AcceptThatOpensMoreThanItSaysIsFound) {
  const std::string to =
      "  tier: Admin\n  priority: 1\n  subject: {namespaces: {matchLabels: {team: shop}}}\n  egress:\n";
  const std::string block = "  - {action: Accept, to: [{networks: [10.1.0.0/16]}]" + std::string(kPort80) + "}\n";
  EXPECT_THAT(FindingsOf({to + block}), ElementsAre("block-covers-pods p0 spec.egress[0]"));
  EXPECT_THAT(messages_.back(), HasSubstr("1 address of pods, such as data/db's; networks match pods and nodes"));
  EXPECT_THAT(FindingsOf({to + "  - {action: Deny, to: [{namespaces: {matchLabels: {team: data}}}]}\n" + block}),
              IsEmpty());
  EXPECT_THAT(FindingsOf({to + "  - {action: Accept, to: [{networks: [192.0.2.0/24]}]}\n"}), IsEmpty());
  EXPECT_THAT(FindingsOf({Admin(1, "  - {action: Accept, from: [{namespaces: {}}]}\n")}),
              ElementsAre("accept-of-everything p0 spec.ingress[0]"));
  EXPECT_THAT(FindingsOf({Admin(1, "  - {action: Pass, from: [{namespaces: {}}]}\n")}), IsEmpty());
  EXPECT_THAT(FindingsOf({Admin(1, "  - {action: Accept, from: [{namespaces: {}}]" + std::string(kPort80) + "}\n")}),
              IsEmpty());
}

TEST_F(TierLintTest, EncryptedDnsBesideRulesByNameIsFound) {
  const std::string to =
      "  tier: Admin\n  priority: 1\n  subject: {namespaces: {matchLabels: {team: shop}}}\n  egress:\n";
  const std::string by_name = "  - {action: Accept, to: [{domainNames: [a.example.com]}]}\n";
  const std::string tls =
      "  - {action: Accept, to: [{networks: [192.0.2.0/24]}], protocols: [{tcp: {destinationPort: {number: 853}}}]}\n";
  EXPECT_THAT(FindingsOf({to + by_name}), IsEmpty());
  EXPECT_THAT(FindingsOf({to + tls}), IsEmpty()) << "no rule wants the answers";
  EXPECT_THAT(FindingsOf({to + by_name + tls}), ElementsAre("encrypted-dns p0 spec.egress[1]"));
  EXPECT_THAT(messages_.back(), HasSubstr("NamesService"));
  const std::string https = "  - {action: Accept, to: [{domainNames: [Dns.Google., x.cloudflare-dns.com]}]}\n";
  EXPECT_THAT(FindingsOf({to + https}), ElementsAre("encrypted-dns p0 spec.egress[0]"));
}

constexpr std::string_view kPolicyByName =
    "  tier: Admin\n  priority: 1\n  subject: {namespaces: {matchLabels: {team: shop}}}\n  egress:\n"
    "  - {action: Accept, to: [{domainNames: [a.example.com]}]}\n";

TEST_F(TierLintTest, ACacheOnEachNodeBesideRulesByNameIsFound) {
  EXPECT_THAT(FindingsOf({std::string(kPolicyByName)}), IsEmpty());
  Write("m/cache.yaml",
        "{apiVersion: v1, kind: Namespace, metadata: {name: kube-system}}\n---\n{apiVersion: v1, kind: Pod, metadata: "
        "{namespace: kube-system, name: cache-1, labels: {k8s-app: "
        "node-local-dns}}, spec: {hostNetwork: true}, status: {podIP: 192.0.2.1}}\n");
  EXPECT_THAT(FindingsOf({std::string(kPolicyByName)}), ElementsAre("node-local-dns p0 spec.egress[0]"));
  EXPECT_THAT(messages_.back(), HasSubstr("kube-system/cache-1"));
  EXPECT_THAT(FindingsOf({Admin(1, "  - {action: Pass, from: [{namespaces: {}}]}\n")}), IsEmpty());
}

TEST_F(TierLintTest, RulesByNameBehindWhichDnsIsDeniedAreFound) {
  const std::string names(kPolicyByName);
  const std::string deny = "  - {action: Deny, to: [{networks: [0.0.0.0/0]}]}\n";
  const std::string dns =
      "  - {action: Accept, to: [{networks: [192.0.2.0/24]}], protocols: [{udp: {destinationPort: {number: 53}}}]}\n";
  EXPECT_THAT(FindingsOf({names + deny}), ElementsAre("names-without-dns p0 spec.egress[1]"));
  EXPECT_THAT(messages_.back(), HasSubstr("accept UDP and TCP port 53"));
  EXPECT_THAT(FindingsOf({names + dns + deny}), IsEmpty());
  EXPECT_THAT(FindingsOf({names + "  - {action: Deny, to: [{networks: [198.51.100.0/24]}]}\n"}), IsEmpty());
  const std::string other =
      "  tier: Admin\n  priority: 0\n  subject: {namespaces: {matchLabels: {team: shop}}}\n  egress:\n" + dns;
  EXPECT_THAT(FindingsOf({names + deny, other}), IsEmpty());
}

constexpr std::string_view kUplink = "wires: [[\"af_packet:a\", \"af_packet:b\"]]\n";

TEST_F(TierLintTest, ConfigurationThatTrustsNoResolverIsFoundBesideRulesByName) {
  config_ = kUplink;
  EXPECT_THAT(FindingsOf({std::string(kPolicyByName)}), ElementsAre("names-without-dns p0 spec.egress[0]"));
  EXPECT_THAT(messages_.back(), HasSubstr("name the cluster's DNS in dns.resolvers"));
  EXPECT_THAT(FindingsOf({Admin(1, "  - {action: Pass, from: [{namespaces: {}}]}\n")}), IsEmpty());
  config_ += "dns: {resolvers: [192.0.2.53]}\n";
  EXPECT_THAT(FindingsOf({std::string(kPolicyByName)}), IsEmpty());
}

TEST_F(TierLintTest, DnsThatIsDeniedToEveryTrustedResolverIsFound) {
  const std::string names(kPolicyByName);
  const std::string deny = "  - {action: Deny, to: [{networks: [0.0.0.0/0]}]}\n";
  const auto accept = [](const std::string& peer, int port) {
    return "  - {action: Accept, to: [{" + peer +
           "}], protocols: [{udp: {destinationPort: {number: " + std::to_string(port) + "}}}]}\n";
  };
  const std::string found = "names-without-dns p0 spec.egress[";
  const auto with = [&](const std::string& dns) { config_ = std::string(kUplink) + "dns: {" + dns + "}\n"; };
  with("resolvers: [192.0.2.53]");
  EXPECT_THAT(FindingsOf({names + accept("networks: [192.0.2.0/24]", 53) + deny}), IsEmpty());
  EXPECT_THAT(FindingsOf({names + accept("networks: [198.51.100.0/24]", 53) + deny}), ElementsAre(found + "2]"));
  EXPECT_THAT(messages_.back(), HasSubstr("(192.0.2.53), and no rule before it accepts UDP port 53"));
  EXPECT_THAT(FindingsOf({names + accept("networks: [192.0.2.0/24]", 5353) + deny}), ElementsAre(found + "2]"));
  EXPECT_THAT(FindingsOf({names + "  - {action: Deny, to: [{networks: [192.0.2.0/24]}]}\n"}),
              ElementsAre(found + "1]"));
  EXPECT_THAT(FindingsOf({names + accept("namespaces: {}", 53) + deny}), IsEmpty()) << "a Service's address, maybe";
  const std::string before = "  tier: Admin\n  priority: 0\n  subject: {namespaces: {}}\n  egress:\n" +
                             accept("networks: [192.0.2.53/32]", 53);
  EXPECT_THAT(FindingsOf({names + deny, before}), IsEmpty());
  with("resolvers: [192.0.2.53, 198.51.100.53]");
  EXPECT_THAT(FindingsOf({names + accept("networks: [198.51.100.0/24]", 53) + deny}), IsEmpty()) << "one is enough";
  with("resolvers: [192.0.2.53], port: 5353");
  EXPECT_THAT(FindingsOf({names + accept("networks: [192.0.2.0/24]", 5353) + deny}), IsEmpty());
  with("resolvers: [data/app=db]");
  EXPECT_THAT(FindingsOf({names + accept("namespaces: {matchLabels: {team: data}}", 53) + deny}), IsEmpty());
  EXPECT_THAT(FindingsOf({names + accept("networks: [10.1.0.0/16]", 53) + deny}),
              ElementsAre("block-covers-pods p0 spec.egress[1]"));
  EXPECT_THAT(FindingsOf({names + accept("namespaces: {matchLabels: {team: shop}}", 53) + deny}),
              ElementsAre(found + "2]"));
  EXPECT_THAT(FindingsOf({names + "  - {action: Deny, to: [{namespaces: {matchLabels: {team: data}}}]}\n"}),
              ElementsAre(found + "1]"));
  with("resolvers: [data/app=gone]");
  EXPECT_THAT(FindingsOf({names + accept("namespaces: {matchLabels: {team: shop}}", 53) + deny}), IsEmpty())
      << "no pod of the manifests is the resolver";
}

TEST_F(TierLintTest, ACacheOnEachNodeIsFineWhereTheConfigurationTrustsItAtThePods) {
  Write("m/cache.yaml",
        "{apiVersion: v1, kind: Namespace, metadata: {name: kube-system}}\n---\n{apiVersion: v1, kind: Pod, metadata: "
        "{namespace: kube-system, name: cache-1, labels: {k8s-app: "
        "node-local-dns}}, spec: {hostNetwork: true}, status: {podIP: 192.0.2.1}}\n");
  const auto found = ElementsAre("node-local-dns p0 spec.egress[0]");
  const std::string names(kPolicyByName);
  for (const char* cache : {"169.254.20.10", "kube-system/k8s-app=node-local-dns", "192.0.2.1"}) {
    config_ = "wires: [hooks]\ndns: {resolvers: [" + std::string(cache) + "]}\n";
    EXPECT_THAT(FindingsOf({names}), IsEmpty()) << cache;
    config_ = std::string(kUplink) + "dns: {resolvers: [" + cache + "]}\n";
    EXPECT_THAT(FindingsOf({names}), found) << "its answers do not cross the uplink";
  }
  config_ = "wires: [hooks]\ndns: {resolvers: [192.0.2.53]}\n";
  EXPECT_THAT(FindingsOf({names}), found);
  EXPECT_THAT(messages_.back(), HasSubstr("which the configuration does not trust"));
}

TEST_F(TierLintTest, BaselineRulesBehindIsolationOfAllTheirSubjectsAndPeersOfNobodyAreFound) {
  const std::string baseline =
      "  tier: Baseline\n  priority: 1\n  subject: {namespaces: {matchLabels: {team: shop}}}\n  ingress:\n" +
      Rule("Deny", "team: data");
  EXPECT_THAT(FindingsOf({baseline}), IsEmpty());
  Write("m/np.yaml",
        "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: all, namespace: shop}, spec: "
        "{podSelector: {}, policyTypes: [Ingress]}}\n");
  EXPECT_THAT(FindingsOf({baseline}), ElementsAre("baseline-not-reached p0 spec.ingress"));
  EXPECT_THAT(messages_.back(), HasSubstr("pod shop/web and 1 more"));
  EXPECT_THAT(FindingsOf({Admin(1, Rule("Deny", "team: nobody"))}),
              ElementsAre("peer-matches-nothing p0 spec.ingress[0]"));
}

TEST_F(LintTest, TableNamesFileLineAndRuleAndRulesCanBeLeftOut) {
  RulesOf("  podSelector:\n    matchLabels: {app: wbe}\n");
  const CommandResult table = Run({"lint", "--manifests", "m"});
  EXPECT_THAT(table.out, HasSubstr("policy.yaml:5: NetworkPolicy shop/p spec.podSelector: no pod of namespace shop has "
                                   "the labels app=wbe; check them against the pods' labels [selects-nothing]"));
  const CommandResult without = Run({"lint", "--manifests", "m", "--without", "selects-nothing"});
  EXPECT_EQ(without.exit_code, 0);
  EXPECT_EQ(without.out, "nothing found\n");
  const CommandResult unknown = Run({"lint", "--manifests", "m", "--without", "nonsense"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("--without 'nonsense': lint has no such rule; --rules lists them"));
}

TEST_F(LintTest, SarifHasEachRuleAndPlacesEachFinding) {
  RulesOf("  podSelector:\n    matchLabels: {app: wbe}\n");
  const CommandResult result = Run({"lint", "--manifests", "m", "-o", "sarif"});
  EXPECT_EQ(result.exit_code, 1);
  const auto run = nlohmann::json::parse(result.out).at("runs").at(0);
  std::vector<std::string> ids;
  for (const auto& rule : run.at("tool").at("driver").at("rules")) ids.push_back(rule.at("id"));
  EXPECT_EQ(ids.size(), LintRules().size());
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  ASSERT_EQ(run.at("results").size(), 1u);
  const auto& place = run.at("results").at(0).at("locations").at(0).at("physicalLocation");
  EXPECT_EQ(place.at("region").at("startLine"), 5);
  EXPECT_EQ(run.at("results").at(0).at("ruleId"), "selects-nothing");
}

TEST_F(LintTest, BadInputIsToldAndEndsWithTwo) {
  Write("bad/policy.yaml",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\nspec: {oops: 1}\n");
  const CommandResult bad = Run({"lint", "--manifests", "bad"});
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_THAT(bad.err, HasSubstr("oops"));
  EXPECT_EQ(bad.out, "");
  EXPECT_EQ(Run({"lint", "--manifests", "missing"}).exit_code, 2);
  EXPECT_EQ(Run({"lint"}).exit_code, 2);
}

TEST_F(LintTest, WithoutPodsItSaysWhatItCouldNotLookAt) {
  Write("alone/p.yaml",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: a}\n"
        "spec: {podSelector: {matchLabels: {app: x}}}\n");
  const CommandResult result = Run({"lint", "--manifests", "alone"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("no Pod among the manifests"));
}

// As if it were in force: beside what stays, and in the place of what it would replace.
TEST_F(LintTest, StagedPoliciesAreLookedAtAsIfTheyWereInForce) {
  Write("m/policy.yaml",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
        "metadata: {name: p, namespace: shop}\nspec: {podSelector: {matchLabels: {app: nobody}}}\n");
  Write("m/staged.yaml",
        "apiVersion: policy.sluice.internal/v1alpha1\nkind: StagedNetworkPolicy\n"
        "metadata: {name: p, namespace: shop}\nspec:\n  podSelector:\n    matchLabels: {app: wbe}\n---\n"
        "apiVersion: policy.sluice.internal/v1alpha1\nkind: StagedClusterNetworkPolicy\nmetadata: {name: c}\nspec:\n"
        "  tier: Admin\n  priority: 1\n  subject: {namespaces: {}}\n  ingress:\n  - action: Accept\n"
        "    from: [{namespaces: {}}]\n");
  const CommandResult found = Run({"lint", "--manifests", "m"});
  EXPECT_EQ(found.exit_code, 1) << found.err;
  EXPECT_THAT(found.out,
              HasSubstr("m/staged.yaml:5: StagedNetworkPolicy shop/p spec.podSelector: no pod of namespace shop "
                        "has the labels app=wbe"));
  EXPECT_THAT(found.out, HasSubstr(": StagedClusterNetworkPolicy c spec.ingress[0]"));
  EXPECT_THAT(found.out, HasSubstr("[accept-of-everything]"));
  EXPECT_THAT(found.out, testing::Not(HasSubstr("app=nobody")));
  Write("m/staged.yaml",
        "apiVersion: policy.sluice.internal/v1alpha1\nkind: StagedNetworkPolicy\n"
        "metadata: {name: p, namespace: shop}\nspec: {action: Delete}\n");
  EXPECT_EQ(Run({"lint", "--manifests", "m"}).out, "nothing found\n");
}

}  // namespace
}  // namespace sluice::test
