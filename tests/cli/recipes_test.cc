// examples/recipes: each policy does what its paragraph and its flows say, alone and beside all others.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "cli/command.h"

namespace sluice::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string kRecipes = kExamples + "/recipes";

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kRecipes)) {
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string TextOf(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

class Recipe : public CommandTest, public testing::WithParamInterface<std::string> {
 protected:
  std::string File(const std::string& name) const { return kRecipes + '/' + GetParam() + '/' + name; }
  CommandResult Check(const std::string& manifests) const {
    return Run({"check", "--manifests", manifests, "--flows", File("flows.jsonl"), "--engine", "both"});
  }
};

TEST_P(Recipe, DoesWhatItsFlowsExpect) {
  const auto result = Check(kRecipes + '/' + GetParam());
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.err, AllOf(Not(HasSubstr("error")), Not(HasSubstr("warning"))));
  EXPECT_THAT(TextOf(File("flows.jsonl")), AllOf(HasSubstr("\"allow\""), HasSubstr("\"deny\"")));
}

TEST_P(Recipe, IsWhatItsFlowsDependOn) { EXPECT_EQ(Check(File("cluster.yaml")).exit_code, 1); }

TEST_P(Recipe, IsNoOtherThanBesideAllOthers) {
  const auto result = Check(kExamples);
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
}

TEST_P(Recipe, IsDescribedAndListed) {
  EXPECT_THAT(TextOf(File("README.md")), HasSubstr("# "));
  EXPECT_THAT(TextOf(kRecipes + "/README.md"), HasSubstr("](" + GetParam() + "/README.md)"));
}

INSTANTIATE_TEST_SUITE_P(Examples, Recipe, testing::ValuesIn(Names()), [](const auto& name) {
  std::string text = name.param;
  std::replace(text.begin(), text.end(), '-', '_');
  return text;
});

class Recipes : public CommandTest {};

TEST_F(Recipes, LeaveTheQuickstartAsItIs) {
  EXPECT_THAT(Names(), Not(IsEmpty()));
  const auto result =
      Run({"check", "--manifests", kExamples, "--flows", kExamples + "/flows.jsonl", "--engine", "both"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.err, AllOf(Not(HasSubstr("error")), Not(HasSubstr("warning")), Not(HasSubstr("note"))));
}

}  // namespace
}  // namespace sluice::test
