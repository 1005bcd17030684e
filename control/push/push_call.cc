#include "push/push_call.h"

#include <utility>

namespace sluice {

PushCall::PushCall(v1::PolicyService::StubInterface& stub, PushSignal& signal) : signal_(signal) {
  stub.async()->Push(&context_, this);
  AddHold();  // for the writes, which begin outside of gRPC's threads
  StartRead(&answer_);
  StartCall();
}

PushCall::~PushCall() { Finish(); }

bool PushCall::Write(const v1::PushRequest& request, Clock::time_point deadline) {
  std::unique_lock lock(signal_.mutex);
  if (over_ || signal_.stop) return false;
  writing_ = true;
  lock.unlock();
  StartWrite(&request);
  lock.lock();
  const auto done = [this] { return !writing_; };
  if (!signal_.changed.wait_until(lock, deadline, [&] { return done() || signal_.stop; }) || !done()) {
    context_.TryCancel();
    signal_.changed.wait(lock, done);  // until then, gRPC reads `request`
    over_ = true;
  }
  return !over_;
}

std::optional<v1::PushResponse> PushCall::Read(Clock::time_point deadline) {
  std::unique_lock lock(signal_.mutex);
  signal_.changed.wait_until(lock, deadline, [this] { return answered_ || over_ || signal_.stop; });
  if (!answered_ || signal_.stop) return std::nullopt;
  answered_ = false;
  v1::PushResponse answer = std::move(answer_);
  lock.unlock();
  StartRead(&answer_);
  return answer;
}

grpc::Status PushCall::Finish() {
  if (!std::exchange(released_, true)) {
    {
      const std::lock_guard lock(signal_.mutex);
      if (!over_) context_.TryCancel();
    }
    RemoveHold();
  }
  std::unique_lock lock(signal_.mutex);
  signal_.changed.wait(lock, [this] { return status_.has_value(); });
  return *status_;
}

void PushCall::OnReadDone(bool ok) {
  const std::lock_guard lock(signal_.mutex);
  (ok ? answered_ : over_) = true;
  signal_.changed.notify_all();
}

void PushCall::OnWriteDone(bool ok) {
  const std::lock_guard lock(signal_.mutex);
  writing_ = false;
  if (!ok) over_ = true;
  signal_.changed.notify_all();
}

void PushCall::OnDone(const grpc::Status& status) {
  const std::lock_guard lock(signal_.mutex);
  status_ = status;
  signal_.changed.notify_all();
}

}  // namespace sluice
