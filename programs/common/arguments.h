// Common to the command lines of all programs.
#ifndef SLUICE_PROGRAMS_COMMON_ARGUMENTS_H_
#define SLUICE_PROGRAMS_COMMON_ARGUMENTS_H_

#include <string>

namespace CLI {
class App;
}

namespace sluice {

// Reports a wrong command line in two lines: one names the error, with the argument escaped (sluice/printable.h), and
// one names --help.
void AnswerInPlainLines(CLI::App& app);

// Checks an option that takes a port. Returns what is wrong with the text, or an empty text.
std::string CheckPort(const std::string& text);

// Returns a target in the form of gRPC and messages: a path becomes a Unix socket, "unix:/run/sluice/sluiced.sock".
std::string FullTarget(const std::string& target);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_COMMON_ARGUMENTS_H_
