// The configuration file: what is accepted, and what each mistake is told.
#include "config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "support/places.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Reading {
  Config config;
  Diagnostics diagnostics;
  bool ok = false;

  std::string errors() const {
    std::string text;
    for (const Diagnostic& diagnostic : diagnostics) text += diagnostic.ToString() + "\n";
    return text;
  }
};

Reading Read(const std::string& text) {
  Reading reading;
  reading.ok = ReadConfig(text, "sluiced.yaml", reading.config, reading.diagnostics);
  return reading;
}

TEST(Config, EmptyFileHoldsTheDefaults) {
  for (const char* text : {"", "# nothing but a comment\n", "---\n", "~\n"}) {
    const Reading reading = Read(text);
    EXPECT_TRUE(reading.ok) << reading.errors();
    EXPECT_EQ(reading.config.pipeline.timeouts.tcp_established, 432000u);
    EXPECT_THAT(reading.config.edge.wires, IsEmpty());
  }
}

TEST(Config, EveryKindOfKeyIsRead) {
  const Reading reading = Read(R"(
wires:
  - [af_packet:eth0, "0000:03:00.1"]
  - - device: memif:/run/a.sock:3
      role: server
    - device: net_bonding0,mode=1
      mtu: 9000
  - [ring, null]
manifests: [/etc/sluice, more.yaml]
action_on_deny: reject
tcp_strict: true
pass_ethertypes: [0x88cc, 0x8847, 0x88cc]
max_ipv6_extension_headers: 3
timeouts:
  udp: 7
flows: {ipv4: 1000}
fragments: {timeout_ms: 500}
limits: {table_bytes: 1073741824}
cores: "1,3-5"
idle: sleep
log_level: debug
)");
  ASSERT_TRUE(reading.ok) << reading.errors();
  const Config& config = reading.config;
  ASSERT_EQ(config.edge.wires.size(), 3u);
  EXPECT_EQ(config.edge.wires[0].ports[0].device, "af_packet:eth0");
  EXPECT_EQ(config.edge.wires[0].ports[1].device, "0000:03:00.1");
  EXPECT_EQ(config.edge.wires[1].ports[0].role, SocketRole::kServer);
  EXPECT_EQ(config.edge.wires[1].ports[1].device, "net_bonding0,mode=1");
  EXPECT_EQ(config.edge.wires[1].ports[1].mtu, 9000u);
  EXPECT_EQ(config.edge.wires[2].ports[1].device, "null");
  EXPECT_THAT(config.manifests, ElementsAre("/etc/sluice", "more.yaml"));
  EXPECT_EQ(config.pipeline.action_on_deny, ActionOnDeny::kReject);
  EXPECT_TRUE(config.pipeline.tcp_strict);
  EXPECT_THAT(config.pipeline.parse.pass_ethertypes, ElementsAre(0x8847, 0x88cc));
  EXPECT_EQ(config.pipeline.parse.max_ipv6_extension_headers, 3);
  EXPECT_EQ(config.pipeline.timeouts.udp, 7u);
  EXPECT_EQ(config.pipeline.flow_capacity_ipv4, 1000u);
  EXPECT_EQ(config.pipeline.fragment_timeout_ms, 500u);
  EXPECT_EQ(config.limits.table_bytes, 1073741824u);
  EXPECT_THAT(config.edge.cores, ElementsAre(1, 3, 4, 5));
  EXPECT_EQ(config.edge.idle, Idle::kSleep);
  EXPECT_EQ(config.log_level, LogLevel::kDebug);
}

struct Refusal {
  const char* name;
  const char* text;
  const char* error;
};

class RefusedConfig : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedConfig, NamesLineKeyAndRemedy) {
  const Reading reading = Read(GetParam().text);
  EXPECT_FALSE(reading.ok);
  EXPECT_THAT(reading.errors(), HasSubstr(GetParam().error));
}

INSTANTIATE_TEST_SUITE_P(
    Config, RefusedConfig,
    testing::Values(
        Refusal{"UnknownKey", "manifests: []\ntcp_strikt: true\n",
                "sluiced.yaml:2: error: tcp_strikt: no such key; did you mean tcp_strict?"},
        Refusal{"UnknownKeyOfASection", "timeouts:\n  tcp_etablished: 5\n",
                "sluiced.yaml:2: error: timeouts.tcp_etablished: no such key; did you mean timeouts.tcp_established?"},
        Refusal{"KeyOutsideItsSection", "udp_stream: 5\n", "did you mean timeouts.udp_stream?"},
        Refusal{"MistypedSection", "timeout:\n  udp: 5\n", "did you mean timeouts?"},
        Refusal{"UnlikeAnyKey", "zzzzzzzz: 1\n", "zzzzzzzz: no such key; docs/configuration.md lists all"},
        Refusal{"KeyGivenTwice", "tcp_strict: true\ntcp_strict: false\n",
                "sluiced.yaml:2: error: tcp_strict: given twice"},
        Refusal{"NumberBelowItsRange", "timeouts: {udp: 0}\n",
                "timeouts.udp: wants a number from 1 to 10000000, not '0'"},
        Refusal{"NegativeNumber", "timeouts: {udp: -1}\n", "not '-1'"},
        Refusal{"NumberAboveItsRange", "pass_ethertypes: [0x10000]\n",
                "pass_ethertypes[0]: wants a number from 1536 to 65535"},
        Refusal{"NumberThatIsATextAfterDigits", "timeouts: {udp: 30s}\n", "not '30s'"},
        Refusal{"NumberThatIsAList", "timeouts: {udp: [1]}\n", "timeouts.udp: wants a number"},
        Refusal{"BoolThatIsAYes", "tcp_strict: yes\n", "tcp_strict: wants true or false, not 'yes'"},
        Refusal{"UnknownChoice", "action_on_deny: refuse\n", "wants one of drop, reject, not 'refuse'"},
        Refusal{"WireOfOnePort", "wires:\n  - [null]\n", "sluiced.yaml:2: error: wires[0]: wants a wire of two ports"},
        Refusal{"PortWithoutDevice", "wires:\n  - [{mtu: 9000}, ring]\n", "wires[0][0]: wants the key device"},
        Refusal{"PortWithUnknownKey", "wires:\n  - [{devise: ring}, ring]\n",
                "wires[0][0].devise: no such key; did you mean device?"},
        Refusal{"CoreGivenTwice", "cores: 0,0\n", "cores: wants CPU numbers, none twice"},
        Refusal{"ListInPlaceOfTheFile", "- a\n", "wants a mapping of keys"},
        Refusal{"TwoDocuments", "tcp_strict: true\n---\ntcp_strict: true\n", "wants a single YAML document"},
        Refusal{"BrokenYaml", "wires: [\n", "sluiced.yaml:2: error:"}),
    [](const auto& refusal) { return refusal.param.name; });

TEST(Config, AllMistakesAreToldAtOnce) {
  const Reading reading = Read("tcp_strict: 1\nidle: never\nflows: {ipv4: x}\n");
  EXPECT_EQ(reading.diagnostics.size(), 3u) << reading.errors();
}

TEST(Config, MissingFileSaysWhy) {
  Config config;
  Diagnostics diagnostics;
  EXPECT_FALSE(ReadConfigFile("/nonexistent/sluiced.yaml", config, diagnostics));
  ASSERT_EQ(diagnostics.size(), 1u);
  EXPECT_THAT(diagnostics[0].ToString(), HasSubstr("/nonexistent/sluiced.yaml: error: cannot be read: No such file"));
}

TEST(Config, FolderInPlaceOfTheFileSaysWhy) {
  Config config;
  Diagnostics diagnostics;
  EXPECT_FALSE(ReadConfigFile("/tmp", config, diagnostics));
  ASSERT_EQ(diagnostics.size(), 1u);
  EXPECT_THAT(diagnostics[0].ToString(), HasSubstr("Is a directory"));
}

TEST(Config, CoreListsAreReadInTheirOrder) {
  EXPECT_THAT(ParseCores("3").value(), ElementsAre(3));
  EXPECT_THAT(ParseCores("4,0-2").value(), ElementsAre(4, 0, 1, 2));
  for (const char* text : {"", ",", "1,", "a", "2-1", "1-", "-1", "1,1", "0-3,2", "99999"}) {
    EXPECT_FALSE(ParseCores(text)) << text;
  }
}

TEST(Config, DocumentHoldsTheReferenceOfTheCode) {
  std::ifstream file(SourcePath("docs/configuration.md"));
  std::ostringstream document;
  document << file.rdbuf();
  EXPECT_THAT(document.str(), HasSubstr(ConfigReference())) << "docs/configuration.md wants this table:\n"
                                                            << ConfigReference();
}

}  // namespace
}  // namespace sluice
