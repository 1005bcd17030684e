// Records on disk: what is read back of them, and what of a file that is damaged or torn.
#include "keep/record_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "control/temp_folder.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kFirstLine = "sluice test 1\n";
using Outcome = std::variant<std::monostate, RecordsRead, std::string>;

class RecordFileTest : public testing::Test {
 protected:
  // Returns where each record begins, and last where the file ends.
  std::vector<std::size_t> Write(const std::vector<std::string>& records) {
    std::size_t bytes = 0;
    EXPECT_EQ(WriteRecords(path_, kFirstLine, {}, bytes), "");
    std::vector<std::size_t> begins = {bytes};
    for (const std::string& record : records) {
      EXPECT_EQ(AppendRecords(path_, {record}, bytes), "");
      begins.push_back(bytes);
    }
    return begins;
  }
  Outcome Read(const ReadSpan& span = {}) {
    records_.clear();
    return ReadRecords(path_, kFirstLine, span, [this](std::string_view record) -> std::optional<std::string> {
      if (record == "refused") return "the reader does not take it,";
      records_.emplace_back(record);
      return std::nullopt;
    });
  }
  std::string Content() const {
    std::ostringstream content;
    content << std::ifstream(path_, std::ios::binary).rdbuf();
    return content.str();
  }
  void SetContent(const std::string& content) const { std::ofstream(path_, std::ios::binary) << content; }

  TempFolder folder_;
  std::string path_ = folder_ / "records";
  std::vector<std::string> records_;
};

TEST_F(RecordFileTest, NoFileIsNoRecords) { EXPECT_TRUE(std::holds_alternative<std::monostate>(Read())); }

TEST_F(RecordFileTest, RecordsComeBackInOrderEmptyOnesToo) {
  const auto begins = Write({"one", "", "three"});
  const Outcome read = Read();
  ASSERT_TRUE(std::holds_alternative<RecordsRead>(read));
  EXPECT_EQ(std::get<RecordsRead>(read).good_bytes, begins.back());
  EXPECT_EQ(std::get<RecordsRead>(read).torn_bytes, 0u);
  EXPECT_THAT(records_, ElementsAre("one", "", "three"));
}

TEST_F(RecordFileTest, ReadingEndsWhereItIsTold) {
  const auto begins = Write({"one", "two", "three"});
  EXPECT_EQ(std::get<RecordsRead>(Read({begins[2], nullptr})).good_bytes, begins[2]);
  EXPECT_THAT(records_, ElementsAre("one", "two"));
}

TEST_F(RecordFileTest, OtherFirstLineIsRefused) {
  SetContent("something else\n");
  EXPECT_THAT(std::get<std::string>(Read()), HasSubstr("does not begin with 'sluice test 1'"));
  SetContent("");
  EXPECT_THAT(std::get<std::string>(Read()), HasSubstr("does not begin with 'sluice test 1'"));
}

TEST_F(RecordFileTest, RecordThatTheReaderRefusesIsNamedByItsPlaceThoughItIsTheLast) {
  const auto begins = Write({"one", "refused"});
  EXPECT_EQ(std::get<std::string>(Read()), "the reader does not take it, at byte " + std::to_string(begins[1]));
}

TEST_F(RecordFileTest, FileOfEveryLengthIsReadToItsLastWholeRecord) {
  const auto begins = Write({"one", "twotwo", "three"});
  const std::string good = Content();
  for (std::size_t length = begins[0]; length <= good.size(); ++length) {
    SetContent(good.substr(0, length));
    const Outcome read = Read();
    ASSERT_TRUE(std::holds_alternative<RecordsRead>(read)) << length << ": " << std::get<std::string>(read);
    std::size_t whole = 0;
    while (whole + 1 < begins.size() && begins[whole + 1] <= length) ++whole;
    ASSERT_EQ(records_.size(), whole) << length;
    ASSERT_EQ(std::get<RecordsRead>(read).good_bytes, begins[whole]);
    ASSERT_EQ(std::get<RecordsRead>(read).torn_bytes, length - begins[whole]);
  }
}

TEST_F(RecordFileTest, DamageBeforeTheLastRecordIsRefusedAndInTheLastTorn) {
  const auto begins = Write({"one", "twotwo", "three"});
  const std::string good = Content();
  for (std::size_t i = begins[0]; i < good.size(); ++i) {
    for (const char turned : {0x01, 0x40}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ turned);
      SetContent(bad);
      const Outcome read = Read();
      if (i >= begins[2]) {
        ASSERT_TRUE(std::holds_alternative<RecordsRead>(read)) << i << ": " << std::get<std::string>(read);
        ASSERT_THAT(records_, ElementsAre("one", "twotwo"));
      } else {
        ASSERT_TRUE(std::holds_alternative<std::string>(read)) << i;
        const std::size_t at = i >= begins[1] ? begins[1] : begins[0];
        ASSERT_EQ(std::get<std::string>(read), "a record is damaged at byte " + std::to_string(at));
      }
    }
  }
}

TEST_F(RecordFileTest, TailOfZerosOrRubbishIsTornWhateverItsLength) {
  const auto begins = Write({"one"});
  const std::string good = Content();
  for (const std::size_t length : {1u, 11u, 12u, 13u, 4096u, 1u << 20}) {
    for (const char byte : {'\0', 'x', '\xff'}) {
      SetContent(good + std::string(length, byte));
      const Outcome read = Read();
      ASSERT_TRUE(std::holds_alternative<RecordsRead>(read)) << length << ": " << std::get<std::string>(read);
      ASSERT_EQ(std::get<RecordsRead>(read).good_bytes, begins[1]);
      ASSERT_EQ(std::get<RecordsRead>(read).torn_bytes, length);
    }
  }
}

TEST_F(RecordFileTest, AppendingCutsOffATornTail) {
  const auto begins = Write({"one"});
  SetContent(Content() + std::string(5000, '\0'));
  std::size_t bytes = begins[1];
  EXPECT_EQ(AppendRecords(path_, {"two"}, bytes), "");
  EXPECT_EQ(std::get<RecordsRead>(Read()).torn_bytes, 0u);
  EXPECT_EQ(bytes, std::filesystem::file_size(path_));
  EXPECT_THAT(records_, ElementsAre("one", "two"));
}

TEST_F(RecordFileTest, AppendingToAFileThatWasCutIsAnError) {
  const auto begins = Write({"one", "two"});
  SetContent(Content().substr(0, begins[1]));
  std::size_t bytes = begins[2];
  EXPECT_EQ(AppendRecords(path_, {"three"}, bytes), "is shorter than it was");
  EXPECT_EQ(bytes, begins[2]);
}

TEST_F(RecordFileTest, RestOfAFileFollowsAnother) {
  const auto begins = Write({"one", "two", "three"});
  const std::string other = folder_ / "other";
  std::size_t bytes = 0;
  ASSERT_EQ(WriteRecords(other, kFirstLine, {"folded"}, bytes), "");
  ASSERT_EQ(AppendRest(path_, begins[2], other), "");
  path_ = other;
  ASSERT_TRUE(std::holds_alternative<RecordsRead>(Read()));
  EXPECT_THAT(records_, ElementsAre("folded", "three"));
}

TEST_F(RecordFileTest, StopEndsTheReading) {
  Write({"one"});
  const std::atomic<bool> stop = true;
  EXPECT_TRUE(std::holds_alternative<std::string>(Read({std::size_t(-1), &stop})));
  EXPECT_THAT(records_, IsEmpty());
}

}  // namespace
}  // namespace sluice
