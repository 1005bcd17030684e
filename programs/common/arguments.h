// Common to the command lines of all programs.
#ifndef SLUICE_PROGRAMS_COMMON_ARGUMENTS_H_
#define SLUICE_PROGRAMS_COMMON_ARGUMENTS_H_

#include <string>

namespace CLI {
class App;
}

namespace sluice {

// The answer to a wrong command line becomes one line that names the error, with the argument escaped
// (sluice/printable.h), and one that names --help.
void AnswerInPlainLines(CLI::App& app);

// A check for an option that takes a port: what is wrong with the text, or an empty text.
std::string CheckPort(const std::string& text);

// A target as gRPC and messages have it: a path is that of a Unix socket, "unix:/run/sluice/sluiced.sock".
std::string FullTarget(const std::string& target);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_COMMON_ARGUMENTS_H_
