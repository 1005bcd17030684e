// The drops of all targets, for the page's viewers. It follows them while there is a viewer, and keeps lines of JSON in
// bounded memory. Any thread.
#ifndef SLUICE_PROGRAMS_PAGE_DROP_BOARD_H_
#define SLUICE_PROGRAMS_PAGE_DROP_BOARD_H_

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "page/target.h"

namespace sluice {

class DropBoard {
 public:
  static constexpr std::size_t kMaxWatchers = 4;
  static constexpr std::size_t kKept = 500;

  DropBoard() = default;
  ~DropBoard() { Stop(); }
  DropBoard(const DropBoard&) = delete;
  DropBoard& operator=(const DropBoard&) = delete;

  // False: there are kMaxWatchers already, or the board is stopped. The targets outlive the watch.
  bool Enter(const std::vector<std::shared_ptr<PageTarget>>& targets);
  void Leave();

  // Takes the lines since position `next`, which moves on. Waits for lines up to `patience`. False: it is stopped.
  bool Take(std::uint64_t* next, std::chrono::milliseconds patience, std::vector<std::string>* lines);
  // Ends all watches.
  void Stop();

 private:
  void Follow(const std::stop_token& stop, PageTarget& target, std::size_t index);
  void Put(std::string line);

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::string> lines_;
  std::uint64_t end_ = 0;  // lines that were ever added
  std::size_t watchers_ = 0;
  bool stopped_ = false;
  std::vector<std::jthread> followers_;  // one for each target, while there is a watcher
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_PAGE_DROP_BOARD_H_
