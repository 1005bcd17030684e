#include "keep/marker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <iterator>

#include "control/temp_folder.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

class MarkerTest : public testing::Test {
 protected:
  Marker Open(const std::string& speaks_of) {
    auto opened = Marker::Open(folder_ / "run", speaks_of);
    EXPECT_TRUE(std::holds_alternative<Marker>(opened)) << std::get<std::string>(opened);
    return std::get<Marker>(std::move(opened));
  }
  std::size_t Files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_ / "run"), {}));
  }

  TempFolder folder_;
};

TEST_F(MarkerTest, StandsFromSetToRemoveAndOverARestart) {
  {
    const Marker marker = Open("/var/lib/sluice");
    EXPECT_FALSE(marker.stands());
    EXPECT_TRUE(marker.Remove());
    EXPECT_TRUE(marker.Set());
    EXPECT_TRUE(marker.Set());
    EXPECT_TRUE(marker.stands());
    marker.Close();
  }
  const Marker again = Open("/var/lib/sluice");
  EXPECT_TRUE(again.stands());
  EXPECT_TRUE(again.Remove());
  EXPECT_FALSE(again.stands());
  EXPECT_TRUE(again.Set());
  EXPECT_TRUE(again.stands());
}

TEST_F(MarkerTest, SeveralSharersOfTheFolderDoNotMeet) {
  const Marker one = Open("/var/lib/sluice");
  const Marker other = Open("/var/lib/other");
  EXPECT_TRUE(one.Set());
  EXPECT_FALSE(other.stands());
  EXPECT_TRUE(other.Remove());
  EXPECT_TRUE(one.stands());
}

TEST_F(MarkerTest, NothingIsLeftBehindUnlessItStands) {
  const Marker marker = Open("/var/lib/sluice");
  EXPECT_EQ(Files(), 1u);
  marker.Close();
  EXPECT_EQ(Files(), 0u);
  EXPECT_TRUE(marker.Set());  // somebody had cleaned up
  marker.Close();
  EXPECT_EQ(Files(), 1u);
}

TEST_F(MarkerTest, IsSetWhereNoDescriptorIsLeft) {
  const Marker marker = Open("/var/lib/sluice");
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{0, before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  const bool set = marker.Set();
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(set);
  EXPECT_TRUE(marker.stands());
}

TEST_F(MarkerTest, FolderIsMadeForItsOwnerToWriteInAndItsGroupToRead) {
  Open("/var/lib/sluice");
  struct stat status {};
  ASSERT_EQ(stat((folder_ / "run").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0077 & ~0050u, 0u);
}

TEST_F(MarkerTest, FolderThatCannotBeMadeIsNamedWithTheRemedy) {
  folder_.Write("file", "");
  const auto opened = Marker::Open(folder_ / "file/run", "/var/lib/sluice");
  ASSERT_TRUE(std::holds_alternative<std::string>(opened));
  EXPECT_THAT(std::get<std::string>(opened), HasSubstr("run folder '" + folder_ / "file/run'"));
  EXPECT_THAT(std::get<std::string>(opened), HasSubstr("give --run a folder in memory"));
}

}  // namespace
}  // namespace sluice
