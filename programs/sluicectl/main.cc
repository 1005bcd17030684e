// sluicectl: the operator's tool.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "common/arguments.h"
#include "sluice/printable.h"
#include "sluicectl/commands.h"
#include "sluicectl/heap.h"

namespace {

bool IsCommand(const CLI::App& app, const std::string& word) {
  return !app.get_subcommands([&](const CLI::App* one) { return one->get_name() == word; }).empty();
}

// Moves words before the command, as in `sluicectl --target HOST:PORT status`, to the end: here an option belongs to
// its command, but kubectl's users write it on either side.
std::vector<std::string> CommandFirst(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  const auto command =
      std::find_if(words.begin(), words.end(), [&](const std::string& word) { return IsCommand(app, word); });
  if (command != words.end()) std::rotate(words.begin(), command, words.end());
  return words;
}

// Whether some command has this option, and the option takes a value.
bool TakesValue(const CLI::App& app, const std::string& option) {
  const CLI::Option* own = app.get_option_no_throw(option);
  if (own != nullptr) return own->get_expected_max() > 0;
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  return std::any_of(commands.begin(), commands.end(), [&](const CLI::App* one) { return TakesValue(*one, option); });
}

// Returns the first word that is neither an option nor an option's value; empty: there is none.
std::string FirstPlainWord(const CLI::App& app, const std::vector<std::string>& words) {
  for (auto word = words.begin(); word != words.end(); ++word) {
    if (!word->starts_with('-')) return *word;
    if (TakesValue(app, *word) && std::next(word) != words.end()) ++word;
  }
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  sluice::PrepareHeap();
  CLI::App app("Asks what Sluice's policy says: of a running sluiced, or offline from manifests.");
  app.name("sluicectl");
  sluice::AnswerInPlainLines(app);
  app.require_subcommand(0, 1);  // any other word is then reported as unexpected, by its name
  app.set_version_flag("--version", "sluicectl " SLUICE_VERSION);
  app.footer(
      "Exit codes: 0 fine; 1 an expectation is not met, something differs or is not there; 2 bad input, or nobody "
      "answers.\n"
      "Examples:\n"
      "  sluicectl status\n"
      "  sluicectl drops --follow -n shop\n"
      "  sluicectl check --manifests examples --flows flows.jsonl");
  int exit_code = sluice::kExitFine;
  sluice::AddStatus(app, &exit_code);
  sluice::AddGet(app, &exit_code);
  sluice::AddDescribe(app, &exit_code);
  sluice::AddCapture(app, &exit_code);
  sluice::AddDrops(app, &exit_code);
  sluice::AddFlows(app, &exit_code);
  sluice::AddTop(app, &exit_code);
  sluice::AddStaged(app, &exit_code);
  sluice::AddUi(app, &exit_code);
  sluice::AddSuggest(app, &exit_code);
  sluice::AddUnused(app, &exit_code);
  sluice::AddDiff(app, &exit_code);
  sluice::AddCheck(app, &exit_code);
  sluice::AddExplain(app, &exit_code);
  sluice::AddLint(app, &exit_code);
  sluice::AddConvert(app, &exit_code);
  sluice::AddReplay(app, &exit_code);
  sluice::AddVerify(app, &exit_code);
  sluice::AddVersion(app, &exit_code);
  sluice::AddCompletion(app, &exit_code);
  try {
    std::vector<std::string> words = CommandFirst(app, argc, argv);
    const bool names_command = !words.empty() && IsCommand(app, words.front());
    if (const std::string word = FirstPlainWord(app, words); !names_command && !word.empty()) {
      std::fprintf(stderr, "error: '%s' is no command; sluicectl --help lists them\n", sluice::Printable(word).c_str());
      return sluice::kExitBadInput;
    }
    std::reverse(words.begin(), words.end());  // the order that parse expects
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? sluice::kExitFine : sluice::kExitBadInput;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", sluice::Printable(error.what()).c_str());
    return sluice::kExitBadInput;
  }
  if (app.get_subcommands().empty()) {
    std::fputs("error: say what to do; sluicectl --help lists the commands\n", stderr);
    return sluice::kExitBadInput;
  }
  return exit_code;
}
