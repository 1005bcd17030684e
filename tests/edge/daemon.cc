#include "edge/daemon.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include "support/places.h"

namespace sluice {
namespace {

bool Eventually(int seconds, const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

std::string Content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TestFolder::TestFolder() {
  std::string path = (std::filesystem::temp_directory_path() / "sluice-XXXXXX").string();
  EXPECT_NE(mkdtemp(path.data()), nullptr);
  path_ = path;
}

TestFolder::~TestFolder() { std::filesystem::remove_all(path_); }

std::string TestFolder::Write(const std::string& name, const std::string& text) const {
  const std::filesystem::path path(*this / name);
  std::filesystem::create_directories(path.parent_path());
  const std::filesystem::path temporary = path.parent_path() / ("." + path.filename().string());
  std::ofstream(temporary, std::ios::binary) << text;
  std::filesystem::rename(temporary, path);
  return *this / name;
}

Daemon::Daemon(const TestFolder& folder, const std::string& name, std::vector<std::string> arguments,
               std::vector<std::string> prefix)
    : output_path_(folder / (name + ".out")), errors_path_(folder / (name + ".err")) {
  std::vector<std::string> words = std::move(prefix);
  words.insert(words.end(), {BuiltProgram("sluiced"), "--no-huge"});
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  constexpr int kWrite = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, output_path_.c_str(), kWrite, 0644);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, errors_path_.c_str(), kWrite, 0644);
  EXPECT_EQ(posix_spawnp(&pid_, argv[0], &files, nullptr, argv.data(), environ), 0);
  posix_spawn_file_actions_destroy(&files);
}

Daemon::~Daemon() {
  if (HasEnded()) return;
  Signal(SIGKILL);
  Wait();
}

bool Daemon::HasEnded() {
  if (!ended_) ended_ = waitpid(pid_, &status_, WNOHANG) == pid_;
  return ended_;
}

bool Daemon::WaitUntilReady() {
  return Eventually(60, [this] { return output() == "ready\n" || HasEnded(); }) && !HasEnded();
}

void Daemon::Signal(int number) const { kill(pid_, number); }

int Daemon::Wait() {
  if (!Eventually(30, [this] { return HasEnded(); })) return 1000;
  return WIFSIGNALED(status_) ? -WTERMSIG(status_) : WEXITSTATUS(status_);
}

std::string Daemon::output() const { return Content(output_path_); }
std::string Daemon::errors() const { return Content(errors_path_); }

bool Daemon::WaitForSummary(const std::string& text) const {
  return Eventually(30, [&] {
    Signal(SIGUSR1);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return errors().find(text) != std::string::npos;
  });
}

bool Daemon::WaitForLog(const std::string& text) const {
  return Eventually(30, [&] { return errors().find(text) != std::string::npos; });
}

}  // namespace sluice
