// Replays every folder beside this file; README.md there says what is in one.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

#include "sluice/drop_reason.h"
#include "support/packet_script.h"
#include "support/places.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = SourcePath("tests/scenarios");

std::vector<std::string> ScenarioNames() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    if (fs::exists(entry.path() / "packets.txt")) names.push_back(entry.path().filename());
  }
  std::ranges::sort(names);
  return names;
}

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path << " cannot be read; README.md says how it is made";
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteFile(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

bool Updating() { return std::getenv("SLUICE_UPDATE_SCENARIOS") != nullptr; }

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string Quote(const fs::path& path) { return "'" + path.string() + "'"; }

// Frames in a capture as WritePcap makes it.
std::vector<std::string> FramesOf(const std::string& pcap) {
  constexpr std::size_t kFileHeader = 24, kRecordHeader = 16;
  std::vector<std::string> frames;
  for (std::size_t at = kFileHeader; at + kRecordHeader <= pcap.size();) {
    std::uint32_t length = 0;
    for (int i = 3; i >= 0; --i)
      length = length << 8 | static_cast<std::uint8_t>(pcap[at + 8 + static_cast<unsigned>(i)]);
    frames.push_back(pcap.substr(at + kRecordHeader, length));
    at += kRecordHeader + length;
  }
  return frames;
}

class Scenario : public testing::TestWithParam<std::string> {
 protected:
  Scenario() : source_(kFolder / GetParam()) {
    scratch_ = fs::temp_directory_path() / ("sluice-scenario-" + GetParam() + "-" + std::to_string(getpid()));
    fs::create_directories(scratch_);
  }
  ~Scenario() override { fs::remove_all(scratch_); }

  // Replays `capture`; lines and frames are in scratch_.
  void Replay(const fs::path& capture) {
    const fs::path manifests = fs::exists(source_ / "manifests") ? source_ / "manifests" : kFolder / "cluster";
    std::string command = Quote(BuiltProgram("sluicectl")) + " replay --manifests " + Quote(manifests);
    if (fs::exists(source_ / "config.yaml")) command += " --config " + Quote(source_ / "config.yaml");
    command += " --write " + Quote(scratch_ / "out.pcap") + " -o json " + Quote(capture) + " > " +
               Quote(scratch_ / "out.jsonl") + " 2> " + Quote(scratch_ / "errors");
    const int status = std::system(command.c_str());
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << command << "\n" << ReadFile(scratch_ / "errors");
  }

  // Equal to the checked-in file, or, where asked for, written to it.
  void CompareOrUpdate(const std::string& name, const std::string& bytes) {
    if (Updating()) WriteFile(source_ / name, bytes);
    EXPECT_TRUE(ReadFile(source_ / name) == bytes) << source_ / name << " differs; README.md says how it is made";
  }

  fs::path source_;
  fs::path scratch_;
};

INSTANTIATE_TEST_SUITE_P(All, Scenario, testing::ValuesIn(ScenarioNames()), [](const auto& scenario) {
  std::string name = scenario.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST_P(Scenario, EndsAsItsTextSays) {
  const std::vector<ScriptedPacket> packets = ParsePacketScript(ReadFile(source_ / "packets.txt"));
  ASSERT_FALSE(packets.empty());
  CompareOrUpdate("in.pcap", WritePcap(packets));
  ASSERT_NO_FATAL_FAILURE(Replay(source_ / "in.pcap"));

  const std::string output = ReadFile(scratch_ / "out.jsonl");
  const std::vector<std::string> lines = LinesOf(output);
  ASSERT_EQ(lines.size(), packets.size());
  std::multiset<std::string> expected_frames;
  std::size_t rejects = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto json = nlohmann::json::parse(lines[i]);
    const std::string verdict = json.at("verdict");
    const std::string detail = json.at(verdict == "forward" ? "state" : "reason");
    EXPECT_EQ(json.at("packet"), i + 1);
    EXPECT_EQ(verdict + " " + detail, packets[i].expected) << source_ / "packets.txt"
                                                           << ":" << packets[i].line;
    if (verdict == "forward") expected_frames.emplace(packets[i].bytes.begin(), packets[i].bytes.end());
    if (verdict == "reject") ++rejects;
  }
  CompareOrUpdate("expected.jsonl", output);

  // What was forwarded leaves as it came, whatever the checked-in capture says; beside it, an answer for each reject.
  const std::string written = ReadFile(scratch_ / "out.pcap");
  const std::vector<std::string> frames = FramesOf(written);
  EXPECT_EQ(frames.size(), expected_frames.size() + rejects);
  for (const std::string& frame : frames) {
    if (const auto found = expected_frames.find(frame); found != expected_frames.end()) expected_frames.erase(found);
  }
  EXPECT_TRUE(expected_frames.empty());
  CompareOrUpdate("out.pcap", written);
}

TEST(Scenarios, EveryDropReasonOccurs) {
  // Reasons that no capture can cause: offline there is no NIC to check sums, no ring, no device and no buffer to run
  // out of, a policy before the first packet, and no other after it.
  const std::set<std::string_view> elsewhere = {"bad_ip_checksum", "no_policy", "flow_cut", "handover_full",
                                                "tx_full",         "port_down", "no_memory"};
  std::set<std::string> seen;
  for (const std::string& name : ScenarioNames()) {
    for (const ScriptedPacket& packet : ParsePacketScript(ReadFile(kFolder / name / "packets.txt"))) {
      seen.insert(packet.expected.substr(packet.expected.find(' ') + 1));
    }
  }
  for (std::size_t i = 1; i < kDropReasonCount; ++i) {
    const std::string_view reason = kDropReasonNames[i];
    EXPECT_EQ(seen.contains(std::string(reason)), !elsewhere.contains(reason)) << reason;
  }
}

}  // namespace
}  // namespace sluice
