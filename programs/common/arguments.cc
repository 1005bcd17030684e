#include "common/arguments.h"

#include <CLI/CLI.hpp>

#include "sluice/printable.h"

namespace sluice {

void AnswerInPlainLines(CLI::App& app) {
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return Printable(error.what(), kPrintableBytes) + "\nRun with --help for more information.\n";
  });
}

}  // namespace sluice
