// sluicectl as a user runs it.
#ifndef SLUICE_TESTS_API_RUN_COMMAND_H_
#define SLUICE_TESTS_API_RUN_COMMAND_H_

#include <sys/types.h>

#include <string>

namespace sluice {

// Under way from its making on; ended at the latest after a minute.
class RunningCommand {
 public:
  // A line for the shell, after the name of the program.
  RunningCommand(const std::string& target, const std::string& arguments);
  ~RunningCommand();
  RunningCommand(const RunningCommand&) = delete;
  RunningCommand& operator=(const RunningCommand&) = delete;

  struct End {
    int code = 0;
    std::string out;   // standard output and error together
    long peak_kb = 0;  // of memory, as it was looked at now and then
  };
  End Wait();

 private:
  int fd_ = -1;
  pid_t pid_ = 0;
};

inline RunningCommand::End RunSluicectl(const std::string& target, const std::string& arguments) {
  return RunningCommand(target, arguments).Wait();
}

}  // namespace sluice

#endif  // SLUICE_TESTS_API_RUN_COMMAND_H_
