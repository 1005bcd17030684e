// A link that a test can stall or cut: what comes to one Unix socket goes on to another.
#ifndef SLUICE_TESTS_FAULTS_LINK_H_
#define SLUICE_TESTS_FAULTS_LINK_H_

#include <atomic>
#include <string>
#include <thread>

namespace sluice {

class Link {
 public:
  // Listens at `path`; each connection goes on to `to`.
  Link(std::string path, std::string to);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  std::string target() const { return "unix:" + path_; }

  // Forwards no byte more in either direction, and keeps its connections; or goes on.
  void Stall(bool stall) { stalled_ = stall; }
  // Closes all connections. New ones are taken.
  void Cut() { cuts_ = cuts_ + 1; }
  int connections() const { return connections_; }  // so far

 private:
  void Run();

  const std::string path_;
  const std::string to_;
  int listener_ = -1;
  std::atomic<bool> stalled_ = false;
  std::atomic<bool> stop_ = false;
  std::atomic<int> cuts_ = 0;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

}  // namespace sluice

#endif  // SLUICE_TESTS_FAULTS_LINK_H_
