#include "keep/syncer.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "keep/errno_text.h"

namespace sluice {
namespace {

constexpr std::chrono::milliseconds kBetweenSyncs(100);

}  // namespace

Syncer::Syncer(std::string path, OnLost on_lost)
    : path_(std::move(path)), on_lost_(std::move(on_lost)), thread_([this] { Run(); }) {}

Syncer::~Syncer() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    ++hurrying_;
  }
  changed_.notify_all();
  thread_.join();
}

void Syncer::Dirty() {
  {
    const std::lock_guard lock(mutex_);
    state_ = state_ == State::kClean || state_ == State::kDirty ? State::kDirty : State::kDirtyAgain;
  }
  changed_.notify_all();
}

void Syncer::Flush() {
  std::unique_lock lock(mutex_);
  ++hurrying_;
  changed_.notify_all();
  changed_.wait(lock, [this] { return state_ == State::kClean; });
  --hurrying_;
}

void Syncer::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || state_ == State::kDirty; });
    if (state_ != State::kDirty) return;
    changed_.wait_for(lock, kBetweenSyncs, [this] { return hurrying_ > 0; });
    state_ = State::kSyncing;
    lock.unlock();
    Sync();
    lock.lock();
    state_ = state_ == State::kSyncing ? State::kClean : State::kDirty;
    changed_.notify_all();
  }
}

// If the file cannot be opened, it was set aside; or we lack descriptors, and then the kernel brings it to the disk by
// itself.
void Syncer::Sync() const {
  const int file = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  if (fdatasync(file) != 0) on_lost_(ErrnoText("lost updates"));
  close(file);
}

}  // namespace sluice
