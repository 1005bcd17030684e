#include "api/push_stream.h"

#include <chrono>
#include <utility>

#include "api/limits.h"
#include "api/message_bytes.h"
#include "api/policy_records.h"
#include "codec/api_minor.h"
#include "sluice/printable.h"

namespace sluice {
namespace {

constexpr std::size_t kSenderBytes = 256;  // of the sender's name, as lines show it

Diagnostic Wrong(std::string field, std::string message) {
  Diagnostic diagnostic;
  diagnostic.object = "full state";
  diagnostic.field = std::move(field);
  diagnostic.message = std::move(message);
  return diagnostic;
}

std::uint64_t NanosecondsSince(std::chrono::steady_clock::time_point start) {
  return static_cast<std::uint64_t>((std::chrono::steady_clock::now() - start) / std::chrono::nanoseconds(1));
}

std::uint64_t InForceNs(const BatchOutcome& outcome) {
  return outcome.decode_ns + outcome.compile_ns + outcome.publish_ns;
}

}  // namespace

void PushStream::Start() {
  self_ = shared_from_this();
  StartRead(&incoming_);
}

void PushStream::Forget() {
  request_.Clear();
  parts_.Forget();
  decoder_.reset();
  records_ = {};
}

void PushStream::End(const grpc::Status& status) {
  {
    const std::lock_guard lock(mutex_);
    if (end_) return;
    end_ = status;
    if (writing_) return;  // OnWriteDone continues
    finished_ = true;
  }
  Finish(status);
}

void PushStream::OnReadDone(bool ok) {
  if (!ok) {
    End(grpc::Status::OK);  // the sender is done, or the connection ended
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
  if (!end_) StartRead(&incoming_);
}

void PushStream::Answer(const v1::PushResponse& response) {
  const std::lock_guard lock(mutex_);
  if (end_) return;
  outgoing_ = Pack(response);
  writing_ = true;
  StartWrite(&outgoing_);
}

void PushStream::Answer(const BatchOutcome& outcome) {
  v1::PushResponse response;
  v1::BatchResult& result = *response.mutable_result();
  result.set_batch(outcome.batch);
  result.set_applied(outcome.applied);
  result.set_full_state_needed(outcome.full_state_needed);
  result.set_generation(outcome.generation);
  result.set_decode_ns(outcome.decode_ns);
  result.set_compile_ns(outcome.compile_ns);
  result.set_publish_ns(outcome.publish_ns);
  result.set_live_unix_ns(outcome.live_unix_ns);
  result.set_not_kept(outcome.not_kept);
  for (const Diagnostic& problem : outcome.problems) *result.add_problems() = EncodeProblem(problem);
  Answer(response);
}

void PushStream::Handle() {
  {
    const std::lock_guard lock(mutex_);
    if (end_) return;  // another sender took over: requests since then are not applied
  }
  if (begun_) service_.intake_.SenderSpoke();
  if (!Unpack()) return;
  if (begun_ && request_.has_part() && !Gather()) return;
  HandleRequest();
}

// False: the stream ends.
bool PushStream::Unpack() {
  if (!begun_ && incoming_.Length() > kMaxAskedBytes) {
    End({grpc::StatusCode::INVALID_ARGUMENT, "the first message must be Begin"});
    return false;
  }
  const grpc::Status status = sluice::Unpack(incoming_, &request_);
  incoming_.Clear();
  if (!status.ok()) End(status);
  return status.ok();
}

// True: request_ is the one that came in parts. False: another part is due, or the stream ends.
bool PushStream::Gather() {
  if (!parts_.Add(request_.part())) {
    End({grpc::StatusCode::RESOURCE_EXHAUSTED,
         "a request in parts of more than " + std::to_string(kMaxGatheredBytes >> 20) + " MB"});
    return false;
  }
  if (!parts_.complete()) {
    ReadNext();
    return false;
  }
  const std::string message = parts_.Take();
  const grpc::Slice slice(message.data(), message.size(), grpc::Slice::STATIC_SLICE);
  const grpc::Status status = sluice::Unpack(grpc::ByteBuffer(&slice, 1), &request_);
  if (!status.ok()) {
    End(status);
  } else if (!request_.has_full_state() && !request_.has_update()) {
    End({grpc::StatusCode::INVALID_ARGUMENT, "parts are of a full state or of an update"});
  } else {
    return true;
  }
  return false;
}

void PushStream::HandleRequest() {
  if (!begun_ && !request_.has_begin()) {
    End({grpc::StatusCode::INVALID_ARGUMENT, "the first message must be Begin"});
  } else if (parts_.under_way()) {
    End({grpc::StatusCode::INVALID_ARGUMENT, "another message came between the parts of one"});
  } else if (request_.has_begin() && begun_) {
    End({grpc::StatusCode::INVALID_ARGUMENT, "Begin comes once, first"});
  } else if (request_.has_begin()) {
    Begin(request_.begin());
  } else if (request_.has_full_state()) {
    AddChunk(request_.full_state());
  } else if (request_.has_update() && decoder_) {
    End({grpc::StatusCode::INVALID_ARGUMENT, "an update came between the chunks of a full state"});
  } else if (request_.has_update()) {
    Answer(Update(request_.update()));
  } else {
    End({grpc::StatusCode::INVALID_ARGUMENT, "a message that this version does not know"});
  }
}

void PushStream::Begin(const v1::Begin& begin) {
  begun_ = true;
  sender_ = Printable(begin.sender(), kSenderBytes);
  service_.TakeOver(shared_from_this(), sender_);
  const IntakeStatus held = service_.intake_.status();
  v1::PushResponse response;
  v1::Hello& hello = *response.mutable_hello();
  hello.set_state_id(held.state_id);
  hello.set_batch(held.batch);
  hello.set_generation(service_.intake_.store().table()->generation());
  hello.set_api_minor(kApiMinor);
  hello.set_version(SLUICE_VERSION);
  Answer(response);
}

BatchOutcome PushStream::Update(const v1::Update& message) {
  PolicyIntake& intake = service_.intake_;
  if (auto refused = intake.RefuseOutOfOrder(message.state_id(), message.batch())) return *std::move(refused);
  const auto start = std::chrono::steady_clock::now();
  PolicyUpdate update;
  if (auto refused = DecodeUpdate(message, update)) return intake.Refuse(message.batch(), *std::move(refused));
  std::string record;
  if (intake.keeps()) {
    record = request_.SerializeAsString();
    // The record may be longer than the bytes that came, since shorter encodings than ours exist.
    if (auto refused = CheckRecord("update", record)) return intake.Refuse(message.batch(), *std::move(refused));
  }
  const std::uint64_t decode_ns = NanosecondsSince(start);
  intake.steps().Add(PolicyStep::kDecode, decode_ns);
  BatchOutcome outcome = intake.UpdateByPush(std::move(update), message.batch(), std::move(record), EncodeRecords);
  outcome.decode_ns = decode_ns;
  if (outcome.applied) intake.steps().Add(PolicyStep::kInForce, InForceNs(outcome));
  return outcome;
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
  if (!broken_ && chunk.state_id() == 0) broken_ = Wrong("state_id", "must not be 0");
  if (!broken_ && chunk.has_part()) broken_ = Wrong("part", "is for readers; a request has parts of its own");
  if (!broken_) broken_ = decoder_->Add(chunk);
  if (!broken_) {
    records_.push_back(request_.SerializeAsString());
    bytes_ += records_.back().size();
    broken_ = CheckRecord("full state", records_.back());
    if (!broken_ && bytes_ > kMaxFullStateBytes) {
      broken_ = Wrong("", "has more than " + std::to_string(kMaxFullStateBytes >> 20) +
                              " MB; where one dataplane serves some nodes, push what their pods need");
    }
  }
  if (broken_) {  // the rest is read and dropped, so that the sender gets the answer
    decoder_.emplace();
    records_ = {};
  }
  decode_ns_ += NanosecondsSince(start);
  if (chunk.last()) {
    FinishFullState(chunk);
  } else {
    ReadNext();
  }
}

void PushStream::FinishFullState(const v1::FullStateChunk& last) {
  PolicyIntake& intake = service_.intake_;
  BatchOutcome outcome =
      broken_ ? intake.Refuse(last.batch(), *std::move(broken_))
              : intake.ReplaceByPush(decoder_->Take(), last.state_id(), last.batch(), std::move(records_));
  outcome.decode_ns = decode_ns_;
  intake.steps().Add(PolicyStep::kDecode, decode_ns_);
  if (outcome.applied) intake.steps().Add(PolicyStep::kInForce, InForceNs(outcome));
  decoder_.reset();
  records_ = {};
  Answer(outcome);
}

}  // namespace sluice
