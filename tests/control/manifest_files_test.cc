// Files and folders.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "manifest/manifest_reader.h"
#include "manifest_text.h"
#include "support/sanitizers.h"
#include "temp_folder.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
namespace fs = std::filesystem;

std::vector<std::string> PodNames(const Cluster& cluster) {
  std::vector<std::string> names;
  for (const Pod& pod : cluster.pods) names.push_back(pod.name);
  return names;
}

TEST(ManifestFiles, FoldersAreReadSortedWithTheirSubfolders) {
  const TempFolder folder;
  folder.Write("b.yaml", PodText("b"));
  folder.Write("a.json", PodText("a"));
  folder.Write("c/d.yml", PodText("d"));
  folder.Write("c/e.txt", "no manifest");
  folder.Write(".hidden.yaml", "no manifest");
  folder.Write("..data/x.yaml", PodText("x"));
  folder.Write("b.yaml~", "no manifest");
  const Manifests read = ReadManifests({folder.path()});
  EXPECT_THAT(Texts(read.diagnostics), IsEmpty());
  EXPECT_THAT(PodNames(read.cluster), ElementsAre("a", "b", "d"));
}

TEST(ManifestFiles, AManifestWhoseNameEndsInCapitalsIsToldOf) {
  const TempFolder folder;
  folder.Write("a.yaml", PodText("a"));
  folder.Write("b.YAML", PodText("b"));
  folder.Write("c.Json", PodText("c"));
  folder.Write("d.TXT", PodText("d"));
  const Manifests read = ReadManifests({folder.path()});
  EXPECT_THAT(Texts(read.diagnostics), ElementsAre(HasSubstr("/b.YAML: warning: is not read: only names in .yaml"),
                                                   HasSubstr("/c.Json: warning: is not read")));
  EXPECT_THAT(PodNames(read.cluster), ElementsAre("a"));
  EXPECT_THAT(PodNames(ReadManifests({folder / "b.YAML"}).cluster), ElementsAre("b")) << "it was named";
}

TEST(ManifestFiles, AFileIsReadWhateverItsName) {
  const TempFolder folder;
  folder.Write("one.manifest", PodText("a") + PodText("b"));
  folder.Write("two", "apiVersion: v1\nkind: Pod\nmetadata: {name: c}\n");
  const Manifests read = ReadManifests({folder / "two", folder / "one.manifest"});
  EXPECT_THAT(Texts(read.diagnostics), IsEmpty());
  EXPECT_THAT(PodNames(read.cluster), ElementsAre("c", "a", "b"));
}

TEST(ManifestFiles, AFileThatTwoPathsNameIsReadOnce) {
  const TempFolder folder;
  folder.Write("a.yaml", PodText("a"));
  fs::create_symlink("a.yaml", folder / "b.yaml");
  fs::create_directory_symlink(".", folder / "loop");
  const Manifests read = ReadManifests({folder / "a.yaml", folder.path()});
  EXPECT_THAT(Texts(read.diagnostics), IsEmpty());
  EXPECT_THAT(PodNames(read.cluster), ElementsAre("a"));
}

TEST(ManifestFiles, AnObjectInTwoFilesIsToldOfWithBothPlaces) {
  const TempFolder folder;
  folder.Write("a.yaml", "---\n" + PodText("p"));
  folder.Write("b.yaml", PodText("q") + "---\n" + PodText("p"));
  const Manifests read = ReadManifests({folder.path()});
  EXPECT_THAT(Texts(read.diagnostics), ElementsAre((folder / "b.yaml") + ":3: note: Pod default/p: is also in " +
                                                   (folder / "a.yaml") + ":2, and means the same there"));
  EXPECT_THAT(PodNames(read.cluster), ElementsAre("p", "q"));
}

// As `kubectl apply -R -f` walks: by name, a folder's files in the folder's place.
TEST(ManifestFiles, OfAnObjectInTwoFilesTheLaterByTheOrderOfPathsAndNamesCounts) {
  const TempFolder folder;
  // By name: "a" comes before "a-b.json", "b" before "b.json".
  const std::vector<std::string> walked = {"1.yaml", "a/z.yaml", "a-b.json", "a.json", "a0.yaml", "b/a.json", "b.json"};
  for (std::size_t i = 0; i < walked.size(); ++i) {  // each has a rule more than the one before
    std::string ingress;
    for (std::size_t rule = 0; rule <= i; ++rule) ingress += rule == 0 ? "{}" : ",{}";
    folder.Write(walked[i], PolicyWithSpec(R"({"ingress":[)" + ingress + "]}"));
    const Manifests read = ReadManifests({folder.path()});
    ASSERT_THAT(read.cluster.policies, SizeIs(1));
    EXPECT_THAT(read.cluster.policies[0].ingress, SizeIs(i + 1)) << walked[i];
  }
  const Manifests read = ReadManifests({folder / "b", folder / "a", folder / "b.json", folder / "1.yaml"});
  EXPECT_THAT(read.cluster.policies[0].ingress, SizeIs(1)) << "the paths come in the order in which they are given";
}

TEST(ManifestFiles, WhatIsMissingOrEmptyIsNamed) {
  const TempFolder folder;
  folder.Write("a.yaml", PodText("a"));
  fs::create_directory(folder / "empty");
  fs::create_symlink("nowhere", folder / "dangling.yaml");
  const Manifests read = ReadManifests({folder / "missing", folder / "empty", folder.path()});
  EXPECT_THAT(Texts(read.diagnostics),
              ElementsAre((folder / "missing") + ": error: cannot be read: No such file or directory",
                          (folder / "empty") + ": warning: no .yaml, .yml or .json file in this folder",
                          (folder / "dangling.yaml") + ": error: cannot be read: No such file or directory"));
  EXPECT_THAT(PodNames(read.cluster), ElementsAre("a"));
}

TEST(ManifestFiles, UnreadableFilesAndFoldersAreNamedAndTheRestIsRead) {
  const TempFolder folder;
  folder.Write("a.yaml", PodText("a"));
  folder.Write("b.yaml", PodText("b"));
  folder.Write("c/c.yaml", PodText("c"));
  const WithoutRootsRights ordinary(folder);
  fs::permissions(folder / "b.yaml", fs::perms::none);
  fs::permissions(folder / "c", fs::perms::none);
  const Manifests read = ReadManifests({folder.path()});
  fs::permissions(folder / "c", fs::perms::owner_all);
  EXPECT_THAT(Texts(read.diagnostics), ElementsAre((folder / "c") + ": error: cannot be read: Permission denied",
                                                   (folder / "b.yaml") + ": error: cannot be read: Permission denied"));
  EXPECT_THAT(PodNames(read.cluster), ElementsAre("a"));
}

TEST(ManifestFiles, AFileOfHundredMegabytesIsReadInBoundedMemory) {
  const TempFolder folder;
  const std::string note(100'000, 'x');
  const std::string list = R"({"apiVersion":"v1","kind":"List","items":[)";
  std::ofstream out(folder / "large.json");
  out << list;
  for (int i = 0; i < 1000; ++i) {
    out << (i == 0 ? "" : ",") << R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p)" << i
        << R"(","annotations":{"note":")" << note << "\"}}}\n";
  }
  out << "]}";
  out.close();
  rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  const Manifests read = ReadManifests({folder.path()});
  getrusage(RUSAGE_SELF, &after);
  EXPECT_THAT(Texts(read.diagnostics), IsEmpty());
  EXPECT_THAT(read.cluster.pods, SizeIs(1000));
  if (test::kAddressSanitizer)
    GTEST_SKIP() << "read, but not measured: the address sanitizer keeps memory that was freed";
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 30'000) << "KiB";
}

}  // namespace
}  // namespace sluice
