// Common to the command lines of all programs.
#ifndef SLUICE_PROGRAMS_COMMON_ARGUMENTS_H_
#define SLUICE_PROGRAMS_COMMON_ARGUMENTS_H_

namespace CLI {
class App;
}

namespace sluice {

// The answer to a wrong command line becomes one line that names the error, with the argument escaped
// (sluice/printable.h), and one that names --help.
void AnswerInPlainLines(CLI::App& app);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_COMMON_ARGUMENTS_H_
