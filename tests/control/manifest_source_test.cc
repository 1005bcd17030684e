// Manifests that change: what is kept, what goes, and how changes are noticed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include "manifest/source.h"
#include "manifest_text.h"
#include "temp_folder.h"

namespace sluice {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;
namespace fs = std::filesystem;

std::string PolicyText(const std::string& name, const std::string& spec) {
  return R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":")" + name +
         R"("},"spec":)" + spec + "}\n";
}

std::vector<std::string> PodNames(const Manifests& manifests) {
  std::vector<std::string> names;
  for (const Pod& pod : manifests.cluster.pods) names.push_back(pod.name);
  return names;
}

TEST(ManifestSource, AddedChangedAndRemovedObjectsAndFilesShow) {
  const TempFolder folder;
  folder.Write("a.json", PodText("a"));
  ManifestSource source({folder.path()});
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("a"));
  folder.Write("b/b.json", PodText("b") + PodText("c"));
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("a", "b", "c"));
  folder.Write("b/b.json", PodText("c"));
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("a", "c"));
  fs::remove(folder / "a.json");
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("c"));
}

TEST(ManifestSource, NP_16_ARefusedObjectKeepsItsLastGoodVersion) {
  const TempFolder folder;
  folder.Write("p.json", PolicyText("p", R"({"ingress":[{},{}]})") + PolicyText("q", "{}"));
  ManifestSource source({folder.path()});
  ASSERT_THAT(source.Load().cluster.policies, SizeIs(2));
  folder.Write("p.json", PolicyText("p", R"({"ingress":[{"from":[{}]}]})") + PolicyText("q", R"({"egress":[{}]})"));
  for (int load = 0; load < 2; ++load) {
    const Manifests kept = source.Load();
    ASSERT_THAT(kept.cluster.policies, SizeIs(2));
    EXPECT_FALSE(kept.cluster.policies[0].refused);
    EXPECT_THAT(kept.cluster.policies[0].ingress, SizeIs(2));
    EXPECT_TRUE(kept.cluster.policies[1].has_egress) << "the other object of the file changes all the same";
    EXPECT_THAT(Texts(kept.diagnostics), ElementsAre(HasSubstr("spec.ingress[0].from[0]: needs a podSelector"),
                                                     HasSubstr("p.json:1: note: NetworkPolicy default/p: its last good "
                                                               "version stays in force")));
    // The second time round: changed, and still bad.
    fs::last_write_time(folder / "p.json", fs::file_time_type::clock::now());
  }
  folder.Write("p.json", PolicyText("q", "{}"));
  EXPECT_THAT(source.Load().cluster.policies, SizeIs(1)) << "removed is gone";
}

TEST(ManifestSource, NP_16_ARefusedObjectWithoutAGoodVersionIsIsolated) {
  const TempFolder folder;
  folder.Write("p.json", PolicyText("p", R"({"ingress":[{"from":[{}]}]})"));
  ManifestSource source({folder.path()});
  for (int load = 0; load < 2; ++load) {
    const Manifests read = source.Load();
    ASSERT_THAT(read.cluster.policies, SizeIs(1));
    EXPECT_TRUE(read.cluster.policies[0].refused);
    EXPECT_THAT(read.diagnostics, SizeIs(1));
  }
}

TEST(ManifestSource, NP_16_ARefusedObjectThatMovedToAnotherFileKeepsItsLastGoodVersion) {
  const TempFolder folder;
  folder.Write("a.json", PolicyText("p", R"({"ingress":[{}]})"));
  ManifestSource source({folder.path()});
  source.Load();
  fs::remove(folder / "a.json");
  folder.Write("b.json", PolicyText("p", R"({"ingress":[null]})"));
  const Manifests kept = source.Load();
  ASSERT_THAT(kept.cluster.policies, SizeIs(1));
  EXPECT_FALSE(kept.cluster.policies[0].refused);
}

TEST(ManifestSource, ABrokenFileKeepsWhatItNoLongerNames) {
  const TempFolder folder;
  folder.Write("a.yaml", PodText("a") + "---\n" + PodText("b"));
  ManifestSource source({folder.path()});
  source.Load();
  folder.Write("a.yaml", PodText("a") + "---\n" + "{apiVersion: v1, kind: [\n");
  for (int load = 0; load < 2; ++load) {
    const Manifests kept = source.Load();
    EXPECT_THAT(PodNames(kept), ElementsAre("a", "b"));
    EXPECT_TRUE(HasErrors(kept.diagnostics));
    EXPECT_THAT(
        Texts(kept.diagnostics),
        Contains((folder / "a.yaml") + ": note: 1 objects that it held when it was last readable stay in force"));
  }
  folder.Write("a.yaml", PodText("a"));
  const Manifests mended = source.Load();
  EXPECT_THAT(PodNames(mended), ElementsAre("a"));
  EXPECT_THAT(Texts(mended.diagnostics), IsEmpty());
}

TEST(ManifestSource, AFileOrFolderThatCannotBeReadKeepsItsObjects) {
  const TempFolder folder;
  folder.Write("a.yaml", PodText("a"));
  folder.Write("c/c.yaml", PodText("c"));
  const WithoutRootsRights ordinary(folder);
  ManifestSource source({folder.path()});
  source.Load();
  fs::permissions(folder / "a.yaml", fs::perms::none);
  fs::permissions(folder / "c", fs::perms::none);
  const Manifests kept = source.Load();
  fs::permissions(folder / "c", fs::perms::owner_all);
  EXPECT_THAT(PodNames(kept), UnorderedElementsAre("a", "c"));
  EXPECT_TRUE(HasErrors(kept.diagnostics));
}

TEST(ManifestSource, AGivenFolderThatVanishesKeepsItsObjectsUntilItIsBack) {
  const TempFolder folder;
  folder.Write("m/a.json", PodText("a"));
  ManifestSource source({folder / "m"});
  source.Load();
  fs::rename(folder / "m", folder / "away");
  const Manifests kept = source.Load();
  EXPECT_THAT(PodNames(kept), ElementsAre("a"));
  EXPECT_TRUE(HasErrors(kept.diagnostics));
  folder.Write("m/b.json", PodText("b"));
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("b"));
}

// Runs the loop that source.h shows until a change is due.
bool ChangeIsNoticed(ManifestSource& source) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (std::chrono::steady_clock::now() < end) {
    const int timeout_ms = source.TimeoutMs();
    pollfd wait{source.fd(), POLLIN, 0};
    poll(&wait, 1, timeout_ms < 0 ? 1000 : timeout_ms);
    if (source.ConsumeEvents()) return true;
  }
  return false;
}

class Watched : public testing::TestWithParam<ManifestSource::Watching> {};

TEST_P(Watched, EveryWayToChangeAFileIsNoticed) {
  const TempFolder folder;
  folder.Write("m/a.json", PodText("a"));
  ManifestSource source({folder / "m"}, GetParam());
  source.Load();
  EXPECT_EQ(source.fd() >= 0, GetParam() == ManifestSource::Watching::kInotify);

  folder.Write("m/a.json", PodText("b"));  // in place
  ASSERT_TRUE(ChangeIsNoticed(source));
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("b"));

  folder.Write("m/.a.json.tmp", PodText("c"));  // as editors do
  fs::rename(folder / "m/.a.json.tmp", folder / "m/a.json");
  ASSERT_TRUE(ChangeIsNoticed(source));
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("c"));

  folder.Write("m/new/deep/d.json", PodText("d"));
  ASSERT_TRUE(ChangeIsNoticed(source));
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("c", "d"));

  folder.Write("m/new/deep/d.json", PodText("e"));
  ASSERT_TRUE(ChangeIsNoticed(source));
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("c", "e"));

  fs::remove_all(folder / "m/new");
  ASSERT_TRUE(ChangeIsNoticed(source));
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("c"));
}

TEST_P(Watched, AConfigMapSwapIsNoticed) {
  const TempFolder folder;
  folder.Write("..one/a.json", PodText("a"));
  folder.Write("..two/a.json", PodText("b"));
  fs::create_directory_symlink("..one", folder / "..data");
  fs::create_symlink("..data/a.json", folder / "a.json");
  ManifestSource source({folder.path()}, GetParam());
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("a"));
  fs::create_directory_symlink("..two", folder / "..data_tmp");
  fs::rename(folder / "..data_tmp", folder / "..data");
  ASSERT_TRUE(ChangeIsNoticed(source));
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("b"));
}

TEST_P(Watched, AFileGivenByNameIsWatchedAlsoBehindALink) {
  const TempFolder folder;
  folder.Write("elsewhere/real.json", PodText("a"));
  fs::create_symlink("elsewhere/real.json", folder / "link.json");
  ManifestSource source({folder / "link.json"}, GetParam());
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("a"));
  folder.Write("elsewhere/real.json", PodText("b"));
  ASSERT_TRUE(ChangeIsNoticed(source));
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("b"));
  fs::remove(folder / "link.json");
  ASSERT_TRUE(ChangeIsNoticed(source));
  EXPECT_THAT(PodNames(source.Load()), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Ways, Watched,
                         testing::Values(ManifestSource::Watching::kInotify, ManifestSource::Watching::kRescan),
                         [](const auto& way) {
                           return way.param == ManifestSource::Watching::kInotify ? "Inotify" : "Rescan";
                         });

TEST(ManifestSource, ABurstOfChangesIsOneChange) {
  const TempFolder folder;
  folder.Write("a.json", PodText("a"));
  ManifestSource source({folder.path()});
  source.Load();
  for (int i = 0; i < 20; ++i) folder.Write("b" + std::to_string(i) + ".json", PodText("b" + std::to_string(i)));
  EXPECT_FALSE(source.ConsumeEvents()) << "not settled yet";
  EXPECT_GT(source.TimeoutMs(), 0);
  ASSERT_TRUE(ChangeIsNoticed(source));
  EXPECT_THAT(PodNames(source.Load()), SizeIs(21));
  EXPECT_EQ(source.TimeoutMs(), -1);
  EXPECT_FALSE(source.ConsumeEvents());
}

TEST(ManifestSource, FilesThatAreNoManifestsAreNoChange) {
  const TempFolder folder;
  folder.Write("a.json", PodText("a"));
  std::this_thread::sleep_for(std::chrono::milliseconds(150));  // past what one time stamp may hide
  ManifestSource source({folder.path()});
  source.Load();
  folder.Write("notes.txt", "x");
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_FALSE(source.ConsumeEvents());
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_FALSE(source.ConsumeEvents());
}

}  // namespace
}  // namespace sluice
