// Pushed policy over a restart: what the next process begins with, and what senders are told where a disk fails.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "api/api_fixture.h"
#include "api/limits.h"
#include "codec/codec.h"

// In place of the C library's: the disk loses what it was given, as one with an error does.
static std::atomic<bool> disk_loses = false;
extern "C" int fdatasync(int file) {
  if (!disk_loses) return fsync(file);
  errno = EIO;
  return -1;
}

namespace sluice {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

template <typename Holds>
bool ComesTrue(Holds holds) {
  for (int i = 0; i < 1000 && !holds(); ++i) usleep(20'000);
  return holds();
}

class StateTest : public ApiFixture {
 protected:
  // Takes the place of the state file: it can be neither written nor set aside.
  std::string BlockState(const std::string& state) const {
    std::filesystem::remove(state + "/policy.state");
    std::filesystem::create_directories(state + "/policy.state/blocked");
    return state + "/policy.state";
  }
};

TEST_F(StateTest, RestartBeginsWithTheLastPolicyAndItsSenderResumes) {
  const std::string state = folder_.path() + "/state";
  StartServer(state);
  {
    Sender sender(Connect(), "test");
    ASSERT_TRUE(sender.SendFullState(WebIsolated(), 7, 1).applied());
    ASSERT_TRUE(sender.SendUpdate(PodComes(7, 2, 1, "10.0.0.2")).applied());
    EXPECT_FALSE(sender.SendUpdate(PodComes(7, 3, 2, "10.0.0.2")).applied());  // what is refused is not kept
  }
  const std::string before = PolicyDump();
  StopServer();
  StartServer(state);
  EXPECT_EQ(load_error_, "");
  EXPECT_EQ(PolicyDump(), before);
  EXPECT_FALSE(Allows("10.0.0.2"));
  EXPECT_EQ(intake_->status().source, "state file");
  Sender again(Connect(), "test");
  EXPECT_EQ(again.hello().state_id(), 7u);
  EXPECT_EQ(again.hello().batch(), 2u);
  EXPECT_TRUE(again.SendUpdate(PodComes(7, 3, 2, "10.0.0.3")).applied());
}

TEST_F(StateTest, RestartKnowsWhatTheSenderHoldsBackAndWhy) {
  const std::string state = folder_.path() + "/state";
  StartServer(state);
  ResolvedPolicy policy = WebIsolated();
  policy.sections.back().held = "limits.rules: needs more than 10 rules";
  {
    Sender sender(Connect(), "test");
    ASSERT_TRUE(sender.SendFullState(policy, 7, 1).applied());
  }
  StopServer();
  StartServer(state);
  EXPECT_EQ(intake_->status().held,
            (std::map<std::string, std::string>{{"default/web", "limits.rules: needs more than 10 rules"}}));
  Sender sender(Connect(), "test");
  v1::Update update;
  update.set_state_id(7);
  update.set_batch(2);
  update.add_removed_policies("default/web");
  ASSERT_TRUE(sender.SendUpdate(update).applied());
  EXPECT_TRUE(intake_->status().held.empty());
  EXPECT_THAT(said(), Contains("policy default/web is held back no more"));
}

TEST_F(StateTest, CorruptFileFailsClosedUntilANewPolicyReplacesIt) {
  const std::string state = folder_.path() + "/state";
  std::filesystem::create_directories(state);
  std::ofstream(state + "/policy.state") << "sluice policy 1\nrubbish and more";
  StartServer(state);
  EXPECT_THAT(load_error_, HasSubstr("policy.state' is refused"));
  EXPECT_FALSE(intake_->store().table()->has_policy());
  {
    Sender sender(Connect(), "test");
    EXPECT_EQ(sender.hello().state_id(), 0u);
    ASSERT_TRUE(sender.SendFullState(WebIsolated(), 7, 1).applied());
  }
  StopServer();
  StartServer(state);
  EXPECT_EQ(load_error_, "");
  EXPECT_TRUE(intake_->store().table()->has_policy());
}

TEST_F(StateTest, BatchThatTheDiskDoesNotTakeIsAppliedAndSaidNotToBeKept) {
  const std::string state = folder_.path() + "/state";
  StartServer(state);
  {
    Sender sender(Connect(), "test");
    const v1::BatchResult kept = sender.SendFullState(WebIsolated(), 7, 1);
    EXPECT_TRUE(kept.applied());
    EXPECT_EQ(kept.not_kept(), "");
    EXPECT_EQ(intake_->status().not_kept, "");
    BlockState(state);
    for (std::uint64_t batch = 2; batch <= 3; ++batch) {
      const auto pod = static_cast<std::uint32_t>(batch - 1);
      const v1::BatchResult lost = sender.SendUpdate(PodComes(7, batch, pod, "10.0.0." + std::to_string(batch)));
      EXPECT_TRUE(lost.applied());
      EXPECT_THAT(lost.not_kept(), HasSubstr("Is a directory"));
      EXPECT_THAT(lost.not_kept(), HasSubstr("a restart would begin with no policy until a full state comes"));
    }
    EXPECT_FALSE(Allows("10.0.0.3"));
    EXPECT_THAT(intake_->status().not_kept, HasSubstr("Is a directory"));
  }
  StopServer();
  StartServer(state);
  EXPECT_THAT(load_error_, HasSubstr("lacks policy that was in force"));
  EXPECT_FALSE(intake_->store().table()->has_policy());
  EXPECT_NE(intake_->status().not_kept, "");
  std::filesystem::remove_all(state + "/policy.state");
  std::filesystem::remove_all(state + "/policy.state.behind");
  {
    Sender sender(Connect(), "test");
    EXPECT_EQ(sender.hello().state_id(), 0u);  // so that it sends a full state
    EXPECT_EQ(sender.SendFullState(WebIsolated(), 8, 1).not_kept(), "");
  }
  EXPECT_EQ(intake_->status().not_kept, "");
  StopServer();
  StartServer(state);
  EXPECT_EQ(load_error_, "");
  EXPECT_EQ(intake_->status().state_id, 8u);
}

TEST_F(StateTest, FullStateThatTheDiskDoesNotTakeIsSaidNotToBeKept) {
  const std::string state = folder_.path() + "/state";
  StartServer(state);
  Sender sender(Connect(), "test");
  ASSERT_EQ(sender.SendFullState(WebIsolated(), 7, 1).not_kept(), "");
  BlockState(state);
  const v1::BatchResult lost = sender.SendFullState(WebIsolated(), 8, 1);
  EXPECT_TRUE(lost.applied());
  EXPECT_THAT(lost.not_kept(), HasSubstr("cannot be replaced: Is a directory"));
}

TEST_F(StateTest, WithoutAStateFolderNothingIsSaidNotToBeKept) {
  StartServer();
  Sender sender(Connect(), "test");
  EXPECT_EQ(sender.SendFullState(WebIsolated(), 7, 1).not_kept(), "");
  EXPECT_EQ(sender.SendUpdate(PodComes(7, 2, 1, "10.0.0.2")).not_kept(), "");
}

// The sender does not send a full state by itself, so the whole is taken from what is in force.
TEST_F(StateTest, FileThatWasGivenUpIsWholeAgainWithTheNextUpdate) {
  const std::string state = folder_.path() + "/state";
  StartServer(state);
  Sender sender(Connect(), "test");
  ASSERT_EQ(sender.SendFullState(WebIsolated(), 7, 1).not_kept(), "");
  disk_loses = true;
  EXPECT_EQ(sender.SendUpdate(PodComes(7, 2, 1, "10.0.0.2")).not_kept(), "");
  EXPECT_TRUE(ComesTrue([&] { return intake_->status().not_kept.find("lost updates") != std::string::npos; }));
  disk_loses = false;
  EXPECT_EQ(sender.SendUpdate(PodComes(7, 3, 2, "10.0.0.3")).not_kept(), "");
  EXPECT_EQ(sender.SendUpdate(PodComes(7, 4, 3, "10.0.0.4")).not_kept(), "");
  const std::string before = PolicyDump();
  StopServer();
  StartServer(state);
  EXPECT_EQ(load_error_, "");
  EXPECT_EQ(intake_->status().batch, 4u);
  EXPECT_EQ(PolicyDump(), before);
}

// So many rules of index -1. A sender may encode each -1 in five bytes, as others do numbers of 32 bits; we take ten.
v1::PolicySections RulesOfShortEncoding(int rules) {
  v1::PolicySections sections;
  sections.set_policy("default/web");
  v1::Section& section = *sections.add_sections();
  section.set_direction(v1::DIRECTION_INGRESS);
  section.set_tier(v1::TIER_NETWORK_POLICY);
  section.set_isolates(true);
  for (int i = 0; i < rules; ++i) {
    v1::Rule& rule = *section.add_rules();
    rule.set_action(v1::ACTION_ALLOW);
    rule.set_index(0x7fffffff);
  }
  return sections;
}

std::string EncodeShort(const v1::PushRequest& request) {
  std::string bytes = request.SerializeAsString();
  const std::string_view most = "\x28\xff\xff\xff\xff\x07";
  for (std::size_t at = bytes.find(most); at != bytes.npos; at = bytes.find(most, at + most.size())) {
    bytes[at + most.size() - 1] = 0x0f;
  }
  return bytes;
}

// A stream of PolicyService.Push whose messages are given as bytes.
class RawSender {
 public:
  explicit RawSender(const std::shared_ptr<grpc::Channel>& channel) : stub_(channel) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    call_ = stub_.PrepareCall(&context_, "/sluice.v1.PolicyService/Push", &queue_);
    call_->StartCall(nullptr);
    Wait();
    v1::PushRequest begin;
    begin.mutable_begin()->set_sender("raw");
    Ask(begin.SerializeAsString());
  }
  ~RawSender() {
    context_.TryCancel();
    queue_.Shutdown();
    void* tag = nullptr;
    for (bool ok = false; queue_.Next(&tag, &ok);) {
    }
  }
  RawSender(const RawSender&) = delete;
  RawSender& operator=(const RawSender&) = delete;

  v1::PushResponse Ask(const std::string& bytes) {
    const grpc::Slice slice(bytes);
    call_->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    Wait();
    grpc::ByteBuffer answer;
    call_->Read(&answer, nullptr);
    Wait();
    grpc::Slice all;
    EXPECT_TRUE(answer.DumpToSingleSlice(&all).ok());
    v1::PushResponse response;
    EXPECT_TRUE(response.ParseFromArray(all.begin(), static_cast<int>(all.size())));
    return response;
  }

 private:
  void Wait() {
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue_.Next(&tag, &ok) && ok);
  }

  grpc::CompletionQueue queue_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

// It came in a message of 12 MB, and takes more than the 16 MB of any message where it is kept.
TEST_F(StateTest, WhatIsLongerOnceItIsEncodedAnewIsReadAgain) {
  const std::string state = folder_.path() + "/state";
  StartServer(state);
  {
    RawSender sender(Connect());
    v1::PushRequest full;
    v1::FullStateChunk& chunk = *full.mutable_full_state();
    chunk.set_state_id(7);
    chunk.set_batch(1);
    chunk.set_first(true);
    chunk.set_last(true);
    chunk.add_groups()->set_key("web");
    *chunk.add_policies() = RulesOfShortEncoding(1'200'000);
    const v1::BatchResult result = sender.Ask(EncodeShort(full)).result();
    EXPECT_TRUE(result.applied()) << result.ShortDebugString();
    EXPECT_EQ(result.not_kept(), "");
    v1::PushRequest update;
    update.mutable_update()->set_state_id(7);
    update.mutable_update()->set_batch(2);
    *update.mutable_update()->add_policies() = RulesOfShortEncoding(2);
    EXPECT_TRUE(sender.Ask(EncodeShort(update)).result().applied());
  }
  EXPECT_GT(std::filesystem::file_size(state + "/policy.state"), kMaxMessageBytes);
  const std::string before = PolicyDump();
  StopServer();
  StartServer(state);
  EXPECT_EQ(load_error_, "");
  EXPECT_EQ(PolicyDump(), before);
  StopServer();
  malloc_trim(0);  // other tests measure their children, which begin with the size of this process
}

}  // namespace
}  // namespace sluice
