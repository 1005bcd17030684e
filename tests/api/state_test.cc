// Pushed policy over a restart: what the next process begins with, and what senders are told where a disk fails.
#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "api/api_fixture.h"
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

using ::testing::HasSubstr;

template <typename Holds>
bool InTime(Holds holds) {
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
      EXPECT_THAT(lost.not_kept(), HasSubstr("a restart begins with no policy until there is a full state"));
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
  EXPECT_TRUE(InTime([&] { return intake_->status().not_kept.find("lost updates") != std::string::npos; }));
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

}  // namespace
}  // namespace sluice
