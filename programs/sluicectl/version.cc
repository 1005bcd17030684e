#include <CLI/CLI.hpp>

#include "sluicectl/commands.h"
#include "sluicectl/output.h"

namespace sluice {

void AddVersion(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("version", "Print the version.");
  command->footer("Example: sluicectl version");
  command->callback([exit_code] {
    Output output;
    output << "sluicectl " SLUICE_VERSION "\n";
    *exit_code = output.Flush() ? kExitFine : kExitBadInput;
  });
}

}  // namespace sluice
