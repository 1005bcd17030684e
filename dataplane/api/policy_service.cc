#include "api/policy_service.h"

#include <grpc/grpc_security_constants.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "api/limits.h"
#include "api/push_stream.h"

namespace sluice {
namespace {

constexpr std::string_view kViewerRefusal =
    "this certificate may look and not push; pushing wants one that tls.client_ca signed, and not tls.viewer_ca";

}  // namespace

PolicyService::PolicyService(PolicyIntake& intake, std::string refusal, Say say, MayPush may_push)
    : intake_(intake),
      refusal_(std::move(refusal)),
      say_(std::move(say)),
      may_push_(std::move(may_push)),
      thread_([this] { Run(); }) {}

PolicyService::~PolicyService() {
  Stop();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return streams_ == 0; });
}

void PolicyService::Stop() {
  std::vector<std::shared_ptr<PushStream>> streams;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    streams.assign(waiting_.begin(), waiting_.end());
    if (sender_) streams.push_back(sender_);
  }
  changed_.notify_all();
  for (const auto& stream : streams) stream->End({grpc::StatusCode::UNAVAILABLE, "sluiced is shutting down"});
  if (thread_.joinable()) thread_.join();
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* PolicyService::Push(grpc::CallbackServerContext* context) {
  const auto stream = std::make_shared<PushStream>(*this);
  Waits(stream);
  stream->Start();
  bool stopped = false;
  {
    const std::lock_guard lock(mutex_);
    stopped = stop_;
  }
  if (stopped) stream->End({grpc::StatusCode::UNAVAILABLE, "sluiced is shutting down"});
  if (!refusal_.empty()) stream->End({grpc::StatusCode::FAILED_PRECONDITION, refusal_});
  if (const std::string refusal = RefusalOf(*context); !refusal.empty()) {
    stream->End({grpc::StatusCode::PERMISSION_DENIED, refusal});
  }
  return stream.get();
}

std::string PolicyService::RefusalOf(const grpc::CallbackServerContext& context) {
  constexpr std::chrono::seconds kQuiet(10);
  if (may_push_ == nullptr) return "";
  const auto auth = context.auth_context();
  const auto text_of = [&](const char* property) {
    const auto values = auth->FindPropertyValues(property);
    return values.empty() ? std::string() : std::string(values.front().data(), values.front().size());
  };
  if (!auth->IsPeerAuthenticated()) return "";  // a Unix socket, or `insecure`
  // At this end of a connection, OpenSSL's chain lacks the client's own certificate.
  const std::string own = text_of(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (!own.empty() && may_push_(own + '\n' + text_of(GRPC_X509_PEM_CERT_CHAIN_PROPERTY_NAME))) return "";
  {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (told_of_viewer_ != std::chrono::steady_clock::time_point{} && now - told_of_viewer_ < kQuiet) {
      return std::string(kViewerRefusal);
    }
    told_of_viewer_ = now;
  }
  say_("a client that may only look wanted to push: certificate '" + text_of(GRPC_X509_CN_PROPERTY_NAME) +
       "' is not one that tls.client_ca alone signed");
  return std::string(kViewerRefusal);
}

void PolicyService::Post(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    if (stop_) return;
    jobs_.push_back(std::move(job));
  }
  changed_.notify_all();
}

void PolicyService::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
    if (stop_) break;
    const std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
  std::deque<std::function<void()>> left = std::move(jobs_);
  lock.unlock();
}

// A client that opens streams and says nothing makes room for others.
void PolicyService::Waits(const std::shared_ptr<PushStream>& stream) {
  std::shared_ptr<PushStream> oldest;
  {
    const std::lock_guard lock(mutex_);
    ++streams_;
    waiting_.push_back(stream);
    if (waiting_.size() > kMaxWaitingSenders) {
      oldest = waiting_.front();
      waiting_.pop_front();
    }
  }
  if (oldest) oldest->End({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many streams without Begin"});
}

void PolicyService::TakeOver(const std::shared_ptr<PushStream>& stream, const std::string& sender) {
  std::shared_ptr<PushStream> before;
  {
    const std::lock_guard lock(mutex_);
    std::erase(waiting_, stream);
    before = std::exchange(sender_, stream);
    intake_.SenderCame(sender);
  }
  if (!before) {
    say_("sender '" + sender + "' is connected");
    return;
  }
  say_("sender '" + sender + "' takes over from '" + before->sender() + "'");
  before->End({grpc::StatusCode::ABORTED, "sender '" + sender + "' took over"});
  before->Forget();  // gRPC may hold it for long
}

void PolicyService::Gone(const PushStream* stream) {
  ForgetSender(stream);
  const std::lock_guard lock(mutex_);
  --streams_;
  changed_.notify_all();  // under the lock: the service may be gone afterwards
}

void PolicyService::ForgetSender(const PushStream* stream) {
  std::shared_ptr<PushStream> gone;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(waiting_, [&](const auto& waiting) { return waiting.get() == stream; });
    if (sender_.get() != stream) return;
    gone = std::move(sender_);
    sender_.reset();
    intake_.SenderWent();
  }
  say_("sender '" + gone->sender() + "' is gone; the policy in force stays");
}

}  // namespace sluice
