// What every program's command line has in common.
#ifndef SLUICE_PROGRAMS_COMMON_ARGUMENTS_H_
#define SLUICE_PROGRAMS_COMMON_ARGUMENTS_H_

namespace CLI {
class App;
}

namespace sluice {

// A wrong command line is answered by one line that names what is wrong, whatever the argument holds
// (sluice/printable.h), and one that names --help.
void AnswerInPlainLines(CLI::App& app);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_COMMON_ARGUMENTS_H_
