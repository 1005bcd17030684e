#include "api/run_command.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

namespace sluice {

RunningCommand::RunningCommand(const std::string& target, const std::string& arguments) {
  const std::string line = "SLUICE_TARGET='" + target + "' exec timeout 60 " SLUICECTL " " + arguments;
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) return;
  pid_ = fork();
  if (pid_ == 0) {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  fd_ = ends[0];
}

RunningCommand::~RunningCommand() {
  if (pid_ > 0) Wait();
}

RunningCommand::End RunningCommand::Wait() {
  End end;
  std::array<char, 4096> buffer;
  for (ssize_t count = 0; (count = read(fd_, buffer.data(), buffer.size())) > 0;) {
    end.out.append(buffer.data(), static_cast<std::size_t>(count));
  }
  close(fd_);
  int status = 0;
  rusage used{};
  wait4(pid_, &status, 0, &used);
  pid_ = 0;
  end.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  end.peak_kb = used.ru_maxrss;
  return end;
}

}  // namespace sluice
