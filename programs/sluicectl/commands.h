// The subcommands of sluicectl, one file each.
#ifndef SLUICE_PROGRAMS_SLUICECTL_COMMANDS_H_
#define SLUICE_PROGRAMS_SLUICECTL_COMMANDS_H_

namespace CLI {
class App;
}

namespace sluice {

// Exit codes of every command.
inline constexpr int kExitFine = 0;
inline constexpr int kExitDiffers = 1;  // an expectation is not met, engines differ, or a named object does not exist
inline constexpr int kExitBadInput = 2;

// Each adds its subcommand to `app`. If that one is chosen, it stores its exit code in *exit_code.
void AddCapture(CLI::App& app, int* exit_code);
void AddCheck(CLI::App& app, int* exit_code);
void AddConvert(CLI::App& app, int* exit_code);
void AddDescribe(CLI::App& app, int* exit_code);
void AddDiff(CLI::App& app, int* exit_code);
void AddDrops(CLI::App& app, int* exit_code);
void AddExplain(CLI::App& app, int* exit_code);
void AddFlows(CLI::App& app, int* exit_code);
void AddGet(CLI::App& app, int* exit_code);
void AddLint(CLI::App& app, int* exit_code);
void AddReplay(CLI::App& app, int* exit_code);
void AddStaged(CLI::App& app, int* exit_code);
void AddStatus(CLI::App& app, int* exit_code);
void AddSuggest(CLI::App& app, int* exit_code);
void AddUi(CLI::App& app, int* exit_code);
void AddTop(CLI::App& app, int* exit_code);
void AddUnused(CLI::App& app, int* exit_code);
void AddVerify(CLI::App& app, int* exit_code);
void AddVersion(CLI::App& app, int* exit_code);
void AddCompletion(CLI::App& app, int* exit_code);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_COMMANDS_H_
