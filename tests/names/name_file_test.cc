#include "names/name_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace sluice {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class NameFileTest : public testing::Test {
 protected:
  NameFileTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sluice-names-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    path_ = folder_ + "/names";
  }
  ~NameFileTest() override { std::filesystem::remove_all(folder_); }

  std::string Text() const {
    std::ifstream in(path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void Write(const std::string& text) const { std::ofstream(path_) << text; }

  std::string folder_;
  std::string path_;
  const std::vector<LearntPair> pairs_ = {
      {"a.example.com", *IpAddress::Parse("192.0.2.1"), 5, 9, false, "10.96.0.10"},
      {"b.example.com", *IpAddress::Parse("2001:db8::1"), 6, 18446744073709551615u, false, "pushed_by_x"}};
};

TEST_F(NameFileTest, WhatWasWrittenIsRead) {
  ASSERT_EQ(WriteNameFile(path_, pairs_), "");
  const NameFile file = ReadNameFile(path_);
  EXPECT_EQ(file.problem, "");
  EXPECT_EQ(file.pairs, pairs_);
  EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
  ASSERT_EQ(WriteNameFile(path_, {}), "");
  EXPECT_THAT(ReadNameFile(path_).pairs, IsEmpty());
  EXPECT_EQ(ReadNameFile(path_).problem, "");
}

TEST_F(NameFileTest, LapsedPairsAreLeftOutAndASourceCannotBreakALine) {
  std::vector<LearntPair> pairs = pairs_;
  pairs[0].lapsed = true;
  pairs[1].source = "pushed by x\n2";
  ASSERT_EQ(WriteNameFile(path_, pairs), "");
  const NameFile file = ReadNameFile(path_);
  ASSERT_EQ(file.pairs.size(), 1u);
  EXPECT_EQ(file.pairs[0].source, "pushed_by_x_2");
}

TEST_F(NameFileTest, NoFileIsNoProblem) {
  EXPECT_EQ(ReadNameFile(path_).problem, "");
  EXPECT_THAT(ReadNameFile(path_).pairs, IsEmpty());
}

TEST_F(NameFileTest, WhatIsCutShortOrChangedCountsForNothing) {
  ASSERT_EQ(WriteNameFile(path_, pairs_), "");
  const std::string whole = Text();
  for (std::size_t length = 0; length + 1 < whole.size(); ++length) {
    Write(whole.substr(0, length));
    const NameFile file = ReadNameFile(path_);
    EXPECT_THAT(file.pairs, IsEmpty()) << length;
    EXPECT_NE(file.problem, "") << length;
  }
  for (const char* text : {"sluice names 2\nend 0\n", "sluice names 1\na.example.com 192.0.2.1 x 9 s\nend 1\n",
                           "sluice names 1\na.example.com 192.0.2 5 9 s\nend 1\n", "sluice names 1\nend 1\n",
                           "sluice names 1\na.example.com 192.0.2.1 5 9 s more\nend 1\n"}) {
    Write(text);
    EXPECT_THAT(ReadNameFile(path_).problem, HasSubstr(path_)) << text;
    EXPECT_THAT(ReadNameFile(path_).pairs, IsEmpty()) << text;
  }
}

TEST_F(NameFileTest, AFolderThatIsNotThereIsAProblem) {
  EXPECT_THAT(WriteNameFile(folder_ + "/none/names", pairs_), HasSubstr("none/names"));
}

}  // namespace
}  // namespace sluice
