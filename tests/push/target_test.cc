#include "push/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string Refusal(const std::vector<std::string>& addresses, const TargetSecurity& security = {}) {
  std::string text;
  for (const TargetProblem& problem : CheckTargets(addresses, security)) text += problem.what + '\n';
  return text;
}

TEST(Targets, AUnixSocketNeedsNothing) { EXPECT_EQ(Refusal({"unix:/run/sluice/sluiced.sock"}), ""); }

TEST(Targets, TcpWantsTlsOrAnExplicitWord) {
  EXPECT_THAT(Refusal({"10.0.0.1:7777"}), HasSubstr("--insecure"));
  TargetSecurity insecure;
  insecure.insecure = true;
  EXPECT_EQ(Refusal({"10.0.0.1:7777", "[fd00::1]:7777"}, insecure), "");
}

TEST(Targets, WhatIsNoAddressIsRefused) {
  TargetSecurity insecure;
  insecure.insecure = true;
  for (const char* address :
       {"", "unix:", "host", "host:", ":7777", "host:0", "host:65536", "fd00::1:7777", "10.0.0.256:1", "a b:1"}) {
    EXPECT_NE(Refusal({address}, insecure), "") << address;
  }
}

TEST(Targets, EachIsToldOf) {
  EXPECT_THAT(Refusal({"unix:", "unix:/a", "host"}), AllOf(HasSubstr("'unix:': wants"), HasSubstr("'host': wants")));
}

TEST(Targets, OneNamedTwiceIsRefused) { EXPECT_THAT(Refusal({"unix:/a", "unix:/a"}), HasSubstr("twice")); }

TEST(Targets, TlsWantsAllThreeFiles) {
  TargetSecurity security;
  security.certificate = "/dev/null";
  EXPECT_THAT(Refusal({"h:1"}, security), HasSubstr("all of"));
  security.key = "/dev/null";
  security.ca = "/dev/null";
  EXPECT_EQ(Refusal({"h:1"}, security), "");
}

TEST(Targets, AFailureIsToldInTheOperatorsWords) {
  TargetSecurity tls;
  tls.certificate = tls.key = tls.ca = "/dev/null";
  EXPECT_THAT(ExplainFailure("Ssl handshake failed: error:0A000086:SSL routines::certificate verify failed", tls),
              HasSubstr("--tls-ca"));
  EXPECT_THAT(ExplainFailure("Socket closed", tls), HasSubstr("accepts our certificate"));
  EXPECT_EQ(ExplainFailure("Socket closed", {}), "Socket closed");
  EXPECT_EQ(ExplainFailure("sender 'b' took over", tls), "sender 'b' took over");
}

}  // namespace
}  // namespace sluice
