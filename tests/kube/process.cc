#include "kube/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace sluice {
namespace {

namespace fs = std::filesystem;

pid_t Spawn(const std::vector<std::string>& command, const std::string& log) {
  std::vector<char*> args;
  for (const std::string& arg : command) args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  execv(args[0], args.data());
  _exit(127);
}

bool IsProgram(const std::string& path) { return access(path.c_str(), X_OK) == 0 && fs::is_regular_file(path); }

}  // namespace

bool Process::Start(const std::vector<std::string>& command, const std::string& log) {
  Kill();
  pid_ = Spawn(command, log);
  return pid_ > 0;
}

bool Process::running() {
  if (pid_ <= 0) return false;
  if (waitpid(pid_, nullptr, WNOHANG) == 0) return true;
  pid_ = 0;
  return false;
}

void Process::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void Process::Freeze() {
  if (pid_ > 0) kill(pid_, SIGSTOP);
}
void Process::Thaw() {
  if (pid_ > 0) kill(pid_, SIGCONT);
}

int RunCommand(const std::vector<std::string>& command) {
  const pid_t pid = Spawn(command, "/dev/null");
  int status = 0;
  if (pid <= 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

std::string FindProgram(const std::string& variable, const std::string& name, const std::string& fallback,
                        bool (*usable)(const std::string& path)) {
  if (const char* given = std::getenv(variable.c_str()); given != nullptr && *given != '\0') return given;
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string program = folder + '/' + name;
    if (IsProgram(program) && (usable == nullptr || usable(program))) return program;
  }
  return IsProgram(fallback) ? fallback : std::string();
}

int FreePort() {
  const int probe = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  bind(probe, reinterpret_cast<sockaddr*>(&address), length);
  getsockname(probe, reinterpret_cast<sockaddr*>(&address), &length);
  close(probe);
  return ntohs(address.sin_port);
}

TempFolder::TempFolder() {
  std::string name = (fs::temp_directory_path() / "sluice-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr)
    throw fs::filesystem_error("mkdtemp", name, std::error_code(errno, std::generic_category()));
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void WriteFile(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".new";
  std::ofstream(fresh, std::ios::binary) << text;
  fs::rename(fresh, path);  // whole or not at all, as whoever rotates a token does it
}

}  // namespace sluice
