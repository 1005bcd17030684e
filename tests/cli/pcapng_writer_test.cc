// What PcapngWriter writes, as libpcap reads it. What tshark reads of it is in tests/e2e/capture_test.py.
#include "sluicectl/pcapng_writer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "sluicectl/capture.h"

namespace sluice {
namespace {

class PcapngWriterTest : public testing::Test {
 protected:
  PcapngWriterTest() {
    std::string path = (std::filesystem::temp_directory_path() / "sluice-pcapng-XXXXXX").string();
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
  }
  ~PcapngWriterTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
};

TEST_F(PcapngWriterTest, FramesOfAnyLengthComeBackFromAnyDevice) {
  const std::string path = folder_ / "x.pcapng";
  PcapngWriter writer;
  ASSERT_FALSE(writer.Open(path));
  ASSERT_FALSE(writer.Begin("test"));
  for (std::uint32_t i = 0; i < 70; ++i) {
    const std::string bytes(i, static_cast<char>(i));
    writer.Name(std::string(i % 2 == 0 ? 4 : 16, static_cast<char>(i)), "pod-" + std::to_string(i));
    writer.Write({1'796'009'127'123'456'789u + static_cast<std::uint64_t>(i), bytes, i + 5,
                  i % 3 == 0 ? "left" : "right", std::string(i * 100, 'c'), i % 2 == 0});
  }
  ASSERT_FALSE(writer.Flush());
  CaptureReader reader;
  ASSERT_FALSE(reader.Open(path));
  for (std::uint32_t i = 0; i < 70; ++i) {
    const auto frame = reader.Next();
    ASSERT_TRUE(frame) << i;
    EXPECT_EQ(frame->time_ns, 1'796'009'127'123'456'789 + i);
    EXPECT_EQ(frame->bytes, std::vector<std::uint8_t>(i, static_cast<std::uint8_t>(i)));
    EXPECT_EQ(frame->frame_length, i + 5);
  }
  EXPECT_FALSE(reader.Next());
  EXPECT_FALSE(reader.error()) << reader.error()->ToString();
}

TEST_F(PcapngWriterTest, WhatCannotBeWrittenIsNamed) {
  PcapngWriter missing, full;
  const auto wrong = missing.Open(folder_ / "missing/x");
  ASSERT_TRUE(wrong);
  EXPECT_NE(wrong->ToString().find("No such file or directory"), std::string::npos);
  EXPECT_FALSE(full.Open("/dev/full"));
  EXPECT_TRUE(full.Begin("test"));
}

TEST_F(PcapngWriterTest, AFileOfBeforeStaysUntilItBegins) {
  const std::string kept = folder_ / "kept", made = folder_ / "made";
  std::ofstream(kept) << std::string(1000, 'x');
  for (const std::string& path : {kept, made}) {
    PcapngWriter writer;
    ASSERT_FALSE(writer.Open(path));
  }
  EXPECT_EQ(std::filesystem::file_size(kept), 1000u);
  EXPECT_FALSE(std::filesystem::exists(made));
  for (const std::string& path : {kept, made}) {
    {
      PcapngWriter writer;
      ASSERT_FALSE(writer.Open(path));
      ASSERT_FALSE(writer.Begin("test"));
    }
    EXPECT_GT(std::filesystem::file_size(path), 0u);
    EXPECT_LT(std::filesystem::file_size(path), 100u) << "a header";
  }
}

}  // namespace
}  // namespace sluice
