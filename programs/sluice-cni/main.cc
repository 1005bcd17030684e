// sluice-cni: the CNI plugin `sluice` if a runtime calls it (CNI_COMMAND is set), else the plugin's installer.
#include <poll.h>
#include <sys/signalfd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <string>
#include <variant>

#include "cni/attachment.h"
#include "cni/install.h"
#include "cni/plugin.h"
#include "common/arguments.h"

namespace sluice {
namespace {

constexpr int kExitFine = 0;
constexpr int kExitFailed = 1;
constexpr int kExitBadInput = 2;
constexpr int kTickMs = 1000;  // failed work is tried again

int RunAsPlugin() {
  const std::string input(std::istreambuf_iterator<char>(std::cin), {});
  const PluginOutcome outcome = RunPlugin(CniEnvironment::Read(), input);
  std::fputs(outcome.words.c_str(), stderr);
  std::fputs(outcome.output.c_str(), stdout);
  return outcome.exit_code;
}

// Prints what was done. False: it failed, which is printed, but not twice in a row.
bool Tell(const std::variant<Installed, std::string>& result, std::string& trouble) {
  const auto* error = std::get_if<std::string>(&result);
  if (error != nullptr && *error != trouble) std::fprintf(stderr, "sluice-cni: %s\n", error->c_str());
  trouble = error != nullptr ? *error : "";
  if (error != nullptr) return false;
  for (const std::string& line : std::get<Installed>(result).done)
    std::fprintf(stderr, "sluice-cni: %s\n", line.c_str());
  return true;
}

int OpenSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT}) sigaddset(&set, signal);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

// Runs until a signal: whenever the folder changes, it puts the entry back.
int Follow(const CniFolders& folders, const PluginEntry& entry) {
  const int signals = OpenSignals();
  FolderNews news(folders.configurations);
  std::string trouble;
  bool is_in_place = false;
  bool is_due = true;
  while (true) {
    if (is_due) is_in_place = Tell(InstallEntry(folders, entry), trouble);
    pollfd wanted[] = {{signals, POLLIN, 0}, {news.fd(), POLLIN, 0}};
    poll(wanted, 2, kTickMs);
    if (wanted[0].revents != 0) break;
    is_due = news.Take() || !is_in_place;
  }
  std::fputs("sluice-cni: ended; the plugin stays (`sluice-cni uninstall` takes it away)\n", stderr);
  return kExitFine;
}

int Install(const CniFolders& folders, const PluginEntry& entry, bool follows) {
  std::string trouble;
  if (!Tell(InstallProgram("/proc/self/exe", folders), trouble)) return kExitFailed;
  if (follows) return Follow(folders, entry);
  return Tell(InstallEntry(folders, entry), trouble) ? kExitFine : kExitFailed;
}

int Uninstall(const CniFolders& folders, bool with_program) {
  std::string trouble;
  if (!Tell(UninstallEntry(folders), trouble)) return kExitFailed;
  return !with_program || Tell(UninstallProgram(folders), trouble) ? kExitFine : kExitFailed;
}

int ShowStatus(const CniFolders& folders) {
  const std::string missing = WhatIsMissing(folders);
  std::puts(missing.empty() ? "in place" : missing.c_str());
  return missing.empty() ? kExitFine : kExitFailed;
}

int RunAsInstaller(int argc, char** argv) {
  CniFolders folders;
  PluginEntry entry;
  bool follows = false;
  bool with_program = false;
  CLI::App app("The CNI plugin of Sluice: no packet of a pod before its policy. This installs it.");
  app.name("sluice-cni");
  AnswerInPlainLines(app);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--conf-dir", folders.configurations, "the runtime's networks [/etc/cni/net.d]")->type_name("DIR");
  app.add_option("--bin-dir", folders.programs, "the runtime's plugins [/opt/cni/bin]")->type_name("DIR");
  CLI::App* const install =
      app.add_subcommand("install", "put the plugin and its entry, the last of the conflist, in place");
  install->add_flag("--follow", follows,
                    "go on, and put the entry back when somebody else writes the file; SIGTERM ends it");
  install->add_option("--socket", entry.socket, "where sluice-sync listens [" + std::string(kDefaultPluginSocket) + "]")
      ->type_name("PATH");
  install->add_option("--bpffs", entry.bpffs, "BPF file system where hooks are pinned [/sys/fs/bpf]")->type_name("DIR");
  CLI::App* const uninstall = app.add_subcommand("uninstall", "take the entry out of every conflist");
  uninstall->add_flag("--with-program", with_program,
                      "take the plugin too; containers that were made with it may then not be taken down");
  CLI::App* const status = app.add_subcommand("status", "whether both are in place; exit 1 where not");
  app.set_version_flag("--version", "sluice-cni " SLUICE_VERSION);
  app.footer(
      "Called with CNI_COMMAND set, it is the plugin.\n"
      "Exit codes: 0 fine; 1 it could not be done; 2 bad input.\n"
      "Example: sluice-cni install --follow\n"
      "         sluice-cni uninstall");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitFine : kExitBadInput;
  }
  for (const std::string* path : {&entry.socket, &entry.bpffs}) {
    if (path->empty() || path->starts_with('/')) continue;
    std::fprintf(stderr, "sluice-cni: '%s': wants a path that begins with /\n", path->c_str());
    return kExitBadInput;
  }
  if (status->parsed()) return ShowStatus(folders);
  if (uninstall->parsed()) return Uninstall(folders, with_program);
  return Install(folders, entry, follows);
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  if (std::getenv("CNI_COMMAND") != nullptr && argc == 1) return sluice::RunAsPlugin();
  return sluice::RunAsInstaller(argc, argv);
}
