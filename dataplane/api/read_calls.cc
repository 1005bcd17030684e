#include "api/read_calls.h"

#include <algorithm>
#include <iterator>

#include "api/read_call.h"

namespace sluice {
namespace {

constexpr std::chrono::milliseconds kLookInterval(50);  // while there are calls

grpc::Status Exhausted(std::string why) { return {grpc::StatusCode::RESOURCE_EXHAUSTED, std::move(why)}; }

}  // namespace

ReadCalls::ReadCalls(const ReadLimits& limits) : limits_(limits), guard_([this] { RunGuard(); }) {}

ReadCalls::~ReadCalls() {
  std::deque<CallPtr> waiting;
  {
    std::unique_lock lock(mutex_);
    stop_ = true;
    waiting.swap(waiting_);
    changed_.notify_all();
  }
  for (const CallPtr& call : waiting) call->Refuse(grpc::Status::CANCELLED);
  guard_.join();
  for (std::thread& thread : threads_) thread.join();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return calls_ == 0; });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* ReadCalls::StartStream(grpc::CallbackServerContext* context, ReadKind kind,
                                                                   Make make) {
  const auto call = std::make_shared<StreamCall>(*this, context, kind, std::move(make));
  Enter(call);
  return call.get();
}

grpc::ServerUnaryReactor* ReadCalls::StartUnary(grpc::CallbackServerContext* context, grpc::ByteBuffer* response,
                                                Make make) {
  const auto call = std::make_shared<UnaryCall>(*this, context, response, std::move(make));
  Enter(call);
  return call.get();
}

void ReadCalls::Enter(const CallPtr& call) {
  call->Keep();
  {
    const std::lock_guard lock(mutex_);
    ++calls_;
    if (!stop_ && waiting_.size() < limits_.waiting) {
      waiting_.push_back(call);
      if (idle_ < waiting_.size() && threads_.size() < limits_.threads) threads_.emplace_back([this] { RunWorker(); });
      changed_.notify_all();
      return;
    }
  }
  call->Refuse(Exhausted("too many calls wait already; ask again"));
}

// The thread that works on the call learns of it from the call itself.
void ReadCalls::Leave(const ReadCall* call) {
  CallPtr left;
  {
    const std::lock_guard lock(mutex_);
    const auto place =
        std::find_if(waiting_.begin(), waiting_.end(), [&](const CallPtr& waiting) { return waiting.get() == call; });
    if (place == waiting_.end()) return;
    left = std::move(*place);
    waiting_.erase(place);
  }
  left->Refuse(grpc::Status::CANCELLED);
}

void ReadCalls::Done() {
  const std::lock_guard lock(mutex_);
  --calls_;
  changed_.notify_all();  // under the lock: this object may be gone afterwards
}

std::size_t ReadCalls::Running(const ReadCall& like, bool of_its_client) const {
  return static_cast<std::size_t>(std::count_if(running_.begin(), running_.end(), [&](const CallPtr& call) {
    return call->kind() == like.kind() && (!of_its_client || call->client() == like.client());
  }));
}

bool ReadCalls::MayStart(const ReadCall& call) const {
  const auto kind = static_cast<std::size_t>(call.kind());
  return Running(call, false) < limits_.of_all[kind] && Running(call, true) < limits_.of_one[kind];
}

std::string ReadCalls::WhyNot(const ReadCall& call) const {
  const auto kind = static_cast<std::size_t>(call.kind());
  if (Running(call, true) >= limits_.of_one[kind]) {
    return "this connection has " + std::to_string(limits_.of_one[kind]) +
           " such calls under way already; end one of them";
  }
  const std::string most = std::to_string(limits_.of_all[kind]);
  switch (call.kind()) {
    case ReadKind::kWholePolicy:
      return most + " others read the whole policy already; ask again";
    case ReadKind::kWatch:
      return most + " watch the drops already; end one of them";
    default:
      return std::to_string(limits_.threads) + " calls of others are under way; ask again";
  }
}

// Of the calls that may start, takes the first one of the client that has the fewest running calls.
ReadCalls::CallPtr ReadCalls::TakeNext() {
  auto next = waiting_.end();
  std::size_t fewest = 0;
  for (auto call = waiting_.begin(); call != waiting_.end(); ++call) {
    if (!MayStart(**call)) continue;
    const auto running = static_cast<std::size_t>(std::count_if(
        running_.begin(), running_.end(), [&](const CallPtr& other) { return other->client() == (*call)->client(); }));
    if (next != waiting_.end() && running >= fewest) continue;
    next = call;
    fewest = running;
  }
  if (next == waiting_.end()) return nullptr;
  CallPtr call = std::move(*next);
  waiting_.erase(next);
  return call;
}

void ReadCalls::RunWorker() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    const CallPtr call = TakeNext();
    if (call == nullptr) {
      ++idle_;
      changed_.wait(lock);
      --idle_;
      continue;
    }
    running_.push_back(call);
    lock.unlock();
    call->Work();
    lock.lock();
    std::erase(running_, call);
    changed_.notify_all();
  }
}

std::vector<ReadCalls::CallPtr> ReadCalls::TakeExpired(Clock::time_point now) {
  std::vector<CallPtr> expired;
  const auto first = std::stable_partition(
      waiting_.begin(), waiting_.end(), [&](const CallPtr& call) { return now - call->came() < limits_.most_waiting; });
  std::move(first, waiting_.end(), std::back_inserter(expired));
  waiting_.erase(first, waiting_.end());
  return expired;
}

// For each call that waits for others, ends a call whose client reads nothing. The client with the most such calls
// loses the one that has not been read for the longest time.
void ReadCalls::MakeRoom(Clock::time_point now) {
  std::vector<CallPtr> unread;
  for (const CallPtr& call : running_) {
    const auto since = call->unread_since();
    if (!since || call->cut_off()) continue;
    if (now - *since >= limits_.most_unread) {
      call->CutOff(Exhausted("nothing of the answer was read for " +
                             std::to_string(limits_.most_unread / std::chrono::seconds(1)) + " s"));
    } else if (now - *since >= limits_.patience) {
      unread.push_back(call);
    }
  }
  const auto unread_of = [&](const CallPtr& call) {
    return std::count_if(unread.begin(), unread.end(),
                         [&](const CallPtr& other) { return other->client() == call->client(); });
  };
  for (const CallPtr& waiting : waiting_) {
    const auto kind = static_cast<std::size_t>(waiting->kind());
    if (Running(*waiting, true) >= limits_.of_one[kind]) continue;  // it waits for its own client's calls
    const bool for_its_kind = Running(*waiting, false) >= limits_.of_all[kind];
    if (!for_its_kind && running_.size() < limits_.threads) continue;  // a thread is about to take it
    auto victim = unread.end();
    for (auto call = unread.begin(); call != unread.end(); ++call) {
      if (for_its_kind && (*call)->kind() != waiting->kind()) continue;
      const bool is_worse =
          victim == unread.end() || unread_of(*call) > unread_of(*victim) ||
          (unread_of(*call) == unread_of(*victim) && (*call)->unread_since() < (*victim)->unread_since());
      if (is_worse) victim = call;
    }
    if (victim == unread.end()) continue;
    (*victim)->CutOff(Exhausted("others wait, and nothing of the answer was read for a while"));
    unread.erase(victim);
  }
}

void ReadCalls::RunGuard() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (waiting_.empty() && running_.empty()) {
      changed_.wait(lock);
      continue;
    }
    changed_.wait_for(lock, kLookInterval, [this] { return stop_; });
    const auto now = Clock::now();
    MakeRoom(now);
    const std::vector<CallPtr> expired = TakeExpired(now);
    std::vector<std::string> reasons;
    for (const CallPtr& call : expired) reasons.push_back(WhyNot(*call));
    lock.unlock();
    for (std::size_t i = 0; i < expired.size(); ++i) expired[i]->Refuse(Exhausted(reasons[i]));
    lock.lock();
  }
}

}  // namespace sluice
