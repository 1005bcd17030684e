// The plugin in a runtime's folders.
#include "cni/install.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "control/temp_folder.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr const char* kBridge = R"({"name": "pods", "cniVersion": "1.0.0", "plugins": [{"type": "bridge"}]})";

class InstallTest : public testing::Test {
 protected:
  InstallTest() : folders_{folder_ / "net.d", folder_ / "bin"} {
    std::filesystem::create_directories(folders_.configurations);
    std::filesystem::create_directories(folders_.programs);
  }

  std::string Read(const std::string& name) const {
    std::ifstream file(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::size_t PluginsIn(const std::string& name) const { return nlohmann::json::parse(Read(name))["plugins"].size(); }
  static std::vector<std::string> Done(const std::variant<Installed, std::string>& result) {
    if (const auto* error = std::get_if<std::string>(&result)) return {"error: " + *error};
    return std::get<Installed>(result).done;
  }
  static std::string Error(const std::variant<Installed, std::string>& result) {
    return std::holds_alternative<std::string>(result) ? std::get<std::string>(result) : "";
  }
  std::vector<std::string> FilesIn(const std::string& name) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / name)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  TempFolder folder_;
  CniFolders folders_;
};

TEST_F(InstallTest, TheEntryGoesIntoTheFirstConflistByName) {
  folder_.Write("net.d/20-other.conflist", kBridge);
  folder_.Write("net.d/10-pods.conflist", kBridge);
  EXPECT_THAT(Done(InstallEntry(folders_, {})), ElementsAre(HasSubstr("10-pods.conflist: sluice comes last")));
  EXPECT_EQ(PluginsIn("net.d/10-pods.conflist"), 2u);
  EXPECT_EQ(Read("net.d/20-other.conflist"), kBridge);
  EXPECT_THAT(Done(InstallEntry(folders_, {})), IsEmpty());
}

TEST_F(InstallTest, AFileKeepsItsModeAndNothingIsLeftBeside) {
  folder_.Write("net.d/10-pods.conflist", kBridge);
  ASSERT_EQ(chmod((folder_ / "net.d/10-pods.conflist").c_str(), 0640), 0);
  InstallEntry(folders_, {});
  struct stat status {};
  ASSERT_EQ(stat((folder_ / "net.d/10-pods.conflist").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
  EXPECT_THAT(FilesIn("net.d"), UnorderedElementsAre("10-pods.conflist"));
}

TEST_F(InstallTest, LoopbackAndWhatCannotBeReadAreNotTheNetworkOfPods) {
  folder_.Write("net.d/00-half.conflist", "{\"plugins\": [");
  folder_.Write("net.d/05-lo.conf", R"({"type": "loopback"})");
  folder_.Write("net.d/07-lo.conflist", R"({"plugins": [{"type": "loopback"}]})");
  folder_.Write("net.d/.hidden.conflist", kBridge);
  folder_.Write("net.d/10-pods.conflist", kBridge);
  folder_.Write("net.d/readme", "");
  EXPECT_THAT(Done(InstallEntry(folders_, {})), ElementsAre(HasSubstr("10-pods.conflist")));
}

TEST_F(InstallTest, OnePluginsConfigurationIsToldOf) {
  folder_.Write("net.d/10-bridge.conf", R"({"type": "bridge"})");
  EXPECT_THAT(Error(InstallEntry(folders_, {})), HasSubstr("make it a conflist"));
}

TEST_F(InstallTest, WithoutAConflistItSaysWhoWritesOne) {
  EXPECT_THAT(Error(InstallEntry(folders_, {})), HasSubstr("has no conflist yet"));
  std::filesystem::remove(folders_.configurations);
  EXPECT_THAT(Error(InstallEntry(folders_, {})), HasSubstr("cannot be read: No such file"));
  EXPECT_THAT(Error(UninstallEntry(folders_)), HasSubstr("cannot be read: No such file"));
}

TEST_F(InstallTest, WhatMayNotBeWrittenIsToldOf) {
  folder_.Write("net.d/10-pods.conflist", kBridge);
  ASSERT_EQ(chmod(folders_.configurations.c_str(), 0555), 0);
  const WithoutRootsRights rights(folder_);
  EXPECT_THAT(Error(InstallEntry(folders_, {})), HasSubstr("cannot be written: Permission denied"));
  EXPECT_EQ(Read("net.d/10-pods.conflist"), kBridge);
}

TEST_F(InstallTest, UninstalledItIsInNoConflist) {
  folder_.Write("net.d/10-pods.conflist", kBridge);
  InstallEntry(folders_, {});
  folder_.Write("net.d/05-newer.conflist", kBridge);
  InstallEntry(folders_, {});
  EXPECT_EQ(Done(UninstallEntry(folders_)).size(), 2u);
  EXPECT_EQ(PluginsIn("net.d/10-pods.conflist"), 1u);
  EXPECT_EQ(PluginsIn("net.d/05-newer.conflist"), 1u);
  EXPECT_THAT(Done(UninstallEntry(folders_)), IsEmpty());
}

TEST_F(InstallTest, TheProgramIsReplacedOnlyWhereItDiffers) {
  folder_.Write("new", "program");
  EXPECT_THAT(Done(InstallProgram(folder_ / "new", folders_)), ElementsAre(HasSubstr("bin/sluice")));
  EXPECT_EQ(Read("bin/sluice"), "program");
  EXPECT_EQ(access((folder_ / "bin/sluice").c_str(), X_OK), 0);
  EXPECT_THAT(Done(InstallProgram(folder_ / "new", folders_)), IsEmpty());
  folder_.Write("new", "another");
  EXPECT_EQ(Done(InstallProgram(folder_ / "new", folders_)).size(), 1u);
  EXPECT_THAT(FilesIn("bin"), ElementsAre("sluice"));
  EXPECT_EQ(Done(UninstallProgram(folders_)).size(), 1u);
  EXPECT_THAT(Done(UninstallProgram(folders_)), IsEmpty());
  EXPECT_THAT(Error(InstallProgram(folder_ / "none", folders_)), HasSubstr("cannot be read"));
}

TEST_F(InstallTest, StatusNamesWhatIsMissing) {
  EXPECT_THAT(WhatIsMissing(folders_), HasSubstr("bin/sluice: No such file"));
  folder_.Write("new", "program");
  InstallProgram(folder_ / "new", folders_);
  EXPECT_THAT(WhatIsMissing(folders_), HasSubstr("has no conflist yet"));
  folder_.Write("net.d/10-pods.conflist", kBridge);
  EXPECT_THAT(WhatIsMissing(folders_), HasSubstr("10-pods.conflist: sluice is not in it"));
  InstallEntry(folders_, {});
  EXPECT_EQ(WhatIsMissing(folders_), "");
}

TEST_F(InstallTest, ChangesOfTheFolderAreHeardOf) {
  FolderNews news(folders_.configurations);
  EXPECT_FALSE(news.Take());
  const auto heard = [&] {
    pollfd wanted{news.fd(), POLLIN, 0};
    return poll(&wanted, 1, 10'000) == 1 && news.Take();
  };
  folder_.Write("net.d/10-pods.conflist", kBridge);
  EXPECT_TRUE(heard());
  InstallEntry(folders_, {});
  EXPECT_TRUE(heard());
  std::filesystem::remove(folder_ / "net.d/10-pods.conflist");
  EXPECT_TRUE(heard());
  EXPECT_FALSE(news.Take());
}

TEST_F(InstallTest, AFolderThatComesLaterIsHeardOf) {
  std::filesystem::remove(folders_.configurations);
  FolderNews news(folders_.configurations);
  EXPECT_FALSE(news.Take());
  std::filesystem::create_directories(folders_.configurations);
  EXPECT_TRUE(news.Take());
  EXPECT_FALSE(news.Take());
  std::filesystem::remove(folders_.configurations);
  EXPECT_TRUE(news.Take());
  std::filesystem::create_directories(folders_.configurations);
  EXPECT_TRUE(news.Take());
}

}  // namespace
}  // namespace sluice
