#include "sluice/host_port.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(HostPort, AddressesAndNamesAreTaken) {
  const struct {
    const char* text;
    const char* host;
    int port;
  } cases[] = {{"10.0.0.1:7777", "10.0.0.1", 7777},
               {"0.0.0.0:0", "0.0.0.0", 0},
               {"[::1]:65535", "::1", 65535},
               {"[fe80::1%eth0]:80", "fe80::1%eth0", 80},
               {"localhost:1", "localhost", 1},
               {"gateway-1.example:7777", "gateway-1.example", 7777},
               {"gateway.example.:1", "gateway.example.", 1},
               {"10.example:1", "10.example", 1}};
  for (const auto& one : cases) {
    const auto parsed = ParseHostPort(one.text);
    ASSERT_TRUE(parsed.has_value()) << one.text;
    EXPECT_EQ(parsed->host, one.host);
    EXPECT_EQ(parsed->port, one.port);
  }
}

TEST(HostPort, WhatIsNeitherIsRefused) {
  for (const char* text :
       {"",           ":",         ":80",          "host",          "host:",   "host:x",       "host:-1",
        "host:65536", "host:80 ",  "fd00::1:80",   "[10.0.0.1]:80", "[::1:80", "::1]:80",      "[]:80",
        "[%eth0]:80", "[::1%]:80", "256.0.0.1:80", "10.0.0:80",     "1:80",    "010.0.0.1:80", "a..b:80",
        ".a:80",      "a b:80",    "a/b:80",       "unix:80:x",     "*:80",    "http://a:80",  "host:80:90"}) {
    EXPECT_FALSE(ParseHostPort(text).has_value()) << text;
  }
  EXPECT_FALSE(ParseHostPort(std::string(64, 'a') + ":80").has_value());
}

}  // namespace
}  // namespace sluice
