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

TEST(ManifestSource, AGivenFileOrADanglingLinkKeepsItsObjectsUntilItIsBackAndAFileOfAFolderDoesNot) {
  const TempFolder folder;
  folder.Write("given.json", PodText("a"));
  folder.Write("elsewhere/b.json", PodText("b"));
  folder.Write("m/c.json", PodText("c"));
  fs::create_symlink("../elsewhere/b.json", folder / "m/b.json");
  ManifestSource source({folder / "given.json", folder / "m"});
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("a", "b", "c"));
  fs::remove(folder / "given.json");
  fs::remove(folder / "elsewhere/b.json");
  fs::remove(folder / "m/c.json");
  const Manifests kept = source.Load();
  EXPECT_THAT(PodNames(kept), ElementsAre("a", "b"));
  EXPECT_TRUE(HasErrors(kept.diagnostics));
  EXPECT_THAT(kept.unread, IsEmpty());
  folder.Write("given.json", PodText("d"));
  fs::remove(folder / "m/b.json");
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("d"));
}

TEST(ManifestSource, WhatAFolderThatCannotBeReadHeldKeepsItsPlaceInTheOrder) {
  const TempFolder folder;
  folder.Write("a/p.json", PolicyText("p", R"({"ingress":[{}]})"));
  folder.Write("b-c/p.json", PolicyText("p", R"({"ingress":[{},{}]})"));
  folder.Write("b/p.json", PolicyText("p", R"({"ingress":[{},{},{}]})"));
  folder.Write("c.json", PolicyText("q", "{}"));
  const WithoutRootsRights ordinary(folder);
  ManifestSource source({folder.path()});
  for (const char* hidden : {"", "a", "b", "b-c"}) {
    if (*hidden != '\0') fs::permissions(folder / hidden, fs::perms::none);
    const Manifests read = source.Load();
    if (*hidden != '\0') fs::permissions(folder / hidden, fs::perms::owner_all);
    ASSERT_THAT(read.cluster.policies, SizeIs(2)) << hidden;
    EXPECT_THAT(read.cluster.policies[0].ingress, SizeIs(2)) << hidden << ": b comes before b-c";
    EXPECT_THAT(read.unread, IsEmpty()) << hidden;
  }
}

TEST(ManifestSource, UnreadNamesWhatCannotBeReadAndHasNoEarlierVersion) {
  const TempFolder folder;
  const std::string broken = "{apiVersion: v1, kind: [\n";
  folder.Write("broken.yaml", broken);
  folder.Write("broken.json", "{");
  folder.Write("good.yaml", PodText("a"));
  folder.Write("labels.json",
               R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"b","labels":[]},"status":{"podIP":"10.0.0.1"}})");
  folder.Write("refused.json", PolicyText("p", R"({"ingress":[null]})"));
  folder.Write(
      "space.json",
      R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"p","namespace":{}}})");
  fs::create_symlink("nowhere", folder / "link.yaml");
  fs::create_symlink("nowhere", folder / "no-manifest");
  const std::string missing = folder / "missing";
  ManifestSource source({folder.path(), missing});
  const Manifests first = source.Load();
  EXPECT_THAT(first.unread, UnorderedElementsAre(folder / "broken.json", folder / "broken.yaml", folder / "labels.json",
                                                 folder / "link.yaml", folder / "space.json", missing));
  EXPECT_THAT(ReadManifests({folder.path(), missing}).unread, testing::UnorderedElementsAreArray(first.unread));
  EXPECT_THAT(source.Load().unread, testing::UnorderedElementsAreArray(first.unread)) << "as long as it is so";

  for (const char* name : {"broken.json", "broken.yaml", "labels.json", "space.json"}) folder.Write(name, "\n");
  fs::remove(folder / "link.yaml");
  folder.Write("missing", PodText("m"));
  EXPECT_THAT(source.Load().unread, IsEmpty());
  folder.Write("good.yaml", broken);
  fs::remove(missing);
  const Manifests kept = source.Load();
  EXPECT_THAT(kept.unread, IsEmpty()) << "what they held stays in force";
  EXPECT_THAT(PodNames(kept), ElementsAre("a", "m"));
  folder.Write("new.yaml", broken);
  EXPECT_THAT(source.Load().unread, ElementsAre(folder / "new.yaml"));
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
  fs::create_symlink("elsewhere/other.json", folder / "new.json");
  folder.Write("elsewhere/other.json", PodText("c"));
  fs::rename(folder / "new.json", folder / "link.json");
  ASSERT_TRUE(ChangeIsNoticed(source));
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("c"));
}

// As releases are rolled out, and as the kubelet does it with `..data`: a link is renamed over another.
void SwapLink(const TempFolder& folder, const std::string& link, const std::string& target) {
  fs::create_directory_symlink(target, folder / link + ".new");
  fs::rename(folder / link + ".new", folder / link);
}

TEST_P(Watched, ALinkAboveAGivenFolderThatIsSwappedIsNoticed) {
  const TempFolder folder;
  folder.Write("rel/one/policies/a.json", PodText("a"));
  folder.Write("rel/two/policies/a.json", PodText("b"));
  SwapLink(folder, "rel/current", "one");
  ManifestSource source({folder / "rel/current/policies"}, GetParam());
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("a"));
  SwapLink(folder, "rel/current", "two");
  ASSERT_TRUE(ChangeIsNoticed(source));
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("b"));
  folder.Write("rel/two/policies/a.json", PodText("c"));
  ASSERT_TRUE(ChangeIsNoticed(source)) << "the new release is watched in its turn";
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("c"));
  SwapLink(folder, "rel/current", "one");
  ASSERT_TRUE(ChangeIsNoticed(source));
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("a"));
}

TEST_P(Watched, ALinkInTheMiddleOfWhatAFilesLinkNamesIsNoticed) {
  const TempFolder folder;
  folder.Write("rel/one/a.json", PodText("a"));
  folder.Write("rel/two/a.json", PodText("b"));
  folder.Write("m/x/.keep", "");
  SwapLink(folder, "rel/current", folder / "rel/one");
  SwapLink(folder, "indirect", "rel/current");
  fs::create_symlink("../../indirect/a.json", folder / "m/x/a.json");
  ManifestSource source({folder / "m"}, GetParam());
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("a"));
  SwapLink(folder, "rel/current", "two");
  ASSERT_TRUE(ChangeIsNoticed(source));
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("b"));
  SwapLink(folder, "indirect", "rel/one");
  ASSERT_TRUE(ChangeIsNoticed(source));
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("a"));
}

TEST_P(Watched, ALinkInTheMiddleOfWhatAFoldersLinkNamesIsNoticed) {
  const TempFolder folder;
  folder.Write("rel/one/p/a.json", PodText("a"));
  folder.Write("rel/two/p/a.json", PodText("b"));
  folder.Write("m/.keep", "");
  SwapLink(folder, "rel/current", "one");
  fs::create_directory_symlink("../rel/current/p", folder / "m/p");
  ManifestSource source({folder / "m"}, GetParam());
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("a"));
  SwapLink(folder, "rel/current", "two");
  ASSERT_TRUE(ChangeIsNoticed(source));
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("b"));
}

TEST_P(Watched, AFolderAboveAGivenPathThatIsReplacedIsNoticed) {
  const TempFolder folder;
  folder.Write("top/m/deep/a.json", PodText("a"));
  folder.Write("other/m/deep/a.json", PodText("b"));
  ManifestSource source({folder / "top/m/deep"}, GetParam());
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("a"));
  fs::rename(folder / "top", folder / "old");
  fs::rename(folder / "other", folder / "top");
  ASSERT_TRUE(ChangeIsNoticed(source));
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("b"));
}

TEST_P(Watched, ARelativePathsLinksAreFollowedFromTheWorkingFolder) {
  const TempFolder folder;
  folder.Write("w/.keep", "");
  folder.Write("rel/one/a.json", PodText("a"));
  folder.Write("rel/two/a.json", PodText("b"));
  SwapLink(folder, "rel/current", "one");
  const fs::path before = fs::current_path();
  fs::current_path(folder / "w");
  ManifestSource source({"../rel/./current"}, GetParam());
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("a"));
  SwapLink(folder, "rel/current", "two");
  const bool noticed = ChangeIsNoticed(source);
  const Manifests read = source.Load();
  fs::current_path(before);
  EXPECT_TRUE(noticed);
  EXPECT_THAT(PodNames(read), ElementsAre("b"));
}

TEST_P(Watched, AGivenPathThatAppearsIsNoticed) {
  const TempFolder folder;
  ManifestSource source({folder / "not/yet/there"}, GetParam());
  EXPECT_THAT(source.Load().unread, ElementsAre(folder / "not/yet/there"));
  folder.Write("not/yet/there/a.json", PodText("a"));
  ASSERT_TRUE(ChangeIsNoticed(source));
  const Manifests read = source.Load();
  EXPECT_THAT(PodNames(read), ElementsAre("a"));
  EXPECT_THAT(read.unread, IsEmpty());
}

// inotify on a folder tells of what is done by a name in it, and this has another name elsewhere: as a file on a
// network file system may change by another machine's doing.
TEST_P(Watched, WhatInotifyDoesNotTellIsSeenByALook) {
  const TempFolder folder;
  folder.Write("m/a.json", PodText("a"));
  folder.Write("elsewhere/.keep", "");
  fs::create_hard_link(folder / "m/a.json", folder / "elsewhere/b.json");
  ManifestSource source({folder / "m"}, GetParam());
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("a"));
  folder.Write("elsewhere/b.json", PodText("longer"));
  ASSERT_TRUE(ChangeIsNoticed(source));
  EXPECT_THAT(PodNames(source.Load()), ElementsAre("longer"));
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
  EXPECT_GT(source.TimeoutMs(), 500) << "until the next look";
  EXPECT_FALSE(source.ConsumeEvents());
}

// Tells what happened at once, however long it is to the next look.
TEST(ManifestSource, InotifyTellsOfALinkAboveThePath) {
  const TempFolder folder;
  folder.Write("rel/one/policies/a.json", PodText("a"));
  folder.Write("rel/two/policies/a.json", PodText("b"));
  SwapLink(folder, "rel/current", "one");
  ManifestSource source({folder / "rel/current/policies"});
  source.Load();
  SwapLink(folder, "rel/current", "two");
  pollfd wait{source.fd(), POLLIN, 0};
  ASSERT_EQ(poll(&wait, 1, 5000), 1);
  EXPECT_FALSE(source.ConsumeEvents());
  EXPECT_LE(source.TimeoutMs(), 50) << "it settles";
}

TEST(ManifestSource, WhatHappensBesideThePathIsNoReasonToList) {
  const TempFolder folder;
  folder.Write("top/m/a.json", PodText("a"));
  ManifestSource source({folder / "top/m"});
  source.Load();
  folder.Write("beside.json", PodText("b"));
  folder.Write("top/beside.json", PodText("b"));
  fs::create_directory(folder / "top/n");
  EXPECT_FALSE(source.ConsumeEvents());
  EXPECT_GT(source.TimeoutMs(), 500) << "nothing is waited for to settle";
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
