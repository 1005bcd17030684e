// Resolvers as the configuration names them: addresses, and pods by namespace and labels.
#include "dns/resolvers.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice {
namespace {

Resolver Parsed(std::string_view text) {
  const auto resolver = Resolver::Parse(text);
  EXPECT_TRUE(std::holds_alternative<Resolver>(resolver)) << text;
  return std::holds_alternative<Resolver>(resolver) ? std::get<Resolver>(resolver) : Resolver();
}

Endpoint Pod(std::string namespace_name, std::string labels, std::uint32_t address) {
  Endpoint pod;
  pod.namespace_name = std::move(namespace_name);
  pod.labels = std::move(labels);
  pod.addresses = {IpAddress::V4(address)};
  return pod;
}

TEST(Resolvers, AddressesOfEitherFamily) {
  EXPECT_EQ(Parsed("10.96.0.10").address, IpAddress::V4(0x0a60000a));
  EXPECT_EQ(Parsed("fd00::a").address, IpAddress::Parse("fd00::a"));
}

TEST(Resolvers, PodsHaveAllOfTheLabels) {
  const Resolver dns = Parsed("kube-system/k8s-app=kube-dns,tier=control");
  EXPECT_TRUE(dns.Is(Pod("kube-system", "app=x,k8s-app=kube-dns,tier=control", 1)));
  EXPECT_FALSE(dns.Is(Pod("kube-system", "k8s-app=kube-dns", 1)));
  EXPECT_FALSE(dns.Is(Pod("kube-system", "k8s-app=kube-dns-2,tier=control", 1)));
  EXPECT_FALSE(dns.Is(Pod("kube-system", "xk8s-app=kube-dns,tier=control", 1)));
  EXPECT_FALSE(dns.Is(Pod("kube", "k8s-app=kube-dns,tier=control", 1)));
  EXPECT_FALSE(dns.Is(Pod("kube-system", "", 1)));
  EXPECT_TRUE(Parsed("dns/app.kubernetes.io/name=unbound").Is(Pod("dns", "app.kubernetes.io/name=unbound", 1)));
  EXPECT_TRUE(Parsed("dns/headless=").Is(Pod("dns", "headless=", 1)));
}

TEST(Resolvers, WhatIsNeitherIsRefusedWithWhatWouldBeRight) {
  for (const std::string_view wrong :
       {"", "dns", "10.0.0.0/24", "/a=b", "kube-system/", "kube-system/kube-dns", "kube-system/a=b,",
        "kube-system/a==b", "kube-system/=b", "10.0.0.300", "10.0.0.1:53", "kube-system/a = b"}) {
    const auto resolver = Resolver::Parse(wrong);
    const auto* error = std::get_if<std::string>(&resolver);
    ASSERT_NE(error, nullptr) << wrong;
    EXPECT_NE(error->find("kube-system/k8s-app=kube-dns"), std::string::npos);
  }
}

TEST(Resolvers, AddressesOfThePodsThatAreOnes) {
  const std::vector<Resolver> resolvers = {Parsed("10.96.0.10"), Parsed("kube-system/k8s-app=kube-dns")};
  const std::vector<Endpoint> pods = {Pod("kube-system", "k8s-app=kube-dns", 1), Pod("kube-system", "k8s-app=proxy", 2),
                                      Pod("kube-system", "k8s-app=kube-dns", 3)};
  std::vector<IpAddress> found;
  FindResolvers(resolvers, pods, found);
  EXPECT_EQ(found, std::vector<IpAddress>({IpAddress::V4(1), IpAddress::V4(3)}));
}

}  // namespace
}  // namespace sluice
