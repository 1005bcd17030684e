#include "sluiced/name_keeper.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "names/name_file.h"

namespace sluice {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kInterval(1);
constexpr int kRest = 20;  // with many names, the pause is that many times as long as writing took

}  // namespace

NameTime NameClock::operator()() const {
  const auto unix_time = std::chrono::system_clock::now().time_since_epoch();
  return {clock_.NowNs(),
          static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(unix_time).count())};
}

NameKeeper::NameKeeper(NameStore& store, std::string file, Say say)
    : store_(store), file_(std::move(file)), say_(std::move(say)) {}

NameKeeper::~NameKeeper() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stop_changed_.notify_all();
  thread_.join();
  Write();
}

std::size_t NameKeeper::Restore() {
  if (file_.empty()) return 0;
  const NameFile kept = ReadNameFile(file_);
  if (!kept.problem.empty()) say_(kept.problem + ": names are learnt anew");
  return store_.Restore(kept.pairs, clock_());
}

void NameKeeper::Start() {
  thread_ = std::thread([this] { Run(); });
}

void NameKeeper::Run() {
  Clock::duration rest = kInterval;
  std::unique_lock lock(mutex_);
  while (!stop_changed_.wait_for(lock, rest, [this] { return stop_; })) {
    lock.unlock();
    store_.Expire(clock_());
    const auto begun = Clock::now();
    Write();
    rest = std::max<Clock::duration>(kInterval, kRest * (Clock::now() - begun));
    lock.lock();
  }
}

void NameKeeper::Write() {
  const std::uint64_t revision = store_.revision();
  if (file_.empty() || revision == written_) return;
  const std::string problem = WriteNameFile(file_, store_.List(clock_()));
  if (problem.empty()) written_ = revision;
  if (const bool before = std::exchange(failed_, !problem.empty()); failed_ && !before) {
    say_(problem + ": names are not kept, and a restart learns them anew; it is tried again");
  }
}

}  // namespace sluice
