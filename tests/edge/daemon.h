// A `sluiced` that a test runs as its operator would: started, heard, signalled, ended.
#ifndef SLUICE_TESTS_EDGE_DAEMON_H_
#define SLUICE_TESTS_EDGE_DAEMON_H_

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace sluice {

// A folder of the test's own, removed with all that is in it.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  // Writes a whole file at once, as an editor does (rename).
  std::string Write(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

class Daemon {
 public:
  // Starts the program with these arguments and --no-huge; `prefix` goes in front ("ip netns exec NAME"). Its output
  // goes to files in `folder` that begin with `name`.
  Daemon(const TestFolder& folder, const std::string& name, std::vector<std::string> arguments,
         std::vector<std::string> prefix = {});
  ~Daemon();  // kills what still runs
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Waits for the line `ready` on standard output; false where it ended or 60 seconds passed.
  bool WaitUntilReady();
  void Signal(int number) const;
  // Waits for its end. The exit code; negative: the signal that killed it; 1000: it did not end in 30 seconds.
  int Wait();

  std::string output() const;  // standard output so far
  std::string errors() const;  // standard error so far
  // Waits until standard error holds `text`, asking for summaries (SIGUSR1) meanwhile; false after 30 seconds.
  bool WaitForSummary(const std::string& text) const;
  // Waits until standard error holds `text`; false after 30 seconds.
  bool WaitForLog(const std::string& text) const;

 private:
  bool HasEnded();

  std::string output_path_;
  std::string errors_path_;
  pid_t pid_ = -1;
  bool ended_ = false;
  int status_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_TESTS_EDGE_DAEMON_H_
