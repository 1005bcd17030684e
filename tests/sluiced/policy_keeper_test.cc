// A start and a process that goes on come to the same policy from the same files.
#include "sluiced/policy_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <random>

#include "control/temp_folder.h"

namespace sluice {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

using Broken = PolicyKeeper::Broken;

constexpr const char* kPods = R"(
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
status: {phase: Running, podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: db, labels: {app: db}}
status: {phase: Running, podIP: 10.0.0.2}
)";

constexpr const char* kNoYaml = "kind: [\n";

// One that admits the port alone.
std::string Policy(const std::string& name, const std::string& app, int port) {
  return "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: " + name +
         "}\nspec: {podSelector: {matchLabels: {app: " + app + "}}, ingress: [{ports: [{port: " + std::to_string(port) +
         "}]}]}\n";
}

// The one process, or one after the other.
class Process {
 public:
  Process(const std::string& manifests, Broken broken, std::unique_ptr<StateFile> state)
      : intake_(
            {}, [](const auto&) {}, std::move(state)),
        keeper_({manifests}, {}, broken, intake_) {}

  Reload Load() {
    keeper_.Ask();
    std::optional<Reload> reload;
    while (!(reload = keeper_.Step())) usleep(500);
    return *std::move(reload);
  }
  bool has_policy() const { return intake_.store().table()->has_policy(); }
  std::string Dump() const {
    return intake_.store().Read([](const ResolvedPolicy& policy, const Table&) { return policy.Dump(); });
  }
  IntakeStatus status() const { return intake_.status(); }

 private:
  PolicyIntake intake_;
  PolicyKeeper keeper_;
};

std::string TextOf(const Diagnostics& diagnostics) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics) text += diagnostic.ToString() + '\n';
  return text;
}

class PolicyKeeperTest : public testing::Test {
 protected:
  PolicyKeeperTest() {
    folder_.Write("manifests/pods.yaml", kPods);
    folder_.Write("manifests/web.yaml", Policy("web", "web", 80));
  }
  ~PolicyKeeperTest() override { process_.reset(); }

  void Write(const std::string& name, const std::string& text) const { folder_.Write("manifests/" + name, text); }
  std::string Path(const std::string& name) const { return folder_ / ("manifests/" + name); }

  std::unique_ptr<StateFile> OpenState() const {
    StateSettings settings = ManifestStateSettings(folder_ / "state", folder_ / "run");
    settings.patience = std::chrono::minutes(1);
    auto opened = StateFile::Open(std::move(settings), [](std::string_view) {});
    EXPECT_TRUE(std::holds_alternative<std::unique_ptr<StateFile>>(opened));
    return std::get<std::unique_ptr<StateFile>>(std::move(opened));
  }
  Reload Start(Broken broken = Broken::kNoPolicy) {
    process_.reset();
    process_ = std::make_unique<Process>(folder_ / "manifests", broken, nullptr);
    return process_->Load();
  }
  Reload StartWithState() {
    process_.reset();
    process_ = std::make_unique<Process>(folder_ / "manifests", Broken::kNoPolicy, OpenState());
    return process_->Load();
  }

  TempFolder folder_;
  std::unique_ptr<Process> process_;
};

TEST_F(PolicyKeeperTest, FileThatIsNoYamlAtAStartMeansNoPolicyUntilItCanBeRead) {
  Write("web.yaml", kNoYaml);
  const Reload closed = Start();
  EXPECT_EQ(closed.table, nullptr);
  EXPECT_FALSE(process_->has_policy());
  EXPECT_THAT(TextOf(closed.diagnostics),
              HasSubstr(Path("web.yaml") + ": error: cannot be read whole, and what it held"));
  ASSERT_THAT(process_->status().last_refusal, SizeIs(1));
  EXPECT_EQ(process_->status().last_refusal[0].object, "manifest " + Path("web.yaml"));
  process_->Load();
  EXPECT_FALSE(process_->has_policy()) << "it was looked at before";
  Write("web.yaml", Policy("web", "web", 81));
  EXPECT_NE(process_->Load().table, nullptr);
  EXPECT_TRUE(process_->has_policy());
  EXPECT_THAT(process_->status().last_refusal, IsEmpty());
}

TEST_F(PolicyKeeperTest, FileThatIsNoYamlAtAStartIsSkippedWhereThatIsSaid) {
  Write("broken.yaml", kNoYaml);
  EXPECT_NE(Start(Broken::kSkip).table, nullptr);
  EXPECT_THAT(process_->Dump(), HasSubstr("default/web"));
}

TEST_F(PolicyKeeperTest, FileThatStopsBeingYamlKeepsItsPolicyAndARestartWithoutStateHasNone) {
  Start();
  const std::string before = process_->Dump();
  Write("web.yaml", kNoYaml);
  EXPECT_NE(process_->Load().table, nullptr);
  EXPECT_EQ(process_->Dump(), before);
  Start();
  EXPECT_FALSE(process_->has_policy());
}

TEST_F(PolicyKeeperTest, FileThatStopsBeingYamlComesBackFromTheState) {
  StartWithState();
  const std::string before = process_->Dump();
  Write("web.yaml", kNoYaml);
  process_->Load();
  for (int restart = 0; restart < 3; ++restart) {
    const Reload reload = StartWithState();
    EXPECT_NE(reload.table, nullptr) << TextOf(reload.diagnostics);
    EXPECT_EQ(process_->Dump(), before);
    EXPECT_THAT(TextOf(reload.diagnostics),
                HasSubstr("1 objects that it held when it was last readable stay in force"));
  }
}

TEST_F(PolicyKeeperTest, FileThatBreaksWhileNobodyRunsComesBackFromTheState) {
  StartWithState();
  const std::string before = process_->Dump();
  process_.reset();
  Write("web.yaml", kNoYaml);
  StartWithState();
  EXPECT_EQ(process_->Dump(), before);
}

TEST_F(PolicyKeeperTest, EachObjectHasItsOwnLastGoodVersion) {
  Write("both.yaml", Policy("one", "web", 1) + Policy("two", "db", 1));
  StartWithState();
  const auto refused = [](const std::string& name) {
    return "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: " + name +
           "}\nspec: {podSelector: {}, ingress: [{ports: [{port: 99999}]}]}\n";
  };
  Write("both.yaml", Policy("one", "web", 2) + refused("two"));
  process_->Load();
  Write("both.yaml", refused("one") + refused("two"));
  process_->Load();
  const std::string before = process_->Dump();
  EXPECT_THAT(before, HasSubstr("TCP/2"));
  EXPECT_THAT(before, HasSubstr("TCP/1"));
  StartWithState();
  EXPECT_EQ(process_->Dump(), before);
}

TEST_F(PolicyKeeperTest, WhatIsRemovedDoesNotComeBack) {
  StartWithState();
  Write("web.yaml", kNoYaml);
  process_->Load();
  std::filesystem::remove(Path("web.yaml"));
  StartWithState();
  EXPECT_THAT(process_->Dump(), Not(HasSubstr("default/web:")));
  EXPECT_TRUE(process_->has_policy());
}

// It was in force without that file, and so it is again.
TEST_F(PolicyKeeperTest, FileThatNeverCouldBeReadKeepsNobodyFromStartingAgain) {
  StartWithState();
  Write("never.yaml", kNoYaml);
  process_->Load();
  const std::string before = process_->Dump();
  EXPECT_TRUE(process_->has_policy());
  StartWithState();
  EXPECT_TRUE(process_->has_policy());
  EXPECT_EQ(process_->Dump(), before);
}

TEST_F(PolicyKeeperTest, FileThatTheStateDoesNotKnowMeansNoPolicy) {
  StartWithState();
  process_.reset();
  Write("new.yaml", kNoYaml);
  StartWithState();
  EXPECT_FALSE(process_->has_policy());
  std::filesystem::remove(Path("new.yaml"));
  process_->Load();
  EXPECT_TRUE(process_->has_policy());
}

TEST_F(PolicyKeeperTest, FolderThatCannotBeReadComesBackFromTheState) {
  Write("sub/db.yaml", Policy("db", "db", 5432));
  StartWithState();
  const std::string before = process_->Dump();
  process_.reset();
  const WithoutRootsRights rights(folder_);
  std::filesystem::permissions(Path("sub"), std::filesystem::perms::none);
  const Reload reload = StartWithState();
  EXPECT_EQ(process_->Dump(), before) << TextOf(reload.diagnostics);
  process_.reset();
  std::filesystem::permissions(Path("sub"), std::filesystem::perms::owner_all);
}

TEST_F(PolicyKeeperTest, StateThatCannotBeUsedIsSaidAndNeededOnlyForWhatCannotBeRead) {
  StartWithState();
  process_.reset();
  const std::string state = folder_ / "state/policy.state";
  std::filesystem::resize_file(state, std::filesystem::file_size(state) - 1);
  Reload reload = StartWithState();
  EXPECT_THAT(TextOf(reload.diagnostics), HasSubstr("policy.state' is refused: a record is damaged"));
  EXPECT_TRUE(process_->has_policy());
  process_.reset();
  folder_.Write("state/policy.state", "sluice policy 1\n");
  Write("web.yaml", kNoYaml);
  reload = StartWithState();
  EXPECT_THAT(TextOf(reload.diagnostics), HasSubstr("is refused: it does not begin with 'sluice manifests 1'"));
  EXPECT_FALSE(process_->has_policy());
}

TEST_F(PolicyKeeperTest, WhatTheDiskDoesNotTakeIsSaidAndNotComeBackTo) {
  StartWithState();
  std::filesystem::remove(folder_ / "state/policy.state");
  std::filesystem::create_directories(folder_ / "state/policy.state/blocked");
  Write("web.yaml", Policy("web", "web", 81));
  const Reload reload = process_->Load();
  EXPECT_NE(reload.table, nullptr);
  EXPECT_THAT(TextOf(reload.diagnostics), HasSubstr("a restart would begin with no policy until a full state comes"));
  EXPECT_NE(process_->status().not_kept, "");
  process_.reset();
  std::filesystem::remove_all(folder_ / "state/policy.state");
  Write("web.yaml", kNoYaml);
  EXPECT_THAT(TextOf(StartWithState().diagnostics), HasSubstr("lacks policy that was in force"));
  EXPECT_FALSE(process_->has_policy());
  Write("web.yaml", Policy("web", "web", 82));
  process_->Load();
  EXPECT_TRUE(process_->has_policy());
  EXPECT_EQ(process_->status().not_kept, "");
}

// Beside a process that is started again and again runs one that never is.
TEST_F(PolicyKeeperTest, RandomEditsAndRestartsComeToWhatAProcessThatGoesOnHas) {
  constexpr int kSeeds = 8, kSteps = 40;
  for (std::uint32_t seed = 1; seed <= kSeeds; ++seed) {
    std::mt19937 random(seed);
    std::filesystem::remove_all(folder_ / "manifests");
    std::filesystem::remove_all(folder_ / "state");
    Write("pods.yaml", kPods);
    Process goes_on(folder_ / "manifests", Broken::kNoPolicy, nullptr);
    goes_on.Load();
    StartWithState();
    for (int step = 0; step < kSteps; ++step) {
      const std::string name = std::string(1, static_cast<char>('a' + random() % 3));
      const std::string refused =
          "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: " + name +
          "}\nspec: {podSelector: {}, ingress: {}}\n";
      const int port = static_cast<int>(1 + random() % 9);
      switch (random() % 6) {
        case 0:
          Write(name + ".yaml", kNoYaml);
          break;
        case 1:
          Write(name + ".yaml", refused);
          break;
        case 2:
          Write(name + ".yaml", Policy(name, "web", port) + "---\n" + kNoYaml);
          break;
        case 3:
          std::filesystem::remove(Path(name + ".yaml"));
          break;
        default:
          Write(name + ".yaml", Policy(name, random() % 2 == 0 ? "web" : "db", port));
      }
      goes_on.Load();
      process_->Load();
      if (random() % 2 == 0) StartWithState();
      ASSERT_TRUE(process_->has_policy()) << "seed " << seed << ", step " << step;
      ASSERT_EQ(process_->Dump(), goes_on.Dump()) << "seed " << seed << ", step " << step;
    }
    process_.reset();
  }
}

}  // namespace
}  // namespace sluice
