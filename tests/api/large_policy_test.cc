// Policies whose objects are large are shown all the same: whole where it matters, in several messages, or shortened.
#include <gmock/gmock.h>

#include <string>

#include "api/limits.h"
#include "api/observed_plane.h"
#include "api/run_command.h"
#include "codec/codec.h"
#include "codec/parts.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

// A list of seven hundred thousand addresses, a policy of twelve thousand rules, and an endpoint of many labels.
ResolvedPolicy Large() {
  PolicyBuilder builder;
  const GroupId web = builder.Group("web");
  const GroupId wide = builder.Group(std::string(100'000, 'k'));
  for (std::uint64_t i = 0; i < 700'000; ++i) {
    builder.policy().groups[wide].blocks.push_back({Prefix::Make(IpAddress::V6(0xfd, 2 * i), 128), {}});
  }
  builder.Endpoint("e0", {Ip("10.0.0.1")}, {web});
  builder.policy().endpoints.back().labels = std::string(200'000, 'l');
  std::vector<Rule> rules;
  for (std::int32_t i = 0; i < 12'000; ++i) rules.push_back(AllowRule(wide, {{kProtoTcp, 80, 80}}, i));
  builder.Section("default/many", Direction::kIngress, web, std::move(rules));
  builder.Section("default/one", Direction::kEgress, web, {AllowRule(web)});
  return std::move(builder.policy());
}

class LargePolicyTest : public ObservedFixture {
 protected:
  LargePolicyTest() {
    Sender sender(Connect(), "test");
    EncodeFullState(Large(), 9, 1, std::size_t{1} << 20, [&](const v1::FullStateChunk& chunk) {
      v1::PushRequest request;
      *request.mutable_full_state() = chunk;
      if (request.ByteSizeLong() <= kMaxMessageBytes) return sender.Write(request);
      return SendInParts(request.SerializeAsString(), [&](const v1::Part& part) {
        v1::PushRequest piece;
        *piece.mutable_part() = part;
        return sender.Write(piece);
      });
    });
    EXPECT_TRUE(sender.Result().applied());
  }
  std::string Target() const { return "unix:" + Socket(); }
};

TEST_F(LargePolicyTest, TheWholePolicyIsReadInPartsByWhoKnowsThem) {
  const auto stub = v1::ObserveService::NewStub(Connect());
  grpc::ClientContext context;
  v1::GetPolicyRequest request;
  request.set_parts(true);
  const auto reader = stub->GetPolicy(&context, request);
  FullStateDecoder decoder;
  PartGatherer parts;
  v1::FullStateChunk chunk;
  while (reader->Read(&chunk)) {
    if (chunk.has_part()) {
      ASSERT_TRUE(parts.Add(chunk.part()));
      if (!parts.complete()) continue;
      ASSERT_TRUE(chunk.ParseFromString(parts.Take()));
    }
    ASSERT_FALSE(decoder.Add(chunk));
  }
  EXPECT_TRUE(reader->Finish().ok());
  ASSERT_TRUE(decoder.complete());
  EXPECT_EQ(decoder.Take().groups[1].blocks.size(), 700'000u);

  grpc::ClientContext old;
  const auto old_reader = stub->GetPolicy(&old, {});
  while (old_reader->Read(&chunk)) EXPECT_FALSE(chunk.has_part());
  const grpc::Status status = old_reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("GetPolicyRequest.parts"));
}

TEST_F(LargePolicyTest, APolicyOfManyRulesComesInSeveralMessagesAndIsShownAsOne) {
  const auto stub = v1::ObserveService::NewStub(Connect());
  grpc::ClientContext context;
  const auto reader = stub->ListPolicies(&context, {});
  v1::PolicyInfo info;
  int rules = 0;
  int messages = 0;
  while (reader->Read(&info)) {
    EXPECT_LT(info.ByteSizeLong(), std::size_t{1} << 20);
    if (info.policy() != "default/many") continue;
    rules += info.rules_size();
    EXPECT_EQ(info.more(), rules != 12'001);  // the default deny is the last
    ++messages;
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(rules, 12'001);
  EXPECT_GT(messages, 1);

  const auto policies = RunSluicectl(Target(), "get policies --no-headers");
  EXPECT_EQ(policies.code, 0);
  EXPECT_THAT(policies.out,
              testing::MatchesRegex("default/many +1 +ingress +12000 .*\ndefault/one +1 +egress +1 .*\n"));
  EXPECT_THAT(RunSluicectl(Target(), "get rules --no-headers | wc -l").out, "12003\n");
}

TEST_F(LargePolicyTest, EveryCommandShowsIt) {
  for (const char* command :
       {"status", "get endpoints -o wide", "get rules default/one", "get flows", "unused -n default -o json",
        "explain --src 10.0.0.1 --dst 10.0.0.2 --proto tcp --dport 80"}) {
    const auto end = RunSluicectl(Target(), command);
    EXPECT_EQ(end.code, 0) << command << end.out.substr(0, 1000);
  }
}

}  // namespace
}  // namespace sluice
