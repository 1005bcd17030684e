// The state file alone: what was saved comes back, and what is broken is refused.
#include "api/state_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "api/api_fixture.h"
#include "codec/codec.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> FullState(const ResolvedPolicy& policy, std::uint64_t state_id, std::uint64_t batch) {
  std::vector<std::string> records;
  EncodeFullState(policy, state_id, batch, 50, [&](const v1::FullStateChunk& chunk) {
    v1::PushRequest record;
    *record.mutable_full_state() = chunk;
    records.push_back(record.SerializeAsString());
    return true;
  });
  return records;
}

std::string UpdateRecord(const v1::Update& update) {
  v1::PushRequest record;
  *record.mutable_update() = update;
  return record.SerializeAsString();
}

class StateFileTest : public testing::Test {
 protected:
  std::unique_ptr<StateFile> Open() {
    const auto say = [this](std::string_view line) { grows_ = grows_ || line.ends_with("it grows"); };
    auto opened = StateFile::Open(folder_.path(), say);
    EXPECT_TRUE(std::holds_alternative<std::unique_ptr<StateFile>>(opened));
    return std::get<std::unique_ptr<StateFile>>(std::move(opened));
  }
  std::string Path() const { return folder_.path() + "/policy.state"; }
  std::string Content() const {
    std::ostringstream content;
    content << std::ifstream(Path(), std::ios::binary).rdbuf();
    return content.str();
  }
  void SetContent(const std::string& content) const { std::ofstream(Path(), std::ios::binary) << content; }

  TempFolder folder_;
  std::atomic<bool> grows_ = false;
};

TEST_F(StateFileTest, NoFileIsNoState) { EXPECT_TRUE(std::holds_alternative<std::monostate>(Open()->Load())); }

TEST_F(StateFileTest, FullStateAndUpdatesComeBack) {
  {
    const auto file = Open();
    file->Save(FullState(WebIsolated(), 7, 3));
    file->Append(UpdateRecord(PodComes(7, 4, 1, "10.0.0.2")));
    file->Append(UpdateRecord(PodComes(7, 5, 2, "10.0.0.3")));
  }
  const auto file = Open();
  auto loaded = file->Load();
  ASSERT_TRUE(std::holds_alternative<SavedState>(loaded)) << std::get<std::string>(loaded);
  const SavedState& saved = std::get<SavedState>(loaded);
  EXPECT_EQ(saved.state_id, 7u);
  EXPECT_EQ(saved.batch, 5u);
  ASSERT_EQ(saved.policy.endpoints.size(), 3u);
  EXPECT_EQ(saved.policy.endpoints[2].addresses, std::vector<IpAddress>{Ip("10.0.0.3")});
  file->Append(UpdateRecord(PodComes(7, 6, 3, "10.0.0.4")));  // goes on after what was loaded
  file->Flush();
  EXPECT_EQ(std::get<SavedState>(file->Load()).batch, 6u);
}

TEST_F(StateFileTest, SecondProcessIsKeptOut) {
  const auto file = Open();
  const auto second = StateFile::Open(folder_.path(), [](std::string_view) {});
  ASSERT_TRUE(std::holds_alternative<std::string>(second));
  EXPECT_THAT(std::get<std::string>(second), HasSubstr("in use by another sluiced"));
}

TEST_F(StateFileTest, FileIsForItsOwnerAlone) {
  {
    const auto file = Open();
    file->Save(FullState(WebIsolated(), 7, 1));
  }
  const auto mode = std::filesystem::status(Path()).permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

// Every byte turned, and every length: never a state that was not accepted.
TEST_F(StateFileTest, AnyChangedByteIsRefused) {
  {
    const auto file = Open();
    file->Save(FullState(WebIsolated(), 7, 1));
    file->Append(UpdateRecord(PodComes(7, 2, 1, "10.0.0.2")));
  }
  const std::string good = Content();
  ASSERT_GT(good.size(), 100u);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x40);
    SetContent(bad);
    const auto loaded = Open()->Load();
    ASSERT_TRUE(std::holds_alternative<std::string>(loaded)) << "byte " << i;
    ASSERT_THAT(std::get<std::string>(loaded), HasSubstr(Path()));
  }
}

TEST_F(StateFileTest, CutShortItIsTheStateBeforeOrRefused) {
  std::size_t full_bytes = 0;
  {
    const auto file = Open();
    file->Save(FullState(WebIsolated(), 7, 1));
    file->Flush();
    full_bytes = Content().size();
    file->Append(UpdateRecord(PodComes(7, 2, 1, "10.0.0.2")));
  }
  const std::string good = Content();
  ASSERT_GT(good.size(), full_bytes);
  for (std::size_t length = 0; length < good.size(); ++length) {
    SetContent(good.substr(0, length));
    const auto loaded = Open()->Load();
    if (length < full_bytes) {
      ASSERT_TRUE(std::holds_alternative<std::string>(loaded)) << length << " bytes";
    } else {
      ASSERT_TRUE(std::holds_alternative<SavedState>(loaded)) << length << " bytes";
      ASSERT_EQ(std::get<SavedState>(loaded).batch, 1u);
    }
  }
}

// A disk that cannot be read says nothing of where the state ends.
TEST_F(StateFileTest, WhatCannotBeReadIsRefusedAndKept) {
  std::filesystem::create_directory(Path());
  const auto file = Open();
  const auto loaded = file->Load();
  ASSERT_TRUE(std::holds_alternative<std::string>(loaded));
  EXPECT_THAT(std::get<std::string>(loaded), HasSubstr("cannot be read: Is a directory"));
  file->Append(UpdateRecord(PodComes(7, 2, 1, "10.0.0.2")));  // nothing to go on from
  file->Flush();
  EXPECT_TRUE(std::filesystem::is_directory(Path()));
}

TEST_F(StateFileTest, ManyUpdatesAreFoldedIntoTheFullState) {
  const auto file = Open();
  file->Save(FullState(WebIsolated(), 7, 1));
  std::uint64_t batch = 1;
  const std::string labels(200'000, 'x');
  for (std::uint32_t i = 0; i < 120; ++i) {  // 24 MB of updates of one pod
    v1::Update update = PodComes(7, ++batch, 1, "10.0.0.2");
    update.mutable_endpoints(0)->mutable_endpoint()->set_labels(labels);
    file->Append(UpdateRecord(update));
    file->AwaitWritten();  // goes on while what there is so far is folded
  }
  v1::Update removal;
  removal.set_state_id(7);
  removal.set_batch(++batch);
  removal.add_removed_endpoints(0);
  file->Append(UpdateRecord(removal));
  file->Flush();
  EXPECT_EQ(file->problem(), "");
  EXPECT_LT(std::filesystem::file_size(Path()), 16u << 20);
  const auto loaded = file->Load();
  ASSERT_TRUE(std::holds_alternative<SavedState>(loaded)) << std::get<std::string>(loaded);
  const SavedState& saved = std::get<SavedState>(loaded);
  EXPECT_EQ(saved.batch, batch);
  ASSERT_EQ(saved.policy.endpoints.size(), 2u);  // numbers stay, also of who went
  EXPECT_EQ(saved.policy.endpoints[0].name, "");
  EXPECT_EQ(saved.policy.endpoints[1].name, "e1");
}

// Each came in a message of its own, but a chunk of a full state would hold both.
TEST_F(StateFileTest, WhatDoesNotFoldIntoMessagesStaysAsItCame) {
  const auto file = Open();
  file->Save(FullState(WebIsolated(), 7, 1));
  const std::size_t label_bytes[] = {250'000, 16'700'000, 16'700'001};
  for (std::uint64_t i = 0; i < 3; ++i) {
    v1::Update update = PodComes(7, 2 + i, i == 0 ? 1 : 2, "10.0.0." + std::to_string(2 + (i > 0)));
    update.mutable_endpoints(0)->mutable_endpoint()->set_labels(std::string(label_bytes[i], 'x'));
    file->Append(UpdateRecord(update));
  }
  file->Flush();
  EXPECT_EQ(file->problem(), "");
  EXPECT_TRUE(grows_);
  const auto loaded = file->Load();
  ASSERT_TRUE(std::holds_alternative<SavedState>(loaded)) << std::get<std::string>(loaded);
  EXPECT_EQ(std::get<SavedState>(loaded).batch, 4u);
}

// A limit of this process while it lives.
class Limit {
 public:
  using Resource = decltype(RLIMIT_FSIZE);

  Limit(Resource what, std::size_t most) : what_(what) {
    getrlimit(what_, &before_);
    const rlimit limit{most, before_.rlim_max};
    setrlimit(what_, &limit);
  }
  ~Limit() { setrlimit(what_, &before_); }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;

 private:
  const Resource what_;
  rlimit before_{};
};

// The disk takes no more than so many bytes of a file.
class FullDisk : public Limit {
 public:
  explicit FullDisk(std::size_t bytes) : Limit(RLIMIT_FSIZE, bytes) { std::signal(SIGXFSZ, SIG_IGN); }
};

// Whoever opens the file to write waits, by a lease that is not given back, while it lives.
class HungDisk {
 public:
  explicit HungDisk(const std::string& path) : file_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    std::signal(SIGIO, SIG_IGN);
    hangs_ = fcntl(file_, F_SETLEASE, F_RDLCK) == 0;
  }
  ~HungDisk() { close(file_); }
  HungDisk(const HungDisk&) = delete;
  HungDisk& operator=(const HungDisk&) = delete;

  bool hangs() const { return hangs_; }

 private:
  const int file_;
  bool hangs_ = false;
};

template <typename Holds>
bool InTime(Holds holds) {
  for (int i = 0; i < 1000 && !holds(); ++i) usleep(20'000);
  return holds();
}

bool Fails(const StateFile& file) {
  return InTime([&] { return !file.problem().empty(); });
}

bool Recovers(const StateFile& file) {
  return InTime([&] { return file.problem().empty(); });
}

// What is in force cannot be kept: a restart must not begin with what was in force before it.
TEST_F(StateFileTest, DiskFullSetsTheOldStateAsideUntilThereIsRoom) {
  {
    auto file = Open();
    file->Save(FullState(WebIsolated(), 7, 1));
    file->Flush();
    const FullDisk full(Content().size() + 20);
    file->Append(UpdateRecord(PodComes(7, 2, 1, "10.0.0.2")));
    EXPECT_TRUE(Fails(*file));
    EXPECT_THAT(file->problem(), HasSubstr("File too large"));
    EXPECT_FALSE(std::filesystem::exists(Path()));
    file.reset();  // while there is still no room
  }
  {
    const auto file = Open();
    const auto loaded = file->Load();
    ASSERT_TRUE(std::holds_alternative<std::string>(loaded));
    EXPECT_THAT(std::get<std::string>(loaded), HasSubstr("lacks policy that was in force"));
    file->Append(UpdateRecord(PodComes(7, 3, 2, "10.0.0.3")));  // nothing to go on from
    file->Flush();
    EXPECT_FALSE(std::filesystem::exists(Path()));
    file->Save(FullState(WebIsolated(), 8, 1));
    file->Flush();
    EXPECT_EQ(file->problem(), "");
  }
  EXPECT_EQ(std::get<SavedState>(Open()->Load()).state_id, 8u);
}

TEST_F(StateFileTest, DiskThatWasFullForAWhileTakesWhatItLacked) {
  const auto file = Open();
  file->Save(FullState(WebIsolated(), 7, 1));
  file->Flush();
  {
    const FullDisk full(Content().size() + 20);
    file->Append(UpdateRecord(PodComes(7, 2, 1, "10.0.0.2")));
    EXPECT_TRUE(Fails(*file));
    file->Append(UpdateRecord(PodComes(7, 3, 2, "10.0.0.3")));
    file->AwaitWritten();
  }
  EXPECT_TRUE(Recovers(*file));
  EXPECT_EQ(std::get<SavedState>(file->Load()).batch, 3u);
}

TEST_F(StateFileTest, DiskTooFullForAFullStateHoldsNoneUntilThereIsRoom) {
  const auto file = Open();
  file->Save(FullState(WebIsolated(), 7, 1));
  file->Flush();
  {
    const FullDisk full(20);
    file->Save(FullState(WebIsolated(), 8, 1));
    EXPECT_TRUE(Fails(*file));
    EXPECT_FALSE(std::filesystem::exists(Path()));
  }
  EXPECT_TRUE(Recovers(*file));
  EXPECT_EQ(std::get<SavedState>(file->Load()).state_id, 8u);
}

TEST_F(StateFileTest, DescriptorsUsedUpSetTheOldStateAsideToo) {
  const auto file = Open();
  file->Save(FullState(WebIsolated(), 7, 1));
  file->Flush();
  const std::string update = UpdateRecord(PodComes(7, 2, 1, "10.0.0.2"));
  bool fails = false, is_there = true;
  std::string problem;
  {
    const Limit none(RLIMIT_NOFILE, 0);  // in which the sanitizers cannot look at an object of a class new to them
    file->Append(update);
    fails = Fails(*file);
    problem = file->problem();
    is_there = std::filesystem::exists(Path());
  }
  EXPECT_TRUE(fails);
  EXPECT_FALSE(is_there);
  EXPECT_THAT(problem, HasSubstr("Too many open files; a restart would begin with no policy"));
  EXPECT_TRUE(Recovers(*file));
  EXPECT_EQ(std::get<SavedState>(file->Load()).batch, 2u);
}

TEST_F(StateFileTest, StateThatCannotBeSetAsideIsToldSo) {
  std::filesystem::create_directory(Path());
  const auto file = Open();
  file->Save(FullState(WebIsolated(), 7, 1));
  EXPECT_TRUE(Fails(*file));
  EXPECT_THAT(file->problem(), HasSubstr("cannot be set aside; a restart would begin with the policy before"));
  std::filesystem::remove(Path());
  EXPECT_TRUE(Recovers(*file));
}

ResolvedPolicy MoreThanMayWait() {
  ResolvedPolicy policy = WebIsolated();
  for (int i = 1; i <= 5; ++i) {
    Endpoint& big = policy.endpoints.emplace_back(policy.endpoints[0]);
    big.name = "big" + std::to_string(i);
    big.addresses = {Ip("10.1.0." + std::to_string(i))};
    big.labels.assign(14'000'000, 'x');
  }
  return policy;
}

// The bound on what waits is of updates: a full state waits whatever its size.
TEST_F(StateFileTest, LargeFullStateWaitsForRoomWithItsUpdates) {
  const auto file = Open();
  {
    const FullDisk full(20);
    file->Save(FullState(MoreThanMayWait(), 7, 1));
    EXPECT_TRUE(Fails(*file));
    file->Append(UpdateRecord(PodComes(7, 2, 6, "10.0.0.2")));
    file->AwaitWritten();
  }
  EXPECT_TRUE(Recovers(*file));
  file->Flush();
  const auto loaded = file->Load();
  ASSERT_TRUE(std::holds_alternative<SavedState>(loaded)) << std::get<std::string>(loaded);
  EXPECT_EQ(std::get<SavedState>(loaded).batch, 2u);
}

// What waits is bounded, and what the disk had, lacking the rest, does not come back once it moves again.
TEST_F(StateFileTest, DiskThatHangsTooLongLosesTheStateUntilTheNext) {
  const auto file = Open();
  file->Save(FullState(WebIsolated(), 7, 1));
  file->Flush();
  {
    const HungDisk hung(Path());
    if (!hung.hangs()) GTEST_SKIP() << "this file system has no leases";
    v1::Update update = PodComes(7, 2, 1, "10.0.0.2");
    update.mutable_endpoints(0)->mutable_endpoint()->set_labels(std::string(14'000'000, 'x'));
    for (std::uint64_t batch = 2; batch < 9; ++batch) {
      update.set_batch(batch);
      file->Append(UpdateRecord(update));
      file->AwaitWritten();
    }
    EXPECT_EQ(file->problem(), "");
    EXPECT_TRUE(std::filesystem::exists(Path()));
  }
  EXPECT_TRUE(Fails(*file));
  EXPECT_THAT(file->problem(), HasSubstr("too slow for; a restart would begin with no policy"));
  EXPECT_FALSE(std::filesystem::exists(Path()));
  file->Save(FullState(WebIsolated(), 8, 1));
  EXPECT_TRUE(Recovers(*file));
  EXPECT_EQ(std::get<SavedState>(file->Load()).state_id, 8u);
}

// What an answer waited for is there after the process ended, though nobody synced it.
TEST_F(StateFileTest, WhatWasAwaitedIsReadByTheNextProcess) {
  const auto file = Open();
  file->Save(FullState(WebIsolated(), 7, 1));
  file->Flush();
  for (std::uint32_t i = 1; i <= 20; ++i) {
    file->Append(UpdateRecord(PodComes(7, 1 + i, i, "10.0.1." + std::to_string(i))));
    file->AwaitWritten();
    const auto loaded = file->Load();
    ASSERT_TRUE(std::holds_alternative<SavedState>(loaded)) << std::get<std::string>(loaded);
    ASSERT_EQ(std::get<SavedState>(loaded).batch, 1 + i);
  }
}

class StateTest : public ApiFixture {};

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

}  // namespace
}  // namespace sluice
