// Pushed policy in a state file: what was saved comes back, what is broken is refused, and what the disk does not take
// is told of.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "api/api_fixture.h"
#include "api/policy_records.h"
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

using Loaded = std::variant<std::monostate, SavedState, std::string>;

Loaded Load(StateFile& file) {
  PolicyRecordReader reader;
  auto loaded = file.Load(reader);
  if (auto* error = std::get_if<std::string>(&loaded)) return std::move(*error);
  if (!std::get<bool>(loaded)) return std::monostate();
  return reader.Take();
}

class StateFileTest : public testing::Test {
 protected:
  std::unique_ptr<StateFile> Open(std::chrono::milliseconds patience = std::chrono::minutes(1)) {
    const auto say = [this](std::string_view line) { grows_ = grows_ || line.ends_with("it grows"); };
    StateSettings settings = PolicyStateSettings(folder_.path(), run_.path());
    settings.patience = patience;
    auto opened = StateFile::Open(std::move(settings), say);
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

  bool MarkerStands() const {
    for (const auto& file : std::filesystem::directory_iterator(run_.path())) {
      if (file.path().extension() != ".spare") return true;
    }
    return false;
  }

  TempFolder folder_;
  TempFolder run_;
  std::atomic<bool> grows_ = false;
};

TEST_F(StateFileTest, NoFileIsNoState) { EXPECT_TRUE(std::holds_alternative<std::monostate>(Load(*Open()))); }

TEST_F(StateFileTest, FullStateAndUpdatesComeBack) {
  {
    const auto file = Open();
    file->Save(FullState(WebIsolated(), 7, 3));
    file->Append(UpdateRecord(PodComes(7, 4, 1, "10.0.0.2")));
    file->Append(UpdateRecord(PodComes(7, 5, 2, "10.0.0.3")));
  }
  const auto file = Open();
  auto loaded = Load(*file);
  ASSERT_TRUE(std::holds_alternative<SavedState>(loaded)) << std::get<std::string>(loaded);
  const SavedState& saved = std::get<SavedState>(loaded);
  EXPECT_EQ(saved.state_id, 7u);
  EXPECT_EQ(saved.batch, 5u);
  ASSERT_EQ(saved.policy.endpoints.size(), 3u);
  EXPECT_EQ(saved.policy.endpoints[2].addresses, std::vector<IpAddress>{Ip("10.0.0.3")});
  file->Append(UpdateRecord(PodComes(7, 6, 3, "10.0.0.4")));  // goes on after what was loaded
  file->Flush();
  EXPECT_EQ(std::get<SavedState>(Load(*file)).batch, 6u);
}

TEST_F(StateFileTest, SecondProcessIsKeptOut) {
  const auto file = Open();
  const auto second = StateFile::Open(PolicyStateSettings(folder_.path(), run_.path()), [](std::string_view) {});
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

// Every byte turned, and every length: never a state that was not accepted, and never an older one than the torn last
// record makes it.
TEST_F(StateFileTest, AnyChangedByteIsRefusedByItsPlaceOrCutOffWithTheLastRecord) {
  std::size_t last_record = 0;
  std::size_t first_update = 0;
  {
    const auto file = Open();
    file->Save(FullState(WebIsolated(), 7, 1));
    file->Flush();
    first_update = Content().size();
    file->Append(UpdateRecord(PodComes(7, 2, 1, "10.0.0.2")));
    file->Flush();
    last_record = Content().size();
    file->Append(UpdateRecord(PodComes(7, 3, 2, "10.0.0.3")));
  }
  const std::string good = Content();
  ASSERT_GT(good.size(), last_record);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x40);
    SetContent(bad);
    const auto loaded = Load(*Open());
    if (i >= last_record) {
      ASSERT_TRUE(std::holds_alternative<SavedState>(loaded)) << "byte " << i << std::get<std::string>(loaded);
      ASSERT_EQ(std::get<SavedState>(loaded).batch, 2u);
      ASSERT_EQ(Content(), good.substr(0, last_record));
      continue;
    }
    ASSERT_TRUE(std::holds_alternative<std::string>(loaded)) << "byte " << i;
    ASSERT_THAT(std::get<std::string>(loaded), HasSubstr(Path()));
    if (i < first_update) continue;
    ASSERT_THAT(std::get<std::string>(loaded), HasSubstr("damaged at byte " + std::to_string(first_update)));
  }
}

// A disk that had the file's new length, and not what was to be there.
TEST_F(StateFileTest, LastRecordOfZerosIsCutOffAndUpdatesFollowWhatIsLeft) {
  {
    const auto file = Open();
    file->Save(FullState(WebIsolated(), 7, 1));
    file->Append(UpdateRecord(PodComes(7, 2, 1, "10.0.0.2")));
  }
  SetContent(Content() + std::string(4096, '\0'));
  {
    const auto file = Open();
    ASSERT_TRUE(std::holds_alternative<SavedState>(Load(*file)));
    file->Append(UpdateRecord(PodComes(7, 3, 2, "10.0.0.3")));
    EXPECT_EQ(file->AwaitWritten(), "");
  }
  EXPECT_EQ(std::get<SavedState>(Load(*Open())).batch, 3u);
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
    const auto loaded = Load(*Open());
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
  const auto loaded = Load(*file);
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
  EXPECT_EQ(file->not_kept(), "");
  EXPECT_LT(std::filesystem::file_size(Path()), 16u << 20);
  const auto loaded = Load(*file);
  ASSERT_TRUE(std::holds_alternative<SavedState>(loaded)) << std::get<std::string>(loaded);
  const SavedState& saved = std::get<SavedState>(loaded);
  EXPECT_EQ(saved.batch, batch);
  ASSERT_EQ(saved.policy.endpoints.size(), 2u);  // numbers stay, also those of pods that went
  EXPECT_EQ(saved.policy.endpoints[0].name, "");
  EXPECT_EQ(saved.policy.endpoints[1].name, "e1");
}

// Each came in a message of its own, and a chunk of the full state that they become holds both.
TEST_F(StateFileTest, ObjectsAsLargeAsAMessageAreFoldedToo) {
  const auto file = Open();
  file->Save(FullState(WebIsolated(), 7, 1));
  EXPECT_EQ(file->AwaitWritten(), "");  // alone: what is written with it counts as part of the full state
  const std::size_t label_bytes[] = {250'000, 16'700'000, 17'200'000};
  for (std::uint64_t i = 0; i < 3; ++i) {
    v1::Update update = PodComes(7, 2 + i, i == 0 ? 1 : 2, "10.0.0." + std::to_string(2 + (i > 0)));
    update.mutable_endpoints(0)->mutable_endpoint()->set_labels(std::string(label_bytes[i], 'x'));
    file->Append(UpdateRecord(update));
    EXPECT_EQ(file->AwaitWritten(), "");
    file->Flush();  // what outgrew the full state is folded before the next one comes
  }
  EXPECT_FALSE(grows_);
  EXPECT_LT(std::filesystem::file_size(Path()), 18'000'000u);
  const auto loaded = Load(*file);
  ASSERT_TRUE(std::holds_alternative<SavedState>(loaded)) << std::get<std::string>(loaded);
  EXPECT_EQ(std::get<SavedState>(loaded).batch, 4u);
}

TEST_F(StateFileTest, RecordThatWouldNotBeReadAgainIsNamedWithItsBound) {
  EXPECT_FALSE(CheckRecord("update", std::string(kMaxRecordBytes, 'x')));
  const auto refused = CheckRecord("update", std::string(kMaxRecordBytes + 1, 'x'));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->object, "update");
  EXPECT_THAT(refused->message, HasSubstr("134217729 bytes once it is encoded as it is kept, more than 134217728"));
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
  return InTime([&] { return !file.not_kept().empty(); });
}

bool Recovers(const StateFile& file) {
  return InTime([&] { return file.not_kept().empty(); });
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
    EXPECT_THAT(file->not_kept(), HasSubstr("File too large"));
    EXPECT_FALSE(std::filesystem::exists(Path()));
    EXPECT_TRUE(MarkerStands());
    file.reset();  // while there is still no room
  }
  {
    const auto file = Open();
    const auto loaded = Load(*file);
    ASSERT_TRUE(std::holds_alternative<std::string>(loaded));
    EXPECT_THAT(std::get<std::string>(loaded), HasSubstr("lacks policy that was in force"));
    file->Append(UpdateRecord(PodComes(7, 3, 2, "10.0.0.3")));  // nothing to go on from
    file->Flush();
    EXPECT_FALSE(std::filesystem::exists(Path()));
    file->Save(FullState(WebIsolated(), 8, 1));
    EXPECT_EQ(file->AwaitWritten(), "");
    EXPECT_FALSE(MarkerStands());
  }
  EXPECT_EQ(std::get<SavedState>(Load(*Open())).state_id, 8u);
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
    EXPECT_THAT(file->AwaitWritten(), HasSubstr("File too large"));
  }
  EXPECT_TRUE(Recovers(*file));
  EXPECT_EQ(std::get<SavedState>(Load(*file)).batch, 3u);
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
  EXPECT_EQ(std::get<SavedState>(Load(*file)).state_id, 8u);
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
    problem = file->not_kept();
    is_there = std::filesystem::exists(Path());
  }
  EXPECT_TRUE(fails);
  EXPECT_FALSE(is_there);
  EXPECT_THAT(problem, HasSubstr("Too many open files; a restart would begin with no policy"));
  EXPECT_TRUE(Recovers(*file));
  EXPECT_EQ(std::get<SavedState>(Load(*file)).batch, 2u);
}

TEST_F(StateFileTest, StateThatCannotBeSetAsideIsToldSo) {
  std::filesystem::create_directory(Path());
  const auto file = Open();
  file->Save(FullState(WebIsolated(), 7, 1));
  EXPECT_THAT(file->AwaitWritten(), HasSubstr("and a reboot with the policy before"));
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
  const auto loaded = Load(*file);
  ASSERT_TRUE(std::holds_alternative<SavedState>(loaded)) << std::get<std::string>(loaded);
  EXPECT_EQ(std::get<SavedState>(loaded).batch, 2u);
}

// What waits is bounded, and what the disk had, lacking the rest, does not come back once it moves again.
TEST_F(StateFileTest, DiskThatHangsTooLongLosesTheStateUntilTheNext) {
  const auto file = Open(std::chrono::milliseconds(100));
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
    EXPECT_THAT(file->not_kept(), HasSubstr("is not written yet: the disk is slow"));
    EXPECT_TRUE(MarkerStands());
    EXPECT_TRUE(std::filesystem::exists(Path()));
  }
  EXPECT_TRUE(InTime([&] { return file->not_kept().find("too slow for; a restart") != std::string::npos; }));
  EXPECT_FALSE(std::filesystem::exists(Path()));
  file->Save(FullState(WebIsolated(), 8, 1));
  EXPECT_TRUE(Recovers(*file));
  EXPECT_EQ(std::get<SavedState>(Load(*file)).state_id, 8u);
}

// What an answer waited for is there after the process ended, though nobody synced it.
TEST_F(StateFileTest, WhatWasAwaitedIsReadByTheNextProcess) {
  const auto file = Open();
  file->Save(FullState(WebIsolated(), 7, 1));
  file->Flush();
  for (std::uint32_t i = 1; i <= 20; ++i) {
    file->Append(UpdateRecord(PodComes(7, 1 + i, i, "10.0.1." + std::to_string(i))));
    file->AwaitWritten();
    const auto loaded = Load(*file);
    ASSERT_TRUE(std::holds_alternative<SavedState>(loaded)) << std::get<std::string>(loaded);
    ASSERT_EQ(std::get<SavedState>(loaded).batch, 1 + i);
  }
}

}  // namespace
}  // namespace sluice
