#include "table/compile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "table/policy_builder.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

// web may be reached by `client` on TCP 80; everything else to web is denied.
PolicyBuilder WebPolicy() {
  PolicyBuilder builder;
  const GroupId web = builder.Group("web");
  const GroupId client = builder.Group("client");
  builder.Endpoint("web", {Ip("10.0.0.1"), Ip("fd00::1")}, {web});
  builder.Endpoint("client", {Ip("10.0.0.2"), Ip("fd00::2")}, {client});
  builder.Endpoint("other", {Ip("10.0.0.3")}, {});
  builder.Section("default/web", Direction::kIngress, web, {AllowRule(client, {TcpPort(80)})});
  return builder;
}

TEST(Compile, EmptyTableConcernsNobody) {
  Compiler compiler;
  const auto table = compiler.EmptyTable();
  EXPECT_FALSE(table->has_policy());
  EXPECT_EQ(table->generation(), 0u);
  EXPECT_FALSE(Classify(*table, "10.0.0.1", "10.0.0.2", kProtoTcp, 80).concerned);
}

TEST(Compile, GenerationsAscend) {
  Compiler compiler;
  EXPECT_EQ(MustCompile(compiler, WebPolicy().policy())->generation(), 1u);
  EXPECT_EQ(MustCompile(compiler, WebPolicy().policy())->generation(), 2u);
}

TEST(Compile, AddressesOfOnePodAreOneIdentity) {
  Compiler compiler;
  const auto table = MustCompile(compiler, WebPolicy().policy());
  EXPECT_EQ(table->Lookup(Ip("10.0.0.1")).identity, table->Lookup(Ip("fd00::1")).identity);
  EXPECT_NE(table->Lookup(Ip("10.0.0.1")).identity, table->Lookup(Ip("10.0.0.2")).identity);
}

TEST(Compile, UnchangedPolicyKeepsEveryIdAndChangesNoAddress) {
  Compiler compiler;
  const auto before = MustCompile(compiler, WebPolicy().policy());
  const auto after = MustCompile(compiler, WebPolicy().policy());
  EXPECT_EQ(before->epoch(), after->epoch());
  EXPECT_EQ(before->rule_limit(), after->rule_limit());
  EXPECT_EQ(before->Lookup(Ip("10.0.0.1")), after->Lookup(Ip("10.0.0.1")));
  EXPECT_EQ(after->changes().marked(), 0u);
}

// By the last compilation.
std::vector<std::string> Changed(const Table& table, std::initializer_list<const char*> addresses) {
  const auto before = static_cast<std::uint32_t>(table.generation() - 1);
  std::vector<std::string> changed;
  for (const char* address : addresses) {
    if (table.changes().Since(before, Ip(address))) changed.push_back(address);
  }
  return changed;
}

TEST(Compile, NewPodChangesItsOwnAddressOnly) {
  Compiler compiler;
  MustCompile(compiler, WebPolicy().policy());
  PolicyBuilder builder = WebPolicy();
  builder.Endpoint("client2", {Ip("10.0.0.9")}, {1});
  const auto table = MustCompile(compiler, builder.policy());
  EXPECT_EQ(Changed(*table, {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.9"}), std::vector<std::string>{"10.0.0.9"});
}

TEST(Compile, RemovedPodChangesItsAddress) {
  Compiler compiler;
  MustCompile(compiler, WebPolicy().policy());
  PolicyBuilder builder = WebPolicy();
  builder.policy().endpoints.pop_back();
  const auto table = MustCompile(compiler, builder.policy());
  EXPECT_EQ(Changed(*table, {"10.0.0.1", "10.0.0.2", "10.0.0.3"}), std::vector<std::string>{"10.0.0.3"});
}

TEST(Compile, NewPolicyBumpsItsSubjectsOnly) {
  Compiler compiler;
  MustCompile(compiler, WebPolicy().policy());
  PolicyBuilder builder = WebPolicy();
  const GroupId world = builder.Group("world", {{Cidr("0.0.0.0/0"), {}}});
  builder.Section("default/zz", Direction::kEgress, 1, {AllowRule(world)});
  const auto table = MustCompile(compiler, builder.policy());
  EXPECT_EQ(Changed(*table, {"10.0.0.1", "10.0.0.2", "10.0.0.3"}), std::vector<std::string>{"10.0.0.2"});
}

TEST(Compile, RelabelledPeerBumpsItself) {
  Compiler compiler;
  MustCompile(compiler, WebPolicy().policy());
  PolicyBuilder builder = WebPolicy();
  builder.policy().endpoints[1].members = kEmptyIdSet;  // no client any more
  const auto table = MustCompile(compiler, builder.policy());
  EXPECT_EQ(Changed(*table, {"10.0.0.1", "10.0.0.2", "10.0.0.3"}), std::vector<std::string>{"10.0.0.2"});
  EXPECT_FALSE(Classify(*table, "10.0.0.2", "10.0.0.1", kProtoTcp, 80).allow);
}

TEST(Compile, NewPodCidrChangesEverything) {
  Compiler compiler;
  MustCompile(compiler, WebPolicy().policy());
  PolicyBuilder builder = WebPolicy();
  builder.Node("n1", {Ip("192.0.2.1")}, {Cidr("10.0.0.0/24")});
  const auto table = MustCompile(compiler, builder.policy());
  EXPECT_EQ(table->changes().marked(), AddressChanges::kMarks);
}

TEST(Compile, TooManyRulesAreRefusedNamingThePolicy) {
  Compiler compiler(CompileLimits{.rules = 4});
  PolicyBuilder builder = WebPolicy();
  MustCompile(compiler, builder.policy());
  for (int i = 0; i < 5; ++i) builder.Section("default/p" + std::to_string(i), Direction::kIngress, 0, {});
  const auto result = compiler.Compile(builder.policy());
  ASSERT_TRUE(std::holds_alternative<Diagnostic>(result));
  EXPECT_THAT(std::get<Diagnostic>(result).ToString(), HasSubstr("policy default/p"));
  EXPECT_EQ(std::get<Diagnostic>(result).field, "limits.rules");
  EXPECT_THAT(std::get<Diagnostic>(result).ToString(), HasSubstr("more than 4 rules"));
  // The refusal changed nothing.
  EXPECT_EQ(MustCompile(compiler, WebPolicy().policy())->generation(), 2u);
}

TEST(Compile, TooManyIdentitiesAreRefused) {
  Compiler compiler(CompileLimits{.identities = 1});
  const auto result = compiler.Compile(WebPolicy().policy());
  ASSERT_TRUE(std::holds_alternative<Diagnostic>(result));
  EXPECT_THAT(std::get<Diagnostic>(result).ToString(), HasSubstr("more than 1 identities"));
  EXPECT_EQ(std::get<Diagnostic>(result).field, "limits.identities");
}

TEST(Compile, TooManyBytesAreRefused) {
  Compiler compiler(CompileLimits{.table_bytes = 8'000});
  const auto result = compiler.Compile(WebPolicy().policy());
  ASSERT_TRUE(std::holds_alternative<Diagnostic>(result));
  EXPECT_THAT(std::get<Diagnostic>(result).ToString(), HasSubstr("8000 bytes"));
  EXPECT_EQ(std::get<Diagnostic>(result).field, "limits.table_bytes");
}

TEST(Compile, TooManyAddressesAreRefusedByTheirBytes) {
  Compiler compiler(CompileLimits{.table_bytes = 1'200'000});
  PolicyBuilder builder = WebPolicy();
  MustCompile(compiler, builder.policy());
  for (std::uint32_t i = 0; i < 30'000; ++i) builder.Endpoint("p" + std::to_string(i), {IpAddress::V4(i)}, {});
  const auto result = compiler.Compile(builder.policy());
  ASSERT_TRUE(std::holds_alternative<Diagnostic>(result));
  EXPECT_THAT(std::get<Diagnostic>(result).ToString(), HasSubstr("address map"));
}

TEST(Table, DumpNamesHostsIdentitiesAndRules) {
  Compiler compiler;
  const std::string dump = MustCompile(compiler, WebPolicy().policy())->Dump();
  EXPECT_THAT(dump, HasSubstr("table generation=1\n"));
  EXPECT_THAT(dump, HasSubstr("host 10.0.0.1 identity="));
  EXPECT_THAT(dump, HasSubstr("default/web ingress[0] allow tier=NetworkPolicy peers=0 ports=0"));
  EXPECT_THAT(dump, HasSubstr(" isolates as rule 2\n"));
}

}  // namespace
}  // namespace sluice
