#include "push/pusher.h"

#include <algorithm>
#include <optional>
#include <random>
#include <utility>

#include "codec/api_minor.h"
#include "codec/codec.h"
#include "codec/parts.h"
#include "kube/backoff.h"
#include "push/fit.h"
#include "push/held_policies.h"
#include "push/older_receiver.h"
#include "push/push_call.h"
#include "sluice/log_text.h"

namespace sluice {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
constexpr std::size_t kSpareBytes = std::size_t{64} << 10;  // for the message around an object
constexpr int kMostTries = 5;                               // how often an update is sent if the stream ends on it

std::int64_t UnixNowNs() { return std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1); }

std::uint64_t SeedOf(std::uint64_t seed) { return seed != 0 ? seed : std::random_device()(); }

}  // namespace

class Pusher::Run {
 public:
  Run(PolicyFeed& feed, const std::string& target, const PushOptions& options, PushObserver& observer,
      PushHealth& health)
      : target_(target),
        options_(options),
        observer_(observer),
        health_(health),
        random_(SeedOf(options.seed)),
        backoff_(options.backoff_least, options.backoff_most, random_()),
        refused_backoff_(options.backoff_least, options.refused_backoff_most, random_()),
        receiver_(feed.MakeReceiver(options.node, [this] { Wake(); })),
        stub_(v1::PolicyService::NewStub(Connect(target, options.security))) {}

  void Loop() {
    if (!WaitForNews(Clock::time_point::max(), nullptr)) return;
    do {
      const auto begun = Clock::now();
      const std::string why = Session();
      health_.connected = false;
      health_.in_step = false;
      receiver_->Doubt();
      if (Stopped()) return;
      health_.progress.Lacks();
      health_.progress.Meets(why);
      if (why != trouble_) observer_.OnTrouble(target_, why);
      trouble_ = why;
      // A stream that ends soon, as when two senders take over from each other, does not count as success.
      if (Clock::now() - begun > options_.backoff_most) backoff_.Reset();
    } while (Sleep(backoff_.Next()));
  }

  std::uint64_t in_force() const { return receiver_->revision_in_force(); }

  void Stop() {
    const std::lock_guard lock(signal_.mutex);
    signal_.stop = true;
    signal_.changed.notify_all();
  }

 private:
  // What was sent, or what must be sent again if nobody knows whether it arrived.
  struct Pending {
    v1::PushRequest request;
    PolicyUpdate update;
    ChangeTimes changes;
    int tries = 0;
  };
  enum class Outcome { kApplied, kRefused, kBroken, kFullDue };

  void Wake() {
    const std::lock_guard lock(signal_.mutex);
    signal_.news = true;
    health_.progress.Lacks();
    signal_.changed.notify_all();
  }
  bool Stopped() {
    const std::lock_guard lock(signal_.mutex);
    return signal_.stop;
  }
  // False: the pusher is stopped.
  bool Sleep(std::chrono::milliseconds time) {
    std::unique_lock lock(signal_.mutex);
    return !signal_.changed.wait_for(lock, time, [this] { return signal_.stop; });
  }
  // Waits until the feed has something, or until `until`. False: the pusher is stopped, or `call` (null: no call) is
  // over. With a call, requires that the target holds all that the feed had.
  bool WaitForNews(Clock::time_point until, const PushCall* call) {
    std::unique_lock lock(signal_.mutex);
    if (call != nullptr && !signal_.news) health_.progress.HasAll();
    const auto over = [&] { return signal_.stop || (call != nullptr && call->over()); };
    const auto done = [&] { return over() || signal_.news; };
    if (until == Clock::time_point::max()) {
      signal_.changed.wait(lock, done);
    } else {
      signal_.changed.wait_until(lock, until, done);
    }
    signal_.news = false;
    return !over();
  }
  Clock::time_point AnswerDeadline() const { return Clock::now() + options_.answer_timeout; }

  // Runs from the connection to its end. Returns why it ended.
  std::string Session() {
    PushCall call(*stub_, signal_);
    const std::optional<v1::Hello> hello = Greet(call);
    if (hello) {
      ++health_.connects;
      health_.connected = true;
      trouble_.clear();
      observer_.OnConnected(target_);
      Agree(*hello);
      while (Step(call)) {
      }
    }
    const grpc::Status status = call.Finish();
    if (!broken_.empty()) return std::exchange(broken_, "");
    if (status.ok()) return "the dataplane closed the stream";
    return status.error_message().empty() ? "the stream broke"
                                          : ExplainFailure(status.error_message(), options_.security);
  }

  std::optional<v1::Hello> Greet(PushCall& call) {
    v1::PushRequest request;
    request.mutable_begin()->set_sender(options_.sender);
    request.mutable_begin()->set_state_id(state_id_);
    if (!call.Write(request, AnswerDeadline())) return std::nullopt;
    const auto answer = call.Read(AnswerDeadline());
    if (!answer || !answer->has_hello()) return std::nullopt;
    api_minor_ = answer->hello().api_minor();
    return answer->hello();
  }

  // Goes on if the dataplane holds what we sent last, or what we sent before it. Otherwise a full state is due.
  void Agree(const v1::Hello& hello) {
    full_due_ = true;
    if (state_id_ == 0 || hello.state_id() != state_id_) return;
    if (pending_ && hello.batch() == batch_ + 1) {
      ++batch_;
      Applied(false, std::move(pending_->changes), UnixNowNs(), hello.generation(), {});
      pending_.reset();
    }
    full_due_ = hello.batch() != batch_ || (lacks_names_ && api_minor_ >= kNamesSinceApiMinor);
    if (full_due_) return;
    if (pending_) return;  // the target is not in step yet
    if (untold_.oldest_ns() != 0) Applied(true, std::exchange(untold_, {}), UnixNowNs(), hello.generation(), {});
    health_.in_step = true;
    receiver_->Confirm();
  }

  // Sends one batch, or waits for one. False: the stream is over.
  bool Step(PushCall& call) {
    if (held_.size() != 0 && Clock::now() >= retry_held_at_) {
      held_.Clear();
      full_due_ = true;
    }
    if (full_due_ || receiver_->FullDue()) return Handle(SendFull(call), call);
    if (pending_) return Handle(SendPending(call), call);
    if (!TakePending()) {
      if (!WaitForNews(held_.size() != 0 ? retry_held_at_ : Clock::time_point::max(), &call)) return false;
    }
    return true;
  }

  // False: nothing changed.
  bool TakePending() {
    if (!receiver_->HasNews()) return false;
    Pending pending;
    std::optional<PolicyUpdate> update = receiver_->TakeChanges(&pending.changes);
    if (!update) {
      receiver_->Confirm();  // nothing is in progress, and no change concerns this dataplane
      return false;
    }
    if (held_.Release(*update) && emptied_) full_due_ = true;  // in the dataplane, their groups are empty
    TellHeld();
    pending.update = *std::move(update);
    Encode(pending);
    pending_ = std::move(pending);
    return true;
  }

  void TellHeld() {
    health_.held_policies = held_.size();
    health_.held_reasons.Tell(held_.reasons());
  }

  void Encode(Pending& pending) {
    held_.Strip(&pending.update);
    if (api_minor_ < kNamesSinceApiMinor) LeaveOutNames(RemoveRulesByName(&pending.update));
    *pending.request.mutable_update() = EncodeUpdate(pending.update, state_id_, batch_ + 1);
    pending.request.mutable_update()->set_received_unix_ns(static_cast<std::uint64_t>(pending.changes.oldest_ns()));
  }

  // To be called for a dataplane that is too old for rules by domain name.
  void LeaveOutNames(bool there_were) {
    if (!there_were || lacks_names_) return;
    lacks_names_ = true;
    observer_.OnOlder(target_,
                      "older than rules by domain name: it gets policies without them, and denies what they would "
                      "accept; upgrade sluiced");
  }

  // How large a message may be for this dataplane; in parts, if it knows them.
  std::size_t MostBytes() const {
    return api_minor_ >= kPartsSinceApiMinor ? options_.most_gathered_bytes : options_.most_message_bytes;
  }

  // `bytes`: the size of the request.
  bool Write(PushCall& call, const v1::PushRequest& request, std::size_t bytes) {
    if (bytes <= options_.most_message_bytes) return call.Write(request, AnswerDeadline());
    v1::PushRequest piece;
    return SendInParts(request.SerializeAsString(), [&](const v1::Part& part) {
      *piece.mutable_part() = part;
      return call.Write(piece, AnswerDeadline());
    });
  }

  // Reports objects that are too large to be sent as refusals. False: the policy cannot be sent at all.
  bool MakeFit(ResolvedPolicy* policy) {
    Fitting fitting = Fit(policy, &held_, MostBytes() - kChunkBytes - kSpareBytes);
    emptied_ = fitting.emptied;
    for (const Diagnostic& refusal : fitting.held) observer_.OnRefused(target_, refusal, true);
    if (!fitting.held.empty()) retry_held_at_ = Clock::now() + options_.hold_time;
    TellHeld();
    if (!fitting.refused) return true;
    result_.Clear();
    *result_.add_problems() = EncodeProblem(*fitting.refused);
    return false;
  }

  Outcome SendFull(PushCall& call) {
    if (pending_) untold_.Append(pending_->changes);
    pending_.reset();
    ChangeTimes changes;
    ResolvedPolicy policy = receiver_->Full(&changes);
    if (state_id_ != 0) untold_.Append(changes);  // the first state is no change
    full_due_ = true;                             // until it was applied
    lacks_names_ = false;
    if (api_minor_ < kNamesSinceApiMinor) LeaveOutNames(RemoveRulesByName(&policy));
    if (!MakeFit(&policy)) return Outcome::kRefused;
    do {
      state_id_ = random_();
    } while (state_id_ == 0);
    batch_ = 1;
    const std::int64_t sent_ns = UnixNowNs();
    const auto begun = Clock::now();
    v1::PushRequest request;
    const bool sent = EncodeFullState(policy, state_id_, batch_, kChunkBytes, [&](const v1::FullStateChunk& chunk) {
      *request.mutable_full_state() = chunk;
      return Write(call, request, request.ByteSizeLong());
    });
    if (!sent) return Outcome::kBroken;
    receiver_->PrepareForChanges();  // while the dataplane compiles
    const Outcome outcome = ReadResult(call, batch_);
    if (outcome != Outcome::kApplied) return outcome;
    full_due_ = false;
    Applied(true, std::exchange(untold_, {}), LiveNs(sent_ns), result_.generation(), Clock::now() - begun);
    return outcome;
  }

  Outcome SendPending(PushCall& call) {
    const std::int64_t sent_ns = UnixNowNs();
    const auto begun = Clock::now();
    const std::size_t bytes = pending_->request.ByteSizeLong();
    if (bytes > MostBytes() || pending_->tries++ == kMostTries) return Outcome::kFullDue;
    if (!Write(call, pending_->request, bytes)) return Outcome::kBroken;
    const Outcome outcome = ReadResult(call, batch_ + 1);
    if (outcome != Outcome::kApplied) return outcome;
    ++batch_;
    Applied(false, std::move(pending_->changes), LiveNs(sent_ns), result_.generation(), Clock::now() - begun);
    pending_.reset();
    return outcome;
  }

  Outcome ReadResult(PushCall& call, std::uint64_t batch) {
    const auto answer = call.Read(AnswerDeadline());
    if (!answer) return Outcome::kBroken;
    if (!answer->has_result() || answer->result().batch() != batch) {
      broken_ = answer->has_result() ? "the dataplane answered another batch than it was sent"
                                     : "the dataplane sent an answer that this version does not know";
      return Outcome::kBroken;
    }
    result_ = answer->result();
    return result_.applied() ? Outcome::kApplied : Outcome::kRefused;
  }

  std::int64_t LiveNs(std::int64_t sent_ns) const {
    const std::int64_t heard_ns = std::max(sent_ns, UnixNowNs());
    return std::clamp(static_cast<std::int64_t>(result_.live_unix_ns()), sent_ns, heard_ns);
  }

  // `sending`: 0 if the answer to the batch itself was lost.
  void Applied(bool full, ChangeTimes changes, std::int64_t live_ns, std::uint64_t generation,
               std::chrono::nanoseconds sending) {
    ++(full ? health_.full_states : health_.updates);
    health_.generation = generation;
    TellHeld();
    health_.in_step = true;
    receiver_->Confirm();
    health_.progress.Took();
    refused_backoff_.Reset();
    AppliedBatch batch{full, std::move(changes), live_ns, generation, "", sending};
    if (sending.count() != 0) {
      batch.not_kept = result_.not_kept();
      batch.decoding = std::chrono::nanoseconds(result_.decode_ns());
      batch.compiling = std::chrono::nanoseconds(result_.compile_ns());
      batch.publishing = std::chrono::nanoseconds(result_.publish_ns());
    }
    observer_.OnApplied(target_, batch);
  }

  bool Handle(Outcome outcome, PushCall& call) {
    if (outcome == Outcome::kBroken) return false;
    if (outcome == Outcome::kApplied) return true;
    if (outcome == Outcome::kFullDue) {
      full_due_ = true;
      return true;
    }
    ++health_.refused;
    bool held = false;
    for (const v1::Problem& problem : result_.problems()) {
      const Diagnostic refusal = DecodeProblem(problem);
      const bool holds = held_.Hold(refusal);
      held |= holds;
      observer_.OnRefused(target_, refusal, holds);
      health_.progress.Meets("refused: " + LogText(refusal));
    }
    if (held) retry_held_at_ = Clock::now() + options_.hold_time;
    TellHeld();
    if (held && pending_ && !result_.full_state_needed()) {
      Encode(*pending_);
      return true;
    }
    full_due_ = true;
    if (!held) health_.in_step = false;
    // Nobody knows what made this state differ from one that the dataplane took, so it gets time.
    return held || WaitOut(refused_backoff_.Next(), call);
  }

  // Waits. False: the stream is over. News stays for the next wait.
  bool WaitOut(std::chrono::milliseconds time, const PushCall& call) {
    std::unique_lock lock(signal_.mutex);
    return !signal_.changed.wait_for(lock, time, [&] { return signal_.stop || call.over(); });
  }

  const std::string& target_;
  const PushOptions options_;
  PushObserver& observer_;
  PushHealth& health_;
  std::mt19937_64 random_;
  Backoff backoff_;
  Backoff refused_backoff_;
  PushSignal signal_;
  const std::unique_ptr<PolicyFeed::Receiver> receiver_;
  const std::unique_ptr<v1::PolicyService::Stub> stub_;

  std::uint64_t state_id_ = 0;
  std::uint64_t batch_ = 0;      // the last one that was applied
  std::uint32_t api_minor_ = 0;  // the dataplane's number, from its last Hello
  bool full_due_ = true;
  bool lacks_names_ = false;  // the dataplane's policy lacks rules by domain name
  bool emptied_ = false;      // groups of held policies were empty in the last full state
  std::optional<Pending> pending_;
  ChangeTimes untold_;  // of changes in full states that are not applied yet
  HeldPolicies held_;
  Clock::time_point retry_held_at_;
  v1::BatchResult result_;
  std::string broken_;
  std::string trouble_;  // the last one that was reported
};

Pusher::Pusher(PolicyFeed& feed, std::string target, PushOptions options, PushObserver& observer)
    : target_(std::move(target)),
      run_(std::make_unique<Run>(feed, target_, options, observer, health_)),
      thread_([this] { run_->Loop(); }) {}

std::uint64_t Pusher::in_force() const { return run_->in_force(); }

Pusher::~Pusher() {
  run_->Stop();
  thread_.join();
}

}  // namespace sluice
