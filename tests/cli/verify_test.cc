// `sluicectl verify`, and the commands that need no manifests.
#include <gmock/gmock.h>

#include <cstdlib>

#include "cli/command.h"
#include "reference/random_world.h"
#include "reference/world.h"

namespace sluice::test {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

class Verify : public CommandTest {};

TEST_F(Verify, ComparesAllClassesWhereTheBudgetHoldsThem) {
  Write("shop.yaml", kShop);
  const auto result = Run({"verify", "--manifests", "shop.yaml"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out,
              MatchesRegex("compiled and reference agree on all [0-9]+ classes of traffic: [0-9]+ classes of "
                           "addresses, [0-9]+ of protocols and ports\n"));
}

TEST_F(Verify, SaysThatItTookASample) {
  Write("shop.yaml", kShop);
  const auto result = Run({"verify", "--manifests", "shop.yaml", "--budget", "100"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out,
              MatchesRegex("compiled and reference agree on a uniform sample of 100 out of [0-9]+ classes.*\n"));
}

TEST_F(Verify, RandomWorldHoldsThroughItsManifests) {
  const RandomWorld world(TestSeed(), {.cluster_policies = 0});
  Write("world.json", ToManifest(world.cluster()));
  const auto result = Run({"verify", "--manifests", "world.json", "--budget", "500000"});
  EXPECT_NE(result.exit_code, 1) << "SLUICE_TEST_SEED=" << TestSeed() << '\n' << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("compiled and reference agree"));
}

TEST_F(Verify, BadInputExits2) {
  EXPECT_EQ(Run({"verify", "--manifests", "none"}).exit_code, 2);
  Write("shop.yaml", kShop);
  EXPECT_EQ(Run({"verify", "--manifests", "shop.yaml", "--budget", "0"}).exit_code, 2);
}

class Commands : public CommandTest {};

TEST_F(Commands, EveryHelpHasAnExample) {
  EXPECT_THAT(Run({"--help"}).out, HasSubstr("Example"));
  for (const char* command : {"capture", "check", "completion", "describe", "diff", "drops", "explain", "get", "replay",
                              "status", "top", "ui", "unused", "verify", "version"}) {
    const auto result = Run({command, "--help"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.out, HasSubstr(std::string("sluicectl ") + command)) << command;
    EXPECT_THAT(result.out, HasSubstr("Example")) << command;
  }
}

TEST_F(Commands, VersionIsTheProjects) {
  const auto result = Run({"version", "--client"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, MatchesRegex("client version: [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST_F(Commands, VersionIsToldWhereNobodyAnswers) {
  const auto result = Run({"version", "--target", "unix:/nowhere.sock", "-o", "yaml"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, MatchesRegex("client:\n  version: \"[0-9.]+\"\n"));
  EXPECT_THAT(result.err, HasSubstr("nobody answers at unix:/nowhere.sock"));
}

TEST_F(Commands, CompletionIsAScriptThatTheShellReads) {
  for (const char* shell : {"bash", "zsh"}) {
    const auto result = Run({"completion", shell});
    EXPECT_EQ(result.exit_code, 0);
    for (const char* word : {"check", "--manifests", "--engine", "--budget"}) EXPECT_THAT(result.out, HasSubstr(word));
  }
  Write("script", Run({"completion", "bash"}).out);
  const std::string command = "bash -c 'source " + Path("script") +
                              "; COMP_WORDS=(sluicectl ver); COMP_CWORD=1; _sluicectl; echo \"${COMPREPLY[*]}\"' > " +
                              Path("words");
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(Read("words"), "verify version\n");
  const auto complete = [&](const std::string& words, int current) {
    const std::string script = "bash -c 'source " + Path("script") + "; COMP_WORDS=(sluicectl " + words +
                               "); COMP_CWORD=" + std::to_string(current) +
                               "; _sluicectl; echo \"${COMPREPLY[*]}\"' > " + Path("words");
    EXPECT_EQ(std::system(script.c_str()), 0);
    return Read("words");
  };
  EXPECT_EQ(complete("get po", 2), "policies ports\n");
  EXPECT_EQ(complete("get flows --sta", 3), "--state\n");
  EXPECT_EQ(complete("get flows --output j", 4), "json\n");
  EXPECT_EQ(complete("drops --follow --reason tcp_b", 4), "tcp_bad_flags\n");
  EXPECT_EQ(Run({"completion", "fish"}).exit_code, 2);
}

// As compinit finds it, a file of the function's name, of which the first call must answer already; and sourced.
TEST_F(Commands, CompletionAnswersZshAtTheFirstTab) {
  if (std::system("zsh -fc true 2>/dev/null") != 0) GTEST_SKIP() << "there is no zsh";
  Write("_sluicectl", Run({"completion", "zsh"}).out);
  const std::string folder = Path("_sluicectl").substr(0, Path("_sluicectl").rfind('/'));
  for (const std::string& load : {"fpath=(" + folder + "); autoload -Uz _sluicectl", "source " + Path("_sluicectl")}) {
    const std::string script = "zsh -fc 'compdef() { :; }; compadd() { shift; print -r -- $*; }; " + load +
                               "; words=(sluicectl get flows -o w); CURRENT=5; _sluicectl' > " + Path("words");
    EXPECT_EQ(std::system(script.c_str()), 0);
    EXPECT_EQ(Read("words"), "table wide json yaml\n") << load;
  }
}

TEST_F(Commands, NoOrUnknownCommandExits2) {
  EXPECT_EQ(Run({}).exit_code, 2);
  EXPECT_EQ(Run({"frobnicate"}).exit_code, 2);
}

}  // namespace
}  // namespace sluice::test
