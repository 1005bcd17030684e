// IPFIX without a collector: lengths and sequence numbers of messages. What collectors read of it is in
// tests/e2e/ipfix_test.py.
#include "observe/ipfix.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace sluice {
namespace {

std::uint32_t Number(const std::string& bytes, std::size_t at, std::size_t size) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < size; ++i) number = number << 8 | static_cast<std::uint8_t>(bytes[at + i]);
  return number;
}

FlowLogRecord SomeFlow() {
  FlowLogRecord record;
  record.source = {*IpAddress::Parse("10.0.0.1"), 1000,
                   std::make_shared<FlowLogOwner>(FlowLogOwner{"shop", "web", "n1"})};
  record.destination = {*IpAddress::Parse("192.0.2.1"), 53, nullptr};
  record.protocol = 17;
  record.cause = "expired";
  TableRule rule;
  rule.policy = "shop/dns";
  record.egress = std::make_shared<TableRule>(std::move(rule));
  record.traffic = {3, 300};
  record.reply = {1, 100};
  return record;
}

TEST(IpfixMessages, SayTheirLengthTheirTemplatesAndHowManyRecordsCameBefore) {
  IpfixMessages messages(7);
  const std::string templates = messages.Templates(100);
  EXPECT_LE(templates.size(), 1400u) << "a datagram";
  EXPECT_EQ(Number(templates, 0, 2), 10u);
  EXPECT_EQ(Number(templates, 2, 2), templates.size());
  EXPECT_EQ(Number(templates, 4, 4), 100u);
  EXPECT_EQ(Number(templates, 12, 4), 7u);
  EXPECT_EQ(Number(templates, 16, 2), 2u);
  const std::size_t options = 16 + Number(templates, 18, 2);
  EXPECT_EQ(Number(templates, options, 2), 3u) << "options templates";
  EXPECT_EQ(options + Number(templates, options + 2, 2), templates.size());

  const std::string record = IpfixRecord(SomeFlow());
  std::uint32_t sent = 0;
  for (int round = 0; round < 3; ++round) {
    while (messages.Fits(record, 1400)) messages.Add(record);
    const std::uint32_t records = messages.flows();
    EXPECT_GT(records, 5u);
    const std::string message = messages.Take(101);
    EXPECT_LE(message.size(), 1400u);
    EXPECT_EQ(Number(message, 2, 2), message.size());
    EXPECT_EQ(Number(message, 8, 4), sent);
    EXPECT_EQ(Number(message, 16, 2), 256u);
    EXPECT_EQ(Number(message, 18, 2), 4 + records * (record.size() - 2)) << "one set: they have one template";
    sent += records;
  }
}

TEST(IpfixMessages, RecordsOfOtherTemplatesAreInSetsOfTheirOwn) {
  IpfixMessages messages(7);
  FlowLogRecord deny = SomeFlow();
  deny.is_deny = true;
  FlowLogRecord of_rule = deny;
  of_rule.source.reset();
  const std::string flow_bytes = IpfixRecord(SomeFlow()), deny_bytes = IpfixRecord(deny),
                    rule_bytes = IpfixRecord(of_rule);
  for (const std::string& record : {flow_bytes, flow_bytes, deny_bytes, rule_bytes}) messages.Add(record);
  const std::string message = messages.Take(1);
  std::size_t at = 16;
  for (const auto& [number, bytes] : {std::pair<std::uint32_t, std::size_t>{256, 2 * (flow_bytes.size() - 2)},
                                      {258, deny_bytes.size() - 2},
                                      {260, rule_bytes.size() - 2}}) {
    EXPECT_EQ(Number(message, at, 2), number);
    EXPECT_EQ(Number(message, at + 2, 2), bytes + 4);
    at += bytes + 4;
  }
  EXPECT_EQ(at, message.size());
}

// RFC 5103: the forward counts are the source's alone.
TEST(IpfixNotSent, IsARecordOfTheProcessWithTheCountAlone) {
  IpfixMessages messages(7);
  messages.Add(IpfixNotSent(0x1'0000'0002));
  EXPECT_FALSE(messages.IsEmpty());
  EXPECT_EQ(messages.flows(), 0u);
  const std::string message = messages.Take(1);
  ASSERT_EQ(message.size(), 16u + 4 + 12);
  EXPECT_EQ(Number(message, 16, 2), 261u);
  EXPECT_EQ(Number(message, 20, 4), static_cast<std::uint32_t>(getpid()));
  EXPECT_EQ(Number(message, 24, 4), 1u);
  EXPECT_EQ(Number(message, 28, 4), 2u);
}

TEST(IpfixRecord, CountsOfBothDirectionsAreApart) {
  FlowLogRecord record = SomeFlow();
  record.told = {1, 60};
  record.first_unix_ns = 5'000'000;
  record.last_unix_ns = 9'000'000;
  const std::string bytes = IpfixRecord(record);
  std::size_t at = 2 + 4 + 4 + 2 + 2 + 1;  // template, addresses, ports, protocol
  const auto next = [&] { return Number(bytes, (at += 8) - 4, 4); };
  EXPECT_EQ(next(), 5u);
  EXPECT_EQ(next(), 9u);
  at += 2;  // flowEndReason, firewallEvent
  for (const std::uint32_t forward : {2u, 200u, 1u, 140u}) EXPECT_EQ(next(), forward);
  EXPECT_EQ(Number(bytes, at++, 1), 1u) << "the initiator's direction is forward";
  for (const std::uint32_t reverse : {1u, 100u, 1u, 100u}) EXPECT_EQ(next(), reverse);
}

TEST(IpfixRecord, ANameThatIsTooLongIsCut) {
  FlowLogRecord record = SomeFlow();
  const std::size_t usual = IpfixRecord(record).size();
  record.source->owner = std::make_shared<FlowLogOwner>(FlowLogOwner{"shop", std::string(100'000, 'x'), "n1"});
  EXPECT_LE(IpfixRecord(record).size(), usual + 254);
}

}  // namespace
}  // namespace sluice
