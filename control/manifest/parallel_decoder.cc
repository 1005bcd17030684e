#include "manifest/parallel_decoder.h"

#include <system_error>
#include <utility>

namespace sluice {
namespace {

// For each thread: parts that wait, are in progress, or wait for an earlier part.
constexpr std::size_t kMostTasks = 4;

}  // namespace

ParallelDecoder::~ParallelDecoder() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  work_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void ParallelDecoder::Add(Part part) {
  std::unique_lock lock(mutex_);
  tasks_.push_back({std::move(part), FileDecoder(whole_.path(), whole_.keeps_lines())});
  if (tasks_.size() == 2 && helpers_.empty()) StartHelpers();
  work_.notify_one();
  for (;;) {
    HandOver(lock);
    if (tasks_.size() - begun_ >= threads_) {  // a part waits for each helper, so the caller decodes one
      DecodeOne(lock);
    } else if (tasks_.size() >= kMostTasks * threads_) {
      done_.wait(lock, [this] { return tasks_.front().done; });
    } else {
      return;
    }
  }
}

void ParallelDecoder::Finish() {
  std::unique_lock lock(mutex_);
  while (DecodeOne(lock)) HandOver(lock);
  while (!tasks_.empty()) {
    done_.wait(lock, [this] { return tasks_.front().done; });
    HandOver(lock);
  }
}

void ParallelDecoder::StartHelpers() {
  try {
    for (unsigned i = 1; i < threads_; ++i) helpers_.emplace_back([this] { Help(); });
  } catch (const std::system_error&) {
    // As many threads as the system lets us have; the caller does the rest.
  }
}

void ParallelDecoder::Help() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return closing_ || begun_ < tasks_.size(); });
    if (closing_) return;
    DecodeOne(lock);
  }
}

bool ParallelDecoder::DecodeOne(std::unique_lock<std::mutex>& lock) {
  if (begun_ == tasks_.size()) return false;
  Task& task = tasks_[begun_++];  // its address stays: a deque does not move its elements
  lock.unlock();
  std::exchange(task.part, nullptr)(task.decoder);
  lock.lock();
  task.done = true;
  done_.notify_one();
  return true;
}

void ParallelDecoder::HandOver(std::unique_lock<std::mutex>& lock) {
  while (!tasks_.empty() && tasks_.front().done) {
    FileDecoder decoder = std::move(tasks_.front().decoder);
    tasks_.pop_front();
    --begun_;
    lock.unlock();
    whole_.Append(std::move(decoder));
    lock.lock();
  }
}

}  // namespace sluice
