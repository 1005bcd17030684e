// Requests in parts, and numbers at their end, over a real socket.
#include <gmock/gmock.h>

#include <limits>
#include <string>

#include "api/api_fixture.h"
#include "api/limits.h"
#include "codec/api_minor.h"
#include "codec/codec.h"
#include "codec/parts.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kPushedState = 77;
constexpr std::uint64_t kLast = std::numeric_limits<std::uint64_t>::max();

class PushPartsTest : public ApiFixture {
 protected:
  PushPartsTest() { StartServer(); }

  // Cut into pieces of that size.
  static void WriteInParts(Sender& sender, const v1::PushRequest& request, std::size_t piece_bytes) {
    const std::string bytes = request.SerializeAsString();
    for (std::size_t at = 0; at < bytes.size(); at += piece_bytes) {
      v1::PushRequest part;
      part.mutable_part()->set_bytes(bytes.substr(at, piece_bytes));
      part.mutable_part()->set_last(at + piece_bytes >= bytes.size());
      sender.Write(part);
    }
  }
  static v1::PushRequest UpdateRequest(const v1::Update& update) {
    v1::PushRequest request;
    *request.mutable_update() = update;
    return request;
  }
};

TEST_F(PushPartsTest, AFullStateAndAnUpdateInPartsAreWhatTheyWouldBeWhole) {
  Sender sender(Connect(), "test");
  EXPECT_GE(sender.hello().api_minor(), kPartsSinceApiMinor);
  EncodeFullState(WebIsolated(), kPushedState, 1, 1, [&](const v1::FullStateChunk& chunk) {
    v1::PushRequest request;
    *request.mutable_full_state() = chunk;
    WriteInParts(sender, request, 7);
    return true;
  });
  EXPECT_TRUE(sender.Result().applied());
  EXPECT_FALSE(Allows("10.0.0.1"));
  WriteInParts(sender, UpdateRequest(PodComes(kPushedState, 2, 1, "10.0.0.2")), 3);
  EXPECT_TRUE(sender.Result().applied());
  EXPECT_FALSE(Allows("10.0.0.2"));
  EXPECT_TRUE(sender.SendUpdate(PodComes(kPushedState, 3, 2, "10.0.0.3")).applied());
  WriteInParts(sender, UpdateRequest(PodComes(kPushedState, 4, 3, "10.0.0.3")), 1000);
  EXPECT_THAT(sender.Result().problems(0).reason(), HasSubstr("belongs to"));
}

TEST_F(PushPartsTest, AnotherMessageBetweenPartsEndsTheStream) {
  Sender sender(Connect(), "test");
  ASSERT_TRUE(sender.SendFullState(WebIsolated(), kPushedState, 1).applied());
  v1::PushRequest part;
  part.mutable_part()->set_bytes("\x1a");
  sender.Write(part);
  sender.Write(UpdateRequest(PodComes(kPushedState, 2, 1, "10.0.0.2")));
  const grpc::Status status = sender.WaitForEnd();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "another message came between the parts of one");
  EXPECT_TRUE(Allows("10.0.0.2"));
}

TEST_F(PushPartsTest, PartsOfWhatHasNoPartsEndTheStream) {
  v1::PushRequest begin;
  begin.mutable_begin()->set_sender("inner");
  v1::PushRequest of_parts;
  of_parts.mutable_part()->set_last(true);
  for (const v1::PushRequest& request : {begin, of_parts}) {
    Sender sender(Connect(), "outer");
    WriteInParts(sender, request, 1000);
    EXPECT_THAT(sender.WaitForEnd().error_message(), HasSubstr("parts are of a full state or of an update"));
  }
  Sender sender(Connect(), "test");
  v1::PushRequest nonsense;
  nonsense.mutable_part()->set_bytes("\xff\xff");
  nonsense.mutable_part()->set_last(true);
  sender.Write(nonsense);
  EXPECT_EQ(sender.WaitForEnd().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(PushPartsTest, PartsBeforeBeginAreNoBegin) {
  const auto stub = v1::PolicyService::NewStub(Connect());
  grpc::ClientContext context;
  const auto stream = stub->Push(&context);
  v1::PushRequest part;
  part.mutable_part()->set_last(true);
  stream->Write(part);
  v1::PushResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_message(), "the first message must be Begin");
}

TEST_F(PushPartsTest, MorePartsThanARequestMayHaveEndTheStream) {
  Sender sender(Connect(), "test");
  v1::PushRequest part;
  part.mutable_part()->set_bytes(std::string(kMaxMessageBytes - 1000, 'x'));
  for (std::size_t sent = 0; sent <= kMaxGatheredBytes; sent += part.part().bytes().size()) sender.Write(part);
  const grpc::Status status = sender.WaitForEnd();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("more than 64 MB"));
}

TEST_F(PushPartsTest, BatchNumbersDoNotBeginAgain) {
  Sender sender(Connect(), "test");
  ASSERT_TRUE(sender.SendFullState(WebIsolated(), kPushedState, kLast - 1).applied());
  ASSERT_TRUE(sender.SendUpdate(PodComes(kPushedState, kLast, 1, "10.0.0.2")).applied());
  const v1::BatchResult result = sender.SendUpdate(PodComes(kPushedState, 0, 2, "10.0.0.3"));
  EXPECT_FALSE(result.applied());
  EXPECT_TRUE(result.full_state_needed());
  EXPECT_TRUE(Allows("10.0.0.3"));
  EXPECT_EQ(intake_->status().batch, kLast);
}

TEST_F(PushPartsTest, ChunksOfTwoStatesMakeNone) {
  Sender sender(Connect(), "test");
  for (const auto& last : {std::pair(kPushedState, 1), std::pair(kPushedState + 1, 1), std::pair(kPushedState, 2)}) {
    EncodeFullState(WebIsolated(), kPushedState, 1, 1, [&](v1::FullStateChunk chunk) {
      if (chunk.last()) chunk.set_state_id(last.first), chunk.set_batch(static_cast<std::uint64_t>(last.second));
      v1::PushRequest request;
      *request.mutable_full_state() = std::move(chunk);
      return sender.Write(request);
    });
    const v1::BatchResult result = sender.Result();
    EXPECT_EQ(result.applied(), last == std::pair(kPushedState, 1));
    if (!result.applied()) {
      EXPECT_THAT(result.problems(0).reason(), HasSubstr("is another than that of the chunks before"));
    }
  }
}

// The sender decides how long it is; the reader of the answer has a bound of its own.
TEST_F(PushPartsTest, ARefusalIsShortHoweverLongTheNamesItTellsOf) {
  Sender sender(Connect(), "test");
  v1::PushRequest request;
  v1::FullStateChunk& chunk = *request.mutable_full_state();
  chunk.set_state_id(kPushedState);
  chunk.set_batch(1);
  chunk.set_first(true);
  chunk.set_last(true);
  v1::Endpoint& endpoint = *chunk.add_endpoints();
  endpoint.set_name(std::string(8 << 20, 'n'));
  endpoint.set_member_set(9);
  sender.Write(request);
  const v1::BatchResult refused = sender.Result();
  EXPECT_EQ(refused.problems(0).field(), "member_set");
  EXPECT_LT(refused.ByteSizeLong(), 10'000u);
}

TEST_F(PushPartsTest, ASendersNameForgesNoLine) {
  const std::string name = "good'\n2024-05-01T12:00:00.000 info sender '\x1b[31mevil";
  const std::string shown = "good'\\n2024-05-01T12:00:00.000 info sender '\\x1b[31mevil";
  Sender sender(Connect(), name);
  EXPECT_EQ(intake_->status().sender, shown);
  EXPECT_THAT(said(), testing::Contains("sender '" + shown + "' is connected"));
  Sender other(Connect(), std::string(5000, 'o') + '\n');
  EXPECT_THAT(sender.WaitForEnd().error_message(),
              testing::AllOf(HasSubstr("oooo... (4745 bytes more)"), testing::Not(HasSubstr("\n"))));
}

}  // namespace
}  // namespace sluice
