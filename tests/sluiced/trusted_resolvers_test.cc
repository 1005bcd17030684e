// Resolvers that are pods follow the policy in force, and are told to workers when they change.
#include "sluiced/trusted_resolvers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "table/policy_builder.h"

namespace sluice {
namespace {

class Nobody final : public AnswerSink {
 public:
  std::size_t Learn(const DnsAnswer&, const IpAddress&, std::uint64_t) override { return 0; }
};

ResolvedPolicy PolicyWith(std::initializer_list<std::pair<const char*, const char*>> pods) {  // address, labels
  PolicyBuilder builder;
  const GroupId group = builder.Group("group");
  for (const auto& [address, labels] : pods) {
    builder.Endpoint(address, {Ip(address)}, {group});
    builder.policy().endpoints.back().namespace_name = "kube-system";
    builder.policy().endpoints.back().labels = labels;
  }
  builder.Section("default/p", Direction::kIngress, group, {});
  return std::move(builder.policy());
}

class TrustedResolversTest : public testing::Test {
 protected:
  TrustedResolversTest() { listener_.Add(tap_); }
  bool Trusts(const char* address) {
    tap_.Turn();
    return tap_.Trusts(Ip(address));
  }
  void Load(ResolvedPolicy policy) { ASSERT_FALSE(store_.Replace(std::move(policy))); }

  Nobody nobody_;
  DnsTap tap_{{.port = 53}};
  DnsListener listener_{nobody_};
  PolicyStore store_{CompileLimits(), [](std::shared_ptr<const Table>) {}};
};

TEST_F(TrustedResolversTest, AddressesAreTrustedFromTheStart) {
  TrustedResolvers resolvers({"10.96.0.10", "fd00::a"}, store_, listener_);
  EXPECT_EQ(resolvers.Look(), "DNS is read of 2 resolvers: 10.96.0.10 fd00::a");
  EXPECT_TRUE(Trusts("10.96.0.10"));
  EXPECT_TRUE(Trusts("fd00::a"));
  EXPECT_FALSE(Trusts("10.96.0.11"));
  EXPECT_EQ(resolvers.Look(), std::nullopt);
}

TEST_F(TrustedResolversTest, PodsComeAndGoWithThePolicy) {
  TrustedResolvers resolvers({"kube-system/k8s-app=kube-dns"}, store_, listener_);
  EXPECT_EQ(resolvers.Look(), std::nullopt);
  EXPECT_FALSE(Trusts("10.0.0.1"));
  Load(PolicyWith({{"10.0.0.1", "k8s-app=kube-dns"}, {"10.0.0.2", "k8s-app=proxy"}}));
  EXPECT_EQ(resolvers.Look(), "DNS is read of 1 resolver: 10.0.0.1");
  EXPECT_TRUE(Trusts("10.0.0.1"));
  EXPECT_FALSE(Trusts("10.0.0.2"));
  Load(PolicyWith({{"10.0.0.2", "k8s-app=kube-dns"}}));
  EXPECT_TRUE(resolvers.Look());
  EXPECT_FALSE(Trusts("10.0.0.1"));
  EXPECT_TRUE(Trusts("10.0.0.2"));
  Load(PolicyWith({{"10.0.0.2", ""}}));
  EXPECT_THAT(resolvers.Look().value_or(""), testing::HasSubstr("no pod"));
  EXPECT_FALSE(Trusts("10.0.0.2"));
}

// What a worker has yet to take up is told once it can be.
TEST_F(TrustedResolversTest, AWorkerThatIsLateIsToldAgain) {
  Load(PolicyWith({{"10.0.0.1", "k8s-app=kube-dns"}}));
  TrustedResolvers resolvers({"kube-system/k8s-app=kube-dns"}, store_, listener_);
  resolvers.Look();
  Load(PolicyWith({{"10.0.0.2", "k8s-app=kube-dns"}}));
  resolvers.Look();
  EXPECT_TRUE(Trusts("10.0.0.1"));
  resolvers.Look();
  EXPECT_TRUE(Trusts("10.0.0.2"));
  EXPECT_FALSE(Trusts("10.0.0.1"));
}

TEST_F(TrustedResolversTest, AmongManyPods) {
  PolicyBuilder builder;
  const GroupId group = builder.Group("group");
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    builder.Endpoint("pod" + std::to_string(i), {IpAddress::V4(0x0a000000 + i)}, {group});
    builder.policy().endpoints.back().namespace_name = "kube-system";
    builder.policy().endpoints.back().labels = i % 3000 == 2999 ? "k8s-app=kube-dns" : "app=x";
  }
  builder.Section("default/p", Direction::kIngress, group, {});
  Load(std::move(builder.policy()));
  TrustedResolvers resolvers({"kube-system/k8s-app=kube-dns"}, store_, listener_);
  EXPECT_EQ(resolvers.Look(), "DNS is read of 3 resolvers: 10.0.11.183 10.0.23.111 10.0.35.39");
}

}  // namespace
}  // namespace sluice
