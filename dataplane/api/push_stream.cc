#include "api/push_stream.h"

#include <chrono>
#include <utility>

#include "api/limits.h"
#include "api/policy_records.h"

namespace sluice {

void PushStream::Start() {
  self_ = shared_from_this();
  StartRead(&request_);
}

void PushStream::End(const grpc::Status& status) {
  {
    const std::lock_guard lock(mutex_);
    if (end_) return;
    end_ = status;
    if (writing_) return;  // OnWriteDone goes on
    finished_ = true;
  }
  Finish(status);
}

void PushStream::OnReadDone(bool ok) {
  if (!ok) {
    End(grpc::Status::OK);  // the sender is done, or the connection is
    return;
  }
  service_.Post([self = shared_from_this()] { self->Handle(); });
}

void PushStream::OnWriteDone(bool ok) {
  std::optional<grpc::Status> end;
  {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (end_ && !finished_) {
      finished_ = true;
      end = end_;
    } else if (finished_) {
      return;
    }
  }
  if (end) {
    Finish(*end);
  } else if (ok) {
    ReadNext();
  } else {
    End(grpc::Status::CANCELLED);
  }
}

void PushStream::OnCancel() { End(grpc::Status::CANCELLED); }

void PushStream::OnDone() {
  service_.Gone(this);
  const std::shared_ptr<PushStream> last = std::move(self_);
}

void PushStream::ReadNext() {
  const std::lock_guard lock(mutex_);
  if (!end_) StartRead(&request_);
}

void PushStream::Answer(v1::PushResponse response) {
  const std::lock_guard lock(mutex_);
  if (end_) return;
  response_ = std::move(response);
  writing_ = true;
  StartWrite(&response_);
}

void PushStream::Handle() {
  {
    const std::lock_guard lock(mutex_);
    if (end_) return;  // taken over: what it sent since is not applied
  }
  if (begun_) service_.intake_.SenderSpoke();
  if (!begun_ && !request_.has_begin()) {
    End({grpc::StatusCode::INVALID_ARGUMENT, "the first message must be Begin"});
  } else if (request_.has_begin() && begun_) {
    End({grpc::StatusCode::INVALID_ARGUMENT, "Begin comes once, first"});
  } else if (request_.has_begin()) {
    Begin(request_.begin());
  } else if (request_.has_full_state()) {
    AddChunk(request_.full_state());
  } else if (request_.has_update() && decoder_) {
    End({grpc::StatusCode::INVALID_ARGUMENT, "an update came between the chunks of a full state"});
  } else if (request_.has_update()) {
    v1::PushResponse response;
    *response.mutable_result() = service_.intake_.UpdateByPush(request_.update());
    Answer(std::move(response));
  } else {
    End({grpc::StatusCode::INVALID_ARGUMENT, "a message that this version does not know"});
  }
}

void PushStream::Begin(const v1::Begin& begin) {
  begun_ = true;
  sender_ = begin.sender();
  service_.TakeOver(shared_from_this(), sender_);
  v1::PushResponse response;
  *response.mutable_hello() = service_.intake_.MakeHello();
  Answer(std::move(response));
}

void PushStream::AddChunk(const v1::FullStateChunk& chunk) {
  const auto start = std::chrono::steady_clock::now();
  if (!decoder_) {
    decoder_.emplace();
    broken_.reset();
    records_.clear();
    bytes_ = 0;
    decode_ns_ = 0;
  }
  if (!broken_) broken_ = decoder_->Add(chunk);
  if (!broken_ && chunk.state_id() == 0) {
    broken_.emplace();
    broken_->object = "full state";
    broken_->field = "state_id";
    broken_->message = "must not be 0";
  }
  if (!broken_) {
    records_.push_back(request_.SerializeAsString());
    bytes_ += records_.back().size();
    broken_ = CheckRecord("full state", records_.back());
  }
  if (bytes_ > kMaxFullStateBytes) {
    End({grpc::StatusCode::RESOURCE_EXHAUSTED,
         "a full state of more than " + std::to_string(kMaxFullStateBytes >> 20) + " MB"});
    decoder_.reset();
    records_.clear();
    return;
  }
  decode_ns_ += static_cast<std::uint64_t>((std::chrono::steady_clock::now() - start) / std::chrono::nanoseconds(1));
  if (chunk.last()) {
    FinishFullState(chunk);
  } else {
    ReadNext();
  }
}

void PushStream::FinishFullState(const v1::FullStateChunk& last) {
  v1::PushResponse response;
  v1::BatchResult& result = *response.mutable_result();
  if (broken_) {
    result = service_.intake_.Refuse(last.batch(), std::move(*broken_));
  } else {
    result = service_.intake_.ReplaceByPush(decoder_->Take(), last.state_id(), last.batch(), std::move(records_));
  }
  result.set_decode_ns(decode_ns_);
  decoder_.reset();
  records_.clear();
  Answer(std::move(response));
}

}  // namespace sluice
