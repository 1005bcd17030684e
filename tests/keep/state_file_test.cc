// A state file on a disk that takes nothing more: what is answered, what a marker says, and what a restart begins with.
// tests/api/state_file_test.cc has the rest, with policy in it.
#include "keep/state_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <mutex>

#include "control/temp_folder.h"

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

// "full" is a full state; every other record adds to it.
class TextReader final : public StateReader {
 public:
  std::optional<std::string> Add(std::string_view record) override {
    if (record != "full" && text_.empty()) return "no full state before it,";
    text_ += record;
    return std::nullopt;
  }
  bool complete() const override { return !text_.empty(); }
  std::vector<std::string> Fold() const override { return {}; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

template <typename Holds>
bool InTime(Holds holds) {
  for (int i = 0; i < 1000 && !holds(); ++i) usleep(20'000);
  return holds();
}

// A file system of the test's own, which turns read-only as one with an error does.
class Disk {
 public:
  explicit Disk(const std::string& folder) : folder_(folder) {
    mounted_ = unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=1m") == 0;
  }
  ~Disk() {
    if (mounted_) umount2(folder_.c_str(), MNT_DETACH);
  }
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  bool mounted() const { return mounted_; }
  void SetReadOnly(bool read_only) const {
    const unsigned long flags = MS_REMOUNT | (read_only ? MS_RDONLY : 0);
    ASSERT_TRUE(InTime([&] { return mount("tmpfs", folder_.c_str(), "tmpfs", flags, "size=1m") == 0; }));
  }

 private:
  const std::string folder_;
  bool mounted_ = false;
};

class KeptStateTest : public testing::Test {
 protected:
  KeptStateTest() : disk_(folder_.path()) {}

  void SetUp() override {
    if (!disk_.mounted()) GTEST_SKIP() << "no right to mount a file system";
  }
  std::variant<std::unique_ptr<StateFile>, std::string> TryOpen() {
    StateSettings settings{folder_ / "state", run_ / "run", "sluice test 1\n",
                           [] { return std::make_unique<TextReader>(); }, std::chrono::minutes(1)};
    return StateFile::Open(std::move(settings), [this](std::string_view line) {
      const std::lock_guard lock(mutex_);
      said_.emplace_back(line);
    });
  }
  std::unique_ptr<StateFile> Open() {
    auto opened = TryOpen();
    EXPECT_TRUE(std::holds_alternative<std::unique_ptr<StateFile>>(opened)) << std::get<std::string>(opened);
    return std::get<std::unique_ptr<StateFile>>(std::move(opened));
  }
  // What it holds, "nothing", or the error.
  static std::string Load(StateFile& file) {
    TextReader reader;
    const auto loaded = file.Load(reader);
    if (const auto* error = std::get_if<std::string>(&loaded)) return *error;
    return std::get<bool>(loaded) ? reader.text() : "nothing";
  }
  bool MarkerStands() const {
    for (const auto& file : std::filesystem::directory_iterator(run_ / "run")) {
      if (file.path().extension() != ".spare") return true;
    }
    return false;
  }
  std::vector<std::string> said() {
    const std::lock_guard lock(mutex_);
    return said_;
  }

  TempFolder folder_;  // the disk
  TempFolder run_;     // memory
  Disk disk_;
  std::mutex mutex_;
  std::vector<std::string> said_;
};

TEST_F(KeptStateTest, UpdateOnADiskThatTurnedReadOnlyIsNotKeptAndARestartBeginsWithNothing) {
  {
    const auto file = Open();
    file->Save({"full"});
    EXPECT_EQ(file->AwaitWritten(), "");
    file->Append("+1");
    EXPECT_EQ(file->AwaitWritten(), "");
    EXPECT_FALSE(MarkerStands());
    file->Flush();
    disk_.SetReadOnly(true);
    file->Append("+2");
    EXPECT_THAT(file->AwaitWritten(), HasSubstr("Read-only file system"));
    EXPECT_TRUE(MarkerStands());  // before the answer
    EXPECT_THAT(file->not_kept(), HasSubstr("a restart would begin with no policy"));
    file->Append("+3");
    EXPECT_NE(file->AwaitWritten(), "");
  }
  const auto file = Open();  // though it may not be written
  EXPECT_THAT(said(), Contains(HasSubstr("Read-only file system; policy that comes is not kept")));
  EXPECT_THAT(Load(*file), HasSubstr("lacks policy that was in force"));
  EXPECT_NE(file->not_kept(), "");
  file->Save({"full", "new"});
  EXPECT_THAT(file->AwaitWritten(), HasSubstr("Read-only file system"));
  EXPECT_TRUE(MarkerStands());
  disk_.SetReadOnly(false);
  EXPECT_TRUE(InTime([&] { return file->not_kept().empty(); }));
  EXPECT_FALSE(MarkerStands());
  EXPECT_EQ(Load(*file), "fullnew");
}

TEST_F(KeptStateTest, FullStateOnADiskThatTurnedReadOnlyIsNotKeptAndTheOneBeforeDoesNotComeBack) {
  {
    const auto file = Open();
    file->Save({"full", "old"});
    EXPECT_EQ(file->AwaitWritten(), "");
    file->Flush();
    disk_.SetReadOnly(true);
    file->Save({"full", "new"});
    EXPECT_NE(file->AwaitWritten(), "");
  }
  disk_.SetReadOnly(false);
  const auto file = Open();
  EXPECT_THAT(Load(*file), HasSubstr("' says so): it is not used"));
  EXPECT_TRUE(MarkerStands());
  file->Append("+1");  // nothing to go on from
  EXPECT_TRUE(MarkerStands());
  file->Save({"full", "newer"});
  EXPECT_EQ(file->AwaitWritten(), "");  // waits for it, though the state before was not kept
  EXPECT_FALSE(MarkerStands());
  EXPECT_EQ(file->not_kept(), "");
}

TEST_F(KeptStateTest, DiskThatIsReadOnlyForAWhileTakesWhatItLackedAndTheMarkerGoes) {
  const auto file = Open();
  file->Save({"full"});
  EXPECT_EQ(file->AwaitWritten(), "");
  file->Flush();
  disk_.SetReadOnly(true);
  for (const char* update : {"+1", "+2", "+3"}) {
    file->Append(update);
    EXPECT_NE(file->AwaitWritten(), "");
  }
  disk_.SetReadOnly(false);
  EXPECT_TRUE(InTime([&] { return file->not_kept().empty(); }));
  EXPECT_FALSE(MarkerStands());
  EXPECT_EQ(Load(*file), "full+1+2+3");
}

TEST_F(KeptStateTest, ReadOnlyDiskWithAStateIsBegunWithAndOneWithoutIsRefused) {
  std::filesystem::create_directory(folder_ / "state");
  disk_.SetReadOnly(true);
  const auto refused = TryOpen();
  ASSERT_TRUE(std::holds_alternative<std::string>(refused));
  EXPECT_THAT(std::get<std::string>(refused), HasSubstr("Read-only file system; give --state a folder"));
  disk_.SetReadOnly(false);
  {
    const auto file = Open();
    file->Save({"full"});
    EXPECT_EQ(file->AwaitWritten(), "");
  }
  disk_.SetReadOnly(true);
  EXPECT_EQ(Load(*Open()), "full");
}

// It was answered as kept, and the kernel may have dropped it since: neither it nor what follows it can be trusted.
TEST_F(KeptStateTest, UpdateThatTheDiskLosesAfterItsAnswerGivesTheFileUpUntilAFullState) {
  {
    const auto file = Open();
    file->Save({"full"});
    EXPECT_EQ(file->AwaitWritten(), "");
    EXPECT_FALSE(file->wants_full_state());
    disk_loses = true;
    file->Append("+1");
    EXPECT_EQ(file->AwaitWritten(), "");
    EXPECT_TRUE(InTime([&] { return file->not_kept().find("lost updates: Input/output error") != std::string::npos; }));
    disk_loses = false;
    EXPECT_TRUE(MarkerStands());
    EXPECT_TRUE(file->wants_full_state());
    file->Append("+2");
    EXPECT_NE(file->AwaitWritten(), "");
  }
  EXPECT_THAT(Load(*Open()), HasSubstr("it is not used"));
  const auto file = Open();
  file->Save({"full", "new"});
  EXPECT_EQ(file->AwaitWritten(), "");
  EXPECT_FALSE(MarkerStands());
  EXPECT_EQ(Load(*file), "fullnew");
}

// The documents say so: memory is lost.
TEST_F(KeptStateTest, RebootLosesTheMarkerAndTheDiskHasItsSay) {
  {
    const auto file = Open();
    file->Save({"full", "old"});
    EXPECT_EQ(file->AwaitWritten(), "");
    file->Flush();
    disk_.SetReadOnly(true);
    file->Save({"full", "new"});
    EXPECT_NE(file->AwaitWritten(), "");
    EXPECT_THAT(file->not_kept(), HasSubstr("a reboot with the policy before"));
  }
  std::filesystem::remove_all(run_ / "run");
  EXPECT_EQ(Load(*Open()), "fullold");
}

}  // namespace
}  // namespace sluice
