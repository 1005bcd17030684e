// Shell completion, generated from the program's real commands and options.
#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sluicectl/commands.h"
#include "sluicectl/output.h"

namespace sluice {
namespace {

// What may follow, for example, "get flows".
struct Following {
  std::set<std::string> words;  // commands, or the words that may stand in a command's place
  std::set<std::string> options;
  bool files = false;                         // a file name may follow
  std::map<std::string, std::string> values;  // by option that takes a value: its possible values, separated by blanks
};
using Paths = std::map<std::string, Following>;

constexpr const char* kAnyFile = "*";  // instead of values

// CLI11 describes an option's values as "TEXT:{table,json}"; "PATH" and "FILE" are our own names.
std::string ValuesOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  if (type.starts_with("PATH") || type.starts_with("FILE")) return kAnyFile;
  const std::size_t begin = type.find('{');
  const std::size_t end = type.find('}');
  if (begin == type.npos || end == type.npos) return "";
  std::string values = type.substr(begin + 1, end - begin - 1);
  for (char& c : values) c = c == ',' ? ' ' : c;
  return values;
}

void AddPaths(const CLI::App& command, const std::string& path, Paths& paths) {
  Following& following = paths[path];
  for (const CLI::Option* option : command.get_options()) {
    const std::string values = ValuesOf(*option);
    if (option->get_positional()) {
      if (values == kAnyFile) {
        following.files = true;
      } else if (!values.empty()) {
        following.words.insert(values);
      }
    }
    const bool takes_value = option->get_expected_max() > 0;
    for (const std::string& name : option->get_lnames()) {
      following.options.insert("--" + name);
      if (takes_value) following.values["--" + name] = values;
    }
    for (const std::string& name : option->get_snames()) {
      if (takes_value) following.values["-" + name] = values;
    }
  }
  for (const CLI::App* nested : command.get_subcommands({})) {
    following.words.insert(nested->get_name());
    AddPaths(*nested, path.empty() ? nested->get_name() : path + ' ' + nested->get_name(), paths);
  }
}

std::string Joined(const std::set<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// The part that bash and zsh share: $typed becomes the command so far ($path is zsh's own), $candidates what may
// follow, and $files is set if a file may follow. `words` is the array of typed words, `current` the index of the
// present word, and `first` the index of the first word after the program's name.
std::string CommonScript(const Paths& paths, const std::string& words, const std::string& current, int first) {
  std::string known;
  std::string values;
  std::string words_of_paths;
  for (const auto& [path, following] : paths) {
    if (!path.empty()) known += (known.empty() ? "'" : " | '") + path + '\'';
    for (const auto& [option, taken] : following.values) {
      values += "    '" + path + ':' + option + "') ";
      values += taken == kAnyFile ? "files=1" : "candidates='" + taken + '\'';
      values += " ;;\n";
    }
    words_of_paths += "        '" + path + "') candidates='" + Joined(following.words) + "' options='" +
                      Joined(following.options) + '\'' + (following.files ? " files=1" : "") + " ;;\n";
  }
  return "  local typed='' candidates='' options='' files='' i\n"
         "  for ((i = " +
         std::to_string(first) + "; i < " + current + "; ++i)); do\n    case \"${typed:+$typed }${" + words +
         "[i]}\" in\n      " + known + ") typed=\"${typed:+$typed }${" + words +
         "[i]}\" ;;\n    esac\n  done\n  case \"$typed:${" + words + "[" + current + " - 1]}\" in\n" + values +
         "    *)\n      case $typed in\n" + words_of_paths +
         "      esac\n"
         "      case ${" +
         words + "[" + current +
         "]} in\n"
         "        -*) candidates=$options files='' ;;\n"
         "        *) candidates=${candidates:-${files:+ }} candidates=${candidates:-$options} ;;\n"
         "      esac\n"
         "      ;;\n"
         "  esac\n";
}

std::string BashScript(const Paths& paths) {
  return "_sluicectl() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]}\n" +
         CommonScript(paths, "COMP_WORDS", "COMP_CWORD", 1) +
         "  COMPREPLY=($(compgen -W \"$candidates\" -- \"$word\"))\n"
         "  if [ -n \"$files\" ]; then COMPREPLY+=($(compgen -f -- \"$word\")); fi\n"
         "}\n"
         "complete -o filenames -F _sluicectl sluicectl\n";
}

std::string ZshScript(const Paths& paths) {
  return "#compdef sluicectl\n"
         "_sluicectl() {\n" +
         CommonScript(paths, "words", "CURRENT", 2) +
         "  compadd -- ${=candidates}\n"
         "  if [ -n \"$files\" ]; then _files; fi\n"
         "}\n"
         // If compinit found it, all of it is the function's body at the first call. If it is sourced, it is not.
         "if [ \"${funcstack[1]}\" = _sluicectl ]; then _sluicectl \"$@\"; else compdef _sluicectl sluicectl; fi\n";
}

}  // namespace

void AddCompletion(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("completion", "Print a completion script for a shell.");
  auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash or zsh")->required()->check(CLI::IsMember({"bash", "zsh"}));
  command->footer(
      "Examples:\n"
      "  source <(sluicectl completion bash)\n"
      "  sluicectl completion zsh > ~/.zsh/completions/_sluicectl");
  command->callback([&app, shell, exit_code] {
    Paths paths;
    AddPaths(app, "", paths);
    Output output;
    output << (*shell == "bash" ? BashScript(paths) : ZshScript(paths));
    *exit_code = output.Flush() ? kExitFine : kExitBadInput;
  });
}

}  // namespace sluice
