#include "api/run_command.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "support/places.h"

namespace sluice {
namespace {

constexpr int kLookMs = 5;

// Of sluicectl alone: before exec the process has the memory of the one that forked it.
long PeakKb(pid_t pid) {
  std::error_code gone;
  if (std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/exe", gone) != BuiltProgram("sluicectl"))
    return 0;
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;) {
    if (long kb = 0; word == "VmHWM:" && status >> kb) return kb;
  }
  return 0;
}

}  // namespace

RunningCommand::RunningCommand(const std::string& target, const std::string& arguments) {
  const std::string line = "SLUICE_TARGET='" + target + "' exec " + BuiltProgram("sluicectl") + " " + arguments;
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
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (true) {
    // Not what wait4 tells, to which the memory of this process before exec counts.
    end.peak_kb = std::max(end.peak_kb, PeakKb(pid_));
    if (std::chrono::steady_clock::now() > deadline) kill(pid_, SIGKILL);
    pollfd wait{fd_, POLLIN, 0};
    if (poll(&wait, 1, kLookMs) == 0) continue;
    const ssize_t count = read(fd_, buffer.data(), buffer.size());
    if (count <= 0) break;
    end.out.append(buffer.data(), static_cast<std::size_t>(count));
  }
  close(fd_);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = 0;
  end.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return end;
}

}  // namespace sluice
