// Shell completion, written from the commands that the program really has.
#include <CLI/CLI.hpp>
#include <map>
#include <set>
#include <string>

#include "sluicectl/commands.h"
#include "sluicectl/output.h"

namespace sluice {
namespace {

using Words = std::map<std::string, std::string>;  // by subcommand, separated by blanks

// What may follow a command: its options, and what it lists with theirs.
void AddWords(const CLI::App& command, std::set<std::string>& words) {
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) words.insert("--" + name);
  }
  for (const CLI::App* nested : command.get_subcommands({})) {
    words.insert(nested->get_name());
    AddWords(*nested, words);
  }
}

Words OptionsOf(const CLI::App& app) {
  Words words;
  for (const CLI::App* command : app.get_subcommands({})) {
    std::set<std::string> following;
    AddWords(*command, following);
    std::string& text = words[command->get_name()];
    for (const std::string& word : following) text += (text.empty() ? "" : " ") + word;
  }
  words["completion"] += " bash zsh";
  return words;
}

std::string Commands(const Words& words) {
  std::string text;
  for (const auto& [command, options] : words) text += (text.empty() ? "" : " ") + command;
  return text;
}

std::string BashScript(const Words& words) {
  std::string script =
      "_sluicectl() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]}\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
      "    COMPREPLY=($(compgen -W '" +
      Commands(words) +
      "' -- \"$word\"))\n"
      "    return\n"
      "  fi\n"
      "  case ${COMP_WORDS[1]} in\n";
  for (const auto& [command, options] : words) {
    script += "    " + command + ") COMPREPLY=($(compgen -W '" + options + "' -- \"$word\")) ;;\n";
  }
  return script +
         "  esac\n"
         "  case $word in\n"
         "    -*) ;;\n"
         "    *) COMPREPLY+=($(compgen -f -- \"$word\")) ;;\n"
         "  esac\n"
         "}\n"
         "complete -o filenames -F _sluicectl sluicectl\n";
}

std::string ZshScript(const Words& words) {
  std::string script =
      "#compdef sluicectl\n"
      "_sluicectl() {\n"
      "  if (( CURRENT == 2 )); then\n"
      "    compadd -- " +
      Commands(words) +
      "\n"
      "    return\n"
      "  fi\n"
      "  case $words[2] in\n";
  for (const auto& [command, options] : words) {
    script += "    " + command + ") compadd -- " + options + " ;;\n";
  }
  return script +
         "  esac\n"
         "  _files\n"
         "}\n"
         "compdef _sluicectl sluicectl\n";
}

}  // namespace

void AddCompletion(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("completion", "Print a completion script for a shell.");
  auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash or zsh")->required()->check(CLI::IsMember({"bash", "zsh"}));
  command->footer("Example: source <(sluicectl completion bash)");
  command->callback([&app, shell, exit_code] {
    const Words words = OptionsOf(app);
    Output output;
    output << (*shell == "bash" ? BashScript(words) : ZshScript(words));
    *exit_code = output.Flush() ? kExitFine : kExitBadInput;
  });
}

}  // namespace sluice
