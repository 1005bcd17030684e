#include "page/drop_board.h"

#include <algorithm>
#include <utility>

#include "page/page_json.h"

namespace sluice {
namespace {

constexpr std::chrono::seconds kBetweenTries(2);

}  // namespace

bool DropBoard::Enter(const std::vector<std::shared_ptr<PageTarget>>& targets) {
  const std::lock_guard lock(mutex_);
  if (stopped_ || watchers_ == kMaxWatchers) return false;
  if (watchers_++ != 0) return true;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    followers_.emplace_back([this, target = targets[i], i](const std::stop_token& stop) { Follow(stop, *target, i); });
  }
  return true;
}

// Ends followers, and waits for them, without holding the lock that they take.
void DropBoard::Leave() {
  std::vector<std::jthread> ending;
  const std::lock_guard lock(mutex_);
  if (--watchers_ == 0) ending.swap(followers_);
}

void DropBoard::Stop() {
  std::vector<std::jthread> ending;
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  ending.swap(followers_);
  changed_.notify_all();
}

void DropBoard::Follow(const std::stop_token& stop, PageTarget& target, std::size_t index) {
  while (!stop.stop_requested()) {
    const std::string why = target.FollowDrops(stop, [&](const v1::WatchDropsResponse& message) {
      const std::lock_guard lock(mutex_);
      for (const v1::DropEvent& drop : message.drops()) Put(ToText(ToPage(drop, index)));
      if (const std::uint64_t missing = message.not_shown() + message.not_recorded(); missing != 0) {
        Put(ToText({{"dataplane", index}, {"not_shown", missing}}));
      }
    });
    std::unique_lock lock(mutex_);
    if (stop.stop_requested()) return;
    Put(ToText({{"dataplane", index}, {"error", why}}));
    changed_.wait_for(lock, stop, kBetweenTries, [] { return false; });
  }
}

void DropBoard::Put(std::string line) {
  lines_.push_back(std::move(line));
  if (lines_.size() > kKept) lines_.pop_front();
  ++end_;
  changed_.notify_all();
}

bool DropBoard::Take(std::uint64_t* next, std::chrono::milliseconds patience, std::vector<std::string>* lines) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [&] { return stopped_ || end_ > *next; });
  lines->clear();
  const std::uint64_t begin = std::max(*next, end_ - lines_.size());
  if (begin > *next && *next != 0) lines->push_back(ToText({{"not_shown", begin - *next}}));
  for (std::uint64_t i = begin; i < end_; ++i) lines->push_back(lines_[i - (end_ - lines_.size())]);
  *next = end_;
  return !stopped_;
}

}  // namespace sluice
