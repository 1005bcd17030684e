// sluicectl: the operator's tool.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
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

// What stands before the command, as in `sluicectl --target HOST:PORT status`, goes behind all: an option belongs to
// its command here, and kubectl's users write it on either side.
std::vector<std::string> CommandFirst(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  const auto command =
      std::find_if(words.begin(), words.end(), [&](const std::string& word) { return IsCommand(app, word); });
  if (command != words.end()) std::rotate(words.begin(), command, words.end());
  return words;
}

}  // namespace

int main(int argc, char** argv) {
  sluice::PrepareHeap();
  CLI::App app("Asks what Sluice's policy says: of a running sluiced, or offline from manifests.");
  app.name("sluicectl");
  sluice::AnswerInPlainLines(app);
  app.require_subcommand(0, 1);  // what is no command is then called unexpected, by its name
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
  sluice::AddDrops(app, &exit_code);
  sluice::AddTop(app, &exit_code);
  sluice::AddSuggest(app, &exit_code);
  sluice::AddUnused(app, &exit_code);
  sluice::AddDiff(app, &exit_code);
  sluice::AddCheck(app, &exit_code);
  sluice::AddExplain(app, &exit_code);
  sluice::AddLint(app, &exit_code);
  sluice::AddReplay(app, &exit_code);
  sluice::AddVerify(app, &exit_code);
  sluice::AddVersion(app, &exit_code);
  sluice::AddCompletion(app, &exit_code);
  try {
    std::vector<std::string> words = CommandFirst(app, argc, argv);
    if (!words.empty() && !words.front().starts_with('-') && !IsCommand(app, words.front())) {
      std::fprintf(stderr, "error: '%s' is no command; sluicectl --help lists them\n",
                   sluice::Printable(words.front()).c_str());
      return sluice::kExitBadInput;
    }
    std::reverse(words.begin(), words.end());  // as parse wants them
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
