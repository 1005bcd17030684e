#include "api/read_call.h"

#include <grpc/grpc_security.h>

#include <utility>

namespace sluice {
namespace {

constexpr std::size_t kMostQueuedBytes = std::size_t{512} << 10;

// Each connection has a context of its own, which lives as long as the connection has calls.
std::uintptr_t ConnectionOf(grpc::CallbackServerContext* context) {
  grpc_auth_context* const of_connection = grpc_call_auth_context(context->c_call());
  const auto name = reinterpret_cast<std::uintptr_t>(of_connection);
  grpc_auth_context_release(of_connection);
  return name;
}

}  // namespace

ReadCall::ReadCall(ReadCalls& calls, grpc::CallbackServerContext* context, ReadKind kind, ReadCalls::Make make)
    : calls_(calls), context_(context), kind_(kind), make_(std::move(make)), client_(ConnectionOf(context)) {}

void ReadCall::Work() {
  grpc::Status status = make_(*this);
  std::unique_lock lock(mutex_);
  if (!over_ && is_sending_) unread_since_ = Clock::now();
  changed_.wait(lock, [this] { return over_ || (queue_.empty() && !is_sending_); });
  unread_since_.reset();
  if (over_) {
    status = why_over_.value_or(grpc::Status::CANCELLED);
    queue_.clear();
    if (is_sending_) {  // gRPC has a message of ours, and waits for the client
      lock.unlock();
      context_->TryCancel();
      lock.lock();
    }
    if (is_sending_) {
      why_over_ = status;
      ends_when_sent_ = true;
      return;
    }
  }
  lock.unlock();
  SendEnd(status);
}

void ReadCall::Refuse(const grpc::Status& status) { SendEnd(status); }

void ReadCall::CutOff(const grpc::Status& status) {
  const std::lock_guard lock(mutex_);
  if (over_) return;
  over_ = true;
  why_over_ = status;
  changed_.notify_all();
}

bool ReadCall::cut_off() const {
  const std::lock_guard lock(mutex_);
  return over_;
}

std::optional<ReadCall::Clock::time_point> ReadCall::unread_since() const {
  const std::lock_guard lock(mutex_);
  return unread_since_;
}

bool ReadCall::Write(const google::protobuf::Message& message) {
  grpc::ByteBuffer bytes = Pack(message);
  const std::size_t size = bytes.Length();
  std::unique_lock lock(mutex_);
  const auto has_room = [&] { return queued_bytes_ == 0 || queued_bytes_ + size <= kMostQueuedBytes; };
  if (!over_ && !has_room()) {
    unread_since_ = Clock::now();
    changed_.wait(lock, [&] { return over_ || has_room(); });
    unread_since_.reset();
  }
  if (over_) return false;
  queued_bytes_ += size;
  queue_.push_back(std::move(bytes));
  if (!is_sending_) SendNext(lock);
  return true;
}

// Releases the lock.
void ReadCall::SendNext(std::unique_lock<std::mutex>& lock) {
  sending_ = std::move(queue_.front());
  queue_.pop_front();
  is_sending_ = true;
  lock.unlock();
  Send(&sending_);
}

void ReadCall::Written(bool ok) {
  std::unique_lock lock(mutex_);
  is_sending_ = false;
  queued_bytes_ -= sending_.Length();
  sending_.Clear();
  if (!ok) over_ = true;
  if (unread_since_) unread_since_ = Clock::now();
  changed_.notify_all();
  if (ends_when_sent_) {
    const grpc::Status status = *why_over_;
    lock.unlock();
    SendEnd(status);
  } else if (!over_ && !queue_.empty()) {
    SendNext(lock);
  }
}

void ReadCall::SendInitialMetadata() { SendMetadata(); }

bool ReadCall::WaitUntilOver(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, time, [this] { return over_; });
}

void ReadCall::Cancelled() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_all();
  }
  calls_.Leave(this);
}

void ReadCall::Done() {
  ReadCalls& calls = calls_;
  std::shared_ptr<ReadCall> last = std::move(self_);
  last.reset();  // this call may be gone
  calls.Done();
}

}  // namespace sluice
