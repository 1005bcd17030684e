// Programs that a test starts and stops. A child dies with the test, however that ends.
#ifndef SLUICE_TESTS_KUBE_PROCESS_H_
#define SLUICE_TESTS_KUBE_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace sluice {

class Process {
 public:
  Process() = default;
  ~Process() { Kill(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // `command[0]` is a path. What it prints goes to `log`, appended.
  bool Start(const std::vector<std::string>& command, const std::string& log);
  bool running();
  pid_t pid() const { return pid_; }  // 0: it was not started
  // SIGKILL, and waits for the end.
  void Kill();
  // Stops it in its tracks (SIGSTOP), and lets it go on.
  void Freeze();
  void Thaw();

 private:
  pid_t pid_ = 0;
};

// Runs to the end; its output is dropped. The exit code, or -1.
int RunCommand(const std::vector<std::string>& command);

// The first that is there: the environment variable, the PATH, `fallback`. Empty: none. One on the PATH must also be
// `usable(path)`, where that is given.
std::string FindProgram(const std::string& variable, const std::string& name, const std::string& fallback,
                        bool (*usable)(const std::string& path) = nullptr);

// A port of 127.0.0.1 that nobody listens on just now.
int FreePort();

// A folder of our own under the system's, removed at the end with all that is in it.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + '/' + name; }

 private:
  std::string path_;
};

void WriteFile(const std::string& path, const std::string& text);

}  // namespace sluice

#endif  // SLUICE_TESTS_KUBE_PROCESS_H_
