#include "push/push_server.h"

#include <utility>

#include "codec/codec.h"
#include "codec/limits.h"

namespace sluice {

PushServer::PushServer(std::string address) : address_(std::move(address)) {}

void PushServer::Start() {
  stopping_ = false;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address_, grpc::InsecureServerCredentials());
  builder.SetMaxReceiveMessageSize(static_cast<int>(kMaxMessageBytes));
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
}

void PushServer::Stop() {
  if (!server_) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
  server_.reset();
}

void PushServer::Forget() {
  const std::lock_guard lock(mutex_);
  policy_ = {};
  state_id_ = batch_ = 0;
}

void PushServer::RefuseWhere(Refuse refuse) {
  const std::lock_guard lock(mutex_);
  refuse_ = std::move(refuse);
}

void PushServer::BreakAtUpdates(bool breaks) {
  const std::lock_guard lock(mutex_);
  breaks_ = breaks;
}

void PushServer::Stall(bool stall) {
  const std::lock_guard lock(mutex_);
  stall_ = stall;
  changed_.notify_all();
}

bool PushServer::WaitUntilStalled() {
  return WaitUntil([this](const ResolvedPolicy&) { return stalled_ > 0; });
}

bool PushServer::WaitUntil(const std::function<bool(const ResolvedPolicy&)>& holds, std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [&] { return holds(policy_); });
}

std::string PushServer::Dump() {
  const std::lock_guard lock(mutex_);
  return policy_.Dump();
}

int PushServer::full_states() {
  const std::lock_guard lock(mutex_);
  return full_states_;
}

int PushServer::updates() {
  const std::lock_guard lock(mutex_);
  return updates_;
}

int PushServer::refused() {
  const std::lock_guard lock(mutex_);
  return refused_;
}

grpc::Status PushServer::Push(grpc::ServerContext*, Stream* stream) {
  std::optional<FullStateDecoder> decoder;
  v1::PushRequest request;
  while (stream->Read(&request)) {
    std::unique_lock lock(mutex_);
    ++stalled_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !stall_ || stopping_; });
    --stalled_;
    if (stopping_) break;
    v1::PushResponse response;
    if (request.has_begin()) {
      response.mutable_hello()->set_state_id(state_id_);
      response.mutable_hello()->set_batch(batch_);
      response.mutable_hello()->set_api_minor(api_minor_);
    } else if (request.has_full_state()) {
      const v1::FullStateChunk& chunk = request.full_state();
      if (!decoder) decoder.emplace();
      if (const auto problem = decoder->Add(chunk)) return {grpc::StatusCode::INVALID_ARGUMENT, problem->ToString()};
      if (!chunk.last()) continue;
      const auto problem = Replace(decoder->Take(), chunk.state_id(), chunk.batch());
      decoder.reset();
      *response.mutable_result() = Finish(chunk.batch(), problem);
    } else if (breaks_) {
      return {grpc::StatusCode::INTERNAL, "this update is too much for me"};
    } else {
      bool full_state_needed = false;
      const auto problem = Update(request.update(), &full_state_needed);
      *response.mutable_result() = Finish(request.update().batch(), problem);
      response.mutable_result()->set_full_state_needed(full_state_needed);
    }
    changed_.notify_all();
    lock.unlock();
    if (!stream->Write(response)) break;
  }
  return grpc::Status::OK;
}

v1::BatchResult PushServer::Finish(std::uint64_t batch, const std::optional<Diagnostic>& problem) {
  v1::BatchResult result;
  result.set_batch(batch);
  result.set_applied(!problem);
  if (problem) {
    ++refused_;
    *result.add_problems() = EncodeProblem(*problem);
    return result;
  }
  result.set_generation(++generation_);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  result.set_live_unix_ns(static_cast<std::uint64_t>(now / std::chrono::nanoseconds(1)));
  return result;
}

std::optional<Diagnostic> PushServer::Replace(ResolvedPolicy policy, std::uint64_t state_id, std::uint64_t batch) {
  if (refuse_) {
    if (auto problem = refuse_(policy)) return problem;
  }
  policy_ = std::move(policy);
  state_id_ = state_id;
  batch_ = batch;
  ++full_states_;
  return std::nullopt;
}

std::optional<Diagnostic> PushServer::Update(const v1::Update& message, bool* full_state_needed) {
  *full_state_needed = message.state_id() != state_id_ || message.batch() != batch_ + 1;
  if (*full_state_needed) return Diagnostic{Severity::kError, "", 0, "update", "batch", "is not the next one"};
  PolicyUpdate update;
  if (auto problem = DecodeUpdate(message, update)) return problem;
  if (auto problem = Check(policy_, update)) return problem;
  PolicyChange change = Apply(std::move(update), policy_);
  if (refuse_) {
    if (auto problem = refuse_(policy_)) {
      Undo(std::move(change), policy_);
      return problem;
    }
  }
  ++batch_;
  ++updates_;
  return std::nullopt;
}

}  // namespace sluice
