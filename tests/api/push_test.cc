// PolicyService.Push over a real socket.
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

#include "api/api_fixture.h"
#include "api/limits.h"
#include "codec/codec.h"

namespace sluice {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

constexpr std::uint64_t kState = 77;

class PushTest : public ApiFixture {};

TEST_F(PushTest, BeforeAnyPolicyHelloSaysThatNothingIsHeld) {
  StartServer();
  const Sender sender(Connect(), "test");
  EXPECT_EQ(sender.hello().state_id(), 0u);
  EXPECT_EQ(sender.hello().generation(), 0u);
  EXPECT_FALSE(sender.hello().version().empty());
}

TEST_F(PushTest, FullStateInManyChunksThenUpdatesAreInForceWhenAnswered) {
  StartServer();
  Sender sender(Connect(), "test");
  const v1::BatchResult full = sender.SendFullState(WebIsolated(), kState, 1, 1);
  EXPECT_TRUE(full.applied()) << full.ShortDebugString();
  EXPECT_EQ(full.generation(), 1u);
  EXPECT_GT(full.live_unix_ns(), 0u);
  EXPECT_GT(full.compile_ns(), 0u);
  EXPECT_FALSE(Allows("10.0.0.1"));
  EXPECT_TRUE(Allows("10.0.0.2"));
  const v1::BatchResult update = sender.SendUpdate(PodComes(kState, 2, 1, "10.0.0.2"));
  EXPECT_TRUE(update.applied()) << update.ShortDebugString();
  EXPECT_EQ(update.generation(), 2u);
  EXPECT_FALSE(Allows("10.0.0.2"));
  const IntakeStatus status = intake_->status();
  EXPECT_EQ(status.source, "push");
  EXPECT_EQ(status.batch, 2u);
  EXPECT_EQ(status.sender, "test");
  EXPECT_TRUE(status.sender_connected);
}

TEST_F(PushTest, FullStateRemovesWhatItDoesNotName) {
  StartServer();
  Sender sender(Connect(), "test");
  ASSERT_TRUE(sender.SendFullState(WebIsolated(), kState, 1).applied());
  ASSERT_FALSE(Allows("10.0.0.1"));
  ASSERT_TRUE(sender.SendFullState(ResolvedPolicy(), kState + 1, 1).applied());
  EXPECT_TRUE(Allows("10.0.0.1"));
}

ResolvedPolicy PoliciesNamed(const std::vector<std::string>& names) {
  PolicyBuilder builder;
  const GroupId web = builder.Group("web");
  for (const std::string& name : names) builder.Section("default/" + name, Direction::kIngress, web, {});
  return std::move(builder.policy());
}

TEST_F(PushTest, FullStateThatTakesAwayMoreThanHalfOfThePoliciesIsAppliedToldOfAndCounted) {
  StartServer();
  Sender sender(Connect(), "test");
  const auto removals = [&] { return intake_->status().large_removals; };
  const auto send = [&](std::uint64_t state_id, const std::vector<std::string>& names) {
    return sender.SendFullState(PoliciesNamed(names), state_id, 1).applied();
  };
  ASSERT_TRUE(send(1, {"a", "b", "c", "d"}));
  ASSERT_TRUE(send(2, {"c", "d", "e"}));  // half
  EXPECT_EQ(removals(), 0u);
  ASSERT_TRUE(send(3, {"x", "d", "z", "y"}));  // 2 of 3: how many there are afterwards does not matter
  EXPECT_EQ(removals(), 1u);
  EXPECT_THAT(said(), Contains("a full state by sender 'test' took away 2 of the 3 policies in force"));
  ASSERT_TRUE(send(4, {"a"}));
  ASSERT_TRUE(send(5, {}));
  EXPECT_THAT(said(), Contains(HasSubstr("took away 1 of the 1 policies in force")));
  EXPECT_EQ(removals(), 3u);
  ASSERT_TRUE(send(6, {}));
  EXPECT_EQ(removals(), 3u);
}

TEST_F(PushTest, LargeRemovalThatIsRefusedIsNotCounted) {
  limits_.rules = 3;
  StartServer();
  Sender sender(Connect(), "test");
  ASSERT_TRUE(sender.SendFullState(PoliciesNamed({"a"}), 1, 1).applied());
  EXPECT_FALSE(sender.SendFullState(PoliciesNamed({"b", "c", "d", "e", "f", "g"}), 2, 1).applied());
  EXPECT_EQ(intake_->status().large_removals, 0u);
}

TEST_F(PushTest, RefusedUpdateNamesTheObjectAndTheSameBatchMayBeTriedAgain) {
  StartServer();
  Sender sender(Connect(), "test");
  ASSERT_TRUE(sender.SendFullState(WebIsolated(), kState, 1).applied());
  const v1::BatchResult refused = sender.SendUpdate(PodComes(kState, 2, 1, "10.0.0.1"));
  EXPECT_FALSE(refused.applied());
  EXPECT_FALSE(refused.full_state_needed());
  ASSERT_EQ(refused.problems_size(), 1);
  EXPECT_EQ(refused.problems(0).object(), "endpoint default/e1");
  EXPECT_EQ(refused.problems(0).field(), "addresses");
  EXPECT_THAT(refused.problems(0).reason(), HasSubstr("10.0.0.1 belongs to endpoint default/e0"));
  EXPECT_EQ(refused.generation(), 1u);
  EXPECT_EQ(intake_->status().last_refusal.size(), 1u);
  EXPECT_TRUE(sender.SendUpdate(PodComes(kState, 2, 1, "10.0.0.2")).applied());
  EXPECT_TRUE(intake_->status().last_refusal.empty());
}

TEST_F(PushTest, RefusedFullStateLeavesTheOneInForceAndTheStreamOpen) {
  limits_.rules = 3;
  StartServer();
  Sender sender(Connect(), "test");
  ASSERT_TRUE(sender.SendFullState(WebIsolated(), kState, 1).applied());
  PolicyBuilder large;
  const GroupId group = large.Group("g");
  for (int i = 0; i < 9; ++i) large.Section("default/p" + std::to_string(i), Direction::kIngress, group, {});
  const v1::BatchResult refused = sender.SendFullState(large.policy(), kState + 1, 1);
  EXPECT_FALSE(refused.applied());
  const auto in_log = [this] {
    const auto lines = said();
    return std::count_if(lines.begin(), lines.end(), [](const std::string& line) {
      return line.find("a batch by sender 'test' is refused: policy default/p3: limits.rules: ") == 0;
    });
  };
  EXPECT_EQ(in_log(), 1);
  EXPECT_FALSE(sender.SendFullState(large.policy(), kState + 1, 1).applied());
  EXPECT_EQ(in_log(), 1) << "the same is told once";
  EXPECT_THAT(refused.problems(0).object(), HasSubstr("default/p"));
  EXPECT_TRUE(sender.SendUpdate(PodComes(kState, 2, 1, "10.0.0.2")).applied());
}

TEST_F(PushTest, BrokenChunkIsAnsweredOnceAtTheEndOfItsFullState) {
  StartServer();
  Sender sender(Connect(), "test");
  v1::PushRequest request;
  v1::FullStateChunk& chunk = *request.mutable_full_state();
  chunk.set_state_id(kState);
  chunk.set_batch(1);
  chunk.set_first(true);
  chunk.add_endpoints()->set_member_set(9);
  sender.Write(request);
  chunk.Clear();
  chunk.set_state_id(kState);
  chunk.set_batch(1);
  chunk.set_last(true);
  sender.Write(request);
  const v1::BatchResult refused = sender.Result();
  EXPECT_FALSE(refused.applied());
  EXPECT_EQ(refused.problems(0).field(), "member_set");
  EXPECT_TRUE(sender.SendFullState(WebIsolated(), kState, 1).applied());
}

TEST_F(PushTest, StateIdZeroIsRefused) {
  StartServer();
  Sender sender(Connect(), "test");
  EXPECT_EQ(sender.SendFullState(WebIsolated(), 0, 1).problems(0).field(), "state_id");
}

TEST_F(PushTest, UpdateThatSkipsABatchOrNamesAnotherStateNeedsAFullState) {
  StartServer();
  Sender sender(Connect(), "test");
  EXPECT_TRUE(sender.SendUpdate(PodComes(0, 1, 1, "10.0.0.2")).full_state_needed());
  ASSERT_TRUE(sender.SendFullState(WebIsolated(), kState, 5).applied());
  const v1::BatchResult skipped = sender.SendUpdate(PodComes(kState, 7, 1, "10.0.0.2"));
  EXPECT_FALSE(skipped.applied());
  EXPECT_TRUE(skipped.full_state_needed());
  EXPECT_TRUE(sender.SendUpdate(PodComes(kState + 1, 6, 1, "10.0.0.2")).full_state_needed());
  EXPECT_TRUE(sender.SendUpdate(PodComes(kState, 6, 1, "10.0.0.2")).applied());
}

TEST_F(PushTest, NumberingThatIsUsedUpNeedsAFullState) {
  StartServer();
  Sender sender(Connect(), "test");
  ASSERT_TRUE(sender.SendFullState(WebIsolated(), kState, 1).applied());
  // Each update comes with one group and leaves out as many numbers as it may.
  std::uint64_t batch = 1;
  v1::BatchResult result;
  std::uint32_t number = 0;
  for (int i = 0; i < 20; ++i) {
    v1::Update update;
    update.set_state_id(kState);
    update.set_batch(batch + 1);
    if (number != 0) update.add_removed_groups(number);
    number += kMaxNumberGap;
    v1::NewGroup* group = update.add_groups();
    group->set_id(number);
    group->mutable_group()->set_key("g" + std::to_string(i));
    result = sender.SendUpdate(update);
    if (!result.applied()) break;
    ++batch;
  }
  EXPECT_GT(batch, 15u);
  EXPECT_FALSE(result.applied());
  EXPECT_TRUE(result.full_state_needed());
  EXPECT_THAT(result.problems(0).reason(), HasSubstr("send a full state"));
  EXPECT_TRUE(sender.SendFullState(WebIsolated(), kState + 1, 1).applied());
  EXPECT_TRUE(sender.SendUpdate(PodComes(kState + 1, 2, 1, "10.0.0.2")).applied());
}

TEST_F(PushTest, ReconnectedSenderGoesOnWhereItStopped) {
  StartServer();
  {
    Sender sender(Connect(), "test");
    ASSERT_TRUE(sender.SendFullState(WebIsolated(), kState, 1).applied());
    EXPECT_TRUE(sender.Finish().ok());
  }
  EXPECT_FALSE(Allows("10.0.0.1"));  // nothing lapses meanwhile
  Sender again(Connect(), "test");
  EXPECT_EQ(again.hello().state_id(), kState);
  EXPECT_EQ(again.hello().batch(), 1u);
  EXPECT_TRUE(again.SendUpdate(PodComes(kState, 2, 1, "10.0.0.2")).applied());
}

TEST_F(PushTest, NewerSenderTakesOverAndTheOlderIsTold) {
  StartServer();
  Sender older(Connect(), "older");
  ASSERT_TRUE(older.SendFullState(WebIsolated(), kState, 1).applied());
  Sender newer(Connect(), "newer");
  const grpc::Status status = older.WaitForEnd();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_THAT(status.error_message(), HasSubstr("'newer' took over"));
  EXPECT_TRUE(newer.SendUpdate(PodComes(kState, 2, 1, "10.0.0.2")).applied());
  EXPECT_EQ(intake_->status().sender, "newer");
  EXPECT_TRUE(intake_->status().sender_connected);
  EXPECT_THAT(said(), Contains("sender 'newer' takes over from 'older'"));
}

TEST_F(PushTest, SenderThatVanishesIsNoticed) {
  StartServer();
  { const Sender sender(Connect(), "test"); }
  for (int i = 0; i < 500 && intake_->status().sender_connected; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_FALSE(intake_->status().sender_connected);
}

TEST_F(PushTest, WhoDoesNotBeginIsRefused) {
  StartServer();
  const auto stub = v1::PolicyService::NewStub(Connect());
  grpc::ClientContext context;
  const auto stream = stub->Push(&context);
  v1::PushRequest request;
  *request.mutable_update() = PodComes(kState, 1, 1, "10.0.0.2");
  stream->Write(request);
  v1::PushResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(PushTest, MessageBeyondTheBoundEndsTheStreamAndNothingElse) {
  StartServer();
  Sender sender(Connect(), "test");
  ASSERT_TRUE(sender.SendFullState(WebIsolated(), kState, 1).applied());
  v1::PushRequest request;
  request.mutable_update()->add_removed_policies(std::string(kMaxMessageBytes + 1, 'x'));
  sender.Write(request);
  EXPECT_EQ(sender.WaitForEnd().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  Sender again(Connect(), "test");
  EXPECT_EQ(again.hello().batch(), 1u);
}

TEST_F(PushTest, StreamsThatNeverBeginDoNotKeepASenderOut) {
  StartServer();
  const auto channel = Connect();
  const auto stub = v1::PolicyService::NewStub(channel);
  constexpr std::size_t kTooMany = 4;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReaderWriter<v1::PushRequest, v1::PushResponse>>> streams;
  for (std::size_t i = 0; i < kMaxWaitingSenders + kTooMany; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    streams.push_back(stub->Push(contexts.back().get()));
  }
  // All have come once as many have ended as were too many. Which ones is not known here: they raced to the server.
  std::counting_semaphore<> ended{0};
  std::vector<std::jthread> readers;
  for (const auto& stream : streams) {
    readers.emplace_back([&ended, &stream] {
      v1::PushResponse none;
      EXPECT_FALSE(stream->Read(&none));
      ended.release();
    });
  }
  for (std::size_t i = 0; i < kTooMany; ++i) ended.acquire();
  Sender sender(Connect(), "test");
  EXPECT_TRUE(sender.SendFullState(WebIsolated(), kState, 1).applied());
  for (const auto& context : contexts) context->TryCancel();
  readers.clear();
  for (const auto& stream : streams) stream->Finish();
}

TEST_F(PushTest, WhereManifestsAreFollowedNobodyMayPush) {
  StartServer("", "this sluiced follows manifests");
  const auto stub = v1::PolicyService::NewStub(Connect());
  grpc::ClientContext context;
  const auto stream = stub->Push(&context);
  v1::PushResponse response;
  EXPECT_FALSE(stream->Read(&response));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(status.error_message(), "this sluiced follows manifests");
}

}  // namespace
}  // namespace sluice
