// A value that is made anew when it is asked for and too old: older than `age`, and than ten times what making it took.
// If that takes long, callers get the old value meanwhile, unless it is much too old. Any thread.
#ifndef SLUICE_PROGRAMS_PAGE_REMEMBERED_H_
#define SLUICE_PROGRAMS_PAGE_REMEMBERED_H_

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace sluice {

template <typename T, typename Clock = std::chrono::steady_clock>
class Remembered {
 public:
  static constexpr std::chrono::milliseconds kLong{200};

  Remembered() = default;
  ~Remembered() { Finish(); }
  Remembered(const Remembered&) = delete;
  Remembered& operator=(const Remembered&) = delete;

  // One thread at a time calls `make`. The call may go on after Get has returned, until Finish.
  template <typename Make>
  std::shared_ptr<const T> Get(std::chrono::milliseconds age, Make make) {
    std::unique_lock lock(mutex_);
    const Duration good = std::max<Duration>(age, 10 * took_);
    const Duration old = Clock::now() - made_;
    if (value_ != nullptr && old <= good) return value_;
    if (!is_being_made_) {
      if (maker_.joinable()) maker_.join();  // it has nothing left to do
      is_being_made_ = true;
      maker_ = std::thread([this, make = std::move(make)] { MakeBy(make); });
    }
    const bool may_be_old = value_ != nullptr && took_ > kLong && old <= 2 * good;
    if (!may_be_old) is_made_.wait(lock, [this] { return !is_being_made_; });
    return value_;
  }

  // Waits for the value that is being made. Requires that no call of Get follows.
  void Finish() {
    if (maker_.joinable()) maker_.join();
  }

 private:
  using Duration = typename Clock::duration;

  template <typename Make>
  void MakeBy(const Make& make) {
    const auto begin = Clock::now();
    auto value = std::make_shared<const T>(make());
    const std::lock_guard lock(mutex_);
    value_ = std::move(value);
    made_ = Clock::now();
    took_ = made_ - begin;
    is_being_made_ = false;
    is_made_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable is_made_;
  bool is_being_made_ = false;
  std::shared_ptr<const T> value_;
  typename Clock::time_point made_;
  Duration took_{};
  std::thread maker_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_PAGE_REMEMBERED_H_
