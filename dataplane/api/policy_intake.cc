#include "api/policy_intake.h"

#include <chrono>
#include <utility>
#include <variant>

#include "codec/codec.h"

namespace sluice {
namespace {

std::uint64_t SteadyNowNs() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

Diagnostic OutOfOrder(const v1::Update& update, const IntakeStatus& status) {
  Diagnostic diagnostic;
  diagnostic.object = "update";
  diagnostic.field = update.state_id() == status.state_id ? "batch" : "state_id";
  diagnostic.message = "is for batch " + std::to_string(update.batch()) + " of state " +
                       std::to_string(update.state_id()) + "; in force is batch " + std::to_string(status.batch) +
                       " of state " + std::to_string(status.state_id);
  return diagnostic;
}

Diagnostic NumbersUsedUp() {
  Diagnostic diagnostic;
  diagnostic.object = "update";
  diagnostic.field = "state_id";
  diagnostic.message =
      "names a state of whose numbers most went to what is gone; send a full state, which begins others";
  return diagnostic;
}

}  // namespace

std::uint64_t UnixNowNs() {
  return static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

PolicyIntake::PolicyIntake(CompileLimits limits, PolicyStore::Publish publish, std::unique_ptr<StateFile> file, Say say,
                           std::uint64_t last_generation)
    : publish_(std::move(publish)),
      store_(
          limits, [this](std::shared_ptr<const Table> table) { PublishTimed(std::move(table)); }, last_generation),
      file_(std::move(file)),
      say_(say ? std::move(say) : [](std::string_view) {}) {}

IntakeStatus PolicyIntake::status() const {
  std::string not_kept = file_ == nullptr ? "" : file_->not_kept();
  const std::lock_guard lock(mutex_);
  IntakeStatus status = status_;
  status.not_kept = std::move(not_kept);
  return status;
}

void PolicyIntake::PublishTimed(std::shared_ptr<const Table> table) {
  const std::uint64_t generation = table->generation();
  const std::uint64_t start = SteadyNowNs();
  publish_(std::move(table));
  if (std::exchange(published_.generation, generation) == generation) return;  // the same in other numbers
  published_.begun_ns = start;
  published_.took_ns = SteadyNowNs() - start;
  published_.live_unix_ns = UnixNowNs();
}

std::optional<std::string> PolicyIntake::LoadState() {
  if (file_ == nullptr) return std::nullopt;
  PolicyRecordReader reader;
  auto loaded = file_->Load(reader);
  if (auto* error = std::get_if<std::string>(&loaded)) return std::move(*error);
  if (!std::get<bool>(loaded)) return std::nullopt;
  SavedState saved = reader.Take();
  if (const auto refused = store_.Replace(std::move(saved.policy))) {
    return "the state file's policy is refused: " + refused->ToString();
  }
  const std::lock_guard lock(mutex_);
  status_.source = "state file";
  status_.state_id = saved.state_id;
  status_.batch = saved.batch;
  status_.published_unix_ns = UnixNowNs();
  return std::nullopt;
}

std::optional<Diagnostic> PolicyIntake::ReplaceByManifests(ResolvedPolicy policy) {
  const auto before = store_.table();
  auto refused = store_.Replace(std::move(policy));
  const std::lock_guard lock(mutex_);
  status_.last_refusal.clear();
  if (refused) {
    status_.last_refusal.push_back(*refused);
    return refused;
  }
  status_.source = "manifests";
  if (store_.table() != before) status_.published_unix_ns = UnixNowNs();
  return std::nullopt;
}

void PolicyIntake::RefuseManifests(Diagnostics reasons) {
  const std::lock_guard lock(mutex_);
  status_.last_refusal = std::move(reasons);
}

std::variant<bool, std::string> PolicyIntake::LoadKept(StateReader& reader) {
  return file_ == nullptr ? false : file_->Load(reader);
}

std::string PolicyIntake::KeepManifests(std::vector<std::string> records) {
  file_->Save(std::move(records));
  return file_->AwaitWritten();
}

v1::BatchResult PolicyIntake::Applied(std::uint64_t state_id, std::uint64_t batch, std::uint64_t started_ns) {
  v1::BatchResult result;
  result.set_batch(batch);
  result.set_applied(true);
  result.set_generation(store_.table()->generation());
  std::uint64_t live_unix_ns = published_.live_unix_ns;
  if (published_.begun_ns >= started_ns) {
    result.set_publish_ns(published_.took_ns);
    result.set_compile_ns(published_.begun_ns - started_ns);
  } else {  // it is the state that was in force
    live_unix_ns = UnixNowNs();
    result.set_compile_ns(SteadyNowNs() - started_ns);
  }
  result.set_live_unix_ns(live_unix_ns);
  const std::lock_guard lock(mutex_);
  status_.source = "push";
  status_.state_id = state_id;
  status_.batch = batch;
  status_.published_unix_ns = live_unix_ns;
  status_.last_refusal.clear();
  return result;
}

v1::BatchResult PolicyIntake::Refuse(std::uint64_t batch, Diagnostic reason) {
  v1::BatchResult result;
  result.set_batch(batch);
  *result.add_problems() = EncodeProblem(reason);
  result.set_generation(store_.table()->generation());
  const std::lock_guard lock(mutex_);
  status_.last_refusal = {std::move(reason)};
  return result;
}

// It may be a mistake of the sender's; what is in force is the sender's to say all the same.
void PolicyIntake::Tell(const PolicyRemoval& removal) {
  std::string sender;
  {
    const std::lock_guard lock(mutex_);
    ++status_.large_removals;
    sender = status_.sender;
  }
  say_("a full state by sender '" + sender + "' took away " + std::to_string(removal.removed) + " of the " +
       std::to_string(removal.in_force) + " policies in force");
}

v1::BatchResult PolicyIntake::ReplaceByPush(ResolvedPolicy policy, std::uint64_t state_id, std::uint64_t batch,
                                            std::vector<std::string> records) {
  const std::uint64_t start = SteadyNowNs();
  const PolicyRemoval removal = store_.RemovedBy(policy);
  if (auto refused = store_.Replace(std::move(policy))) return Refuse(batch, std::move(*refused));
  v1::BatchResult result = Applied(state_id, batch, start);
  if (removal.is_large()) Tell(removal);
  if (file_ != nullptr) {
    file_->Save(std::move(records));
    result.set_not_kept(file_->AwaitWritten());
  }
  return result;
}

// A file that was given up gets the whole state in force, not what changed last.
void PolicyIntake::KeepUpdate(std::string record) {
  if (!file_->wants_full_state()) return file_->Append(std::move(record));
  const IntakeStatus held = status();
  auto records = store_.Read(
      [&](const ResolvedPolicy& policy, const Table&) { return EncodeRecords(policy, held.state_id, held.batch); });
  if (!records.empty()) file_->Save(std::move(records));
}

v1::BatchResult PolicyIntake::UpdateByPush(const v1::Update& message) {
  const std::uint64_t decode_start = SteadyNowNs();
  const IntakeStatus held = status();
  if (held.state_id == 0 || message.state_id() != held.state_id || message.batch() - 1 != held.batch ||
      message.batch() == 0) {
    v1::BatchResult result = Refuse(message.batch(), OutOfOrder(message, held));
    result.set_full_state_needed(true);
    return result;
  }
  if (store_.NumbersAreUsedUp()) {
    v1::BatchResult result = Refuse(message.batch(), NumbersUsedUp());
    result.set_full_state_needed(true);
    return result;
  }
  PolicyUpdate update;
  if (auto refused = DecodeUpdate(message, update)) return Refuse(message.batch(), std::move(*refused));
  std::string record;
  if (file_ != nullptr) {
    v1::PushRequest request;
    *request.mutable_update() = message;
    record = request.SerializeAsString();
    // It may be longer than what came: there are shorter encodings than ours.
    if (auto refused = CheckRecord("update", record)) return Refuse(message.batch(), std::move(*refused));
  }
  const std::uint64_t start = SteadyNowNs();
  if (auto refused = store_.Update(std::move(update))) return Refuse(message.batch(), std::move(*refused));
  v1::BatchResult result = Applied(message.state_id(), message.batch(), start);
  result.set_decode_ns(start - decode_start);
  if (file_ != nullptr) {
    KeepUpdate(std::move(record));
    result.set_not_kept(file_->AwaitWritten());
  }
  return result;
}

v1::Hello PolicyIntake::MakeHello() const {
  v1::Hello hello;
  const IntakeStatus held = status();
  hello.set_state_id(held.state_id);
  hello.set_batch(held.batch);
  hello.set_generation(store_.table()->generation());
  hello.set_api_minor(kApiMinor);
  hello.set_version(SLUICE_VERSION);
  return hello;
}

void PolicyIntake::SenderCame(const std::string& sender) {
  const std::lock_guard lock(mutex_);
  status_.sender = sender;
  status_.sender_connected = true;
  status_.sender_heard_unix_ns = UnixNowNs();
}

void PolicyIntake::SenderSpoke() {
  const std::lock_guard lock(mutex_);
  status_.sender_heard_unix_ns = UnixNowNs();
}

void PolicyIntake::SenderWent() {
  const std::lock_guard lock(mutex_);
  status_.sender_connected = false;
}

void PolicyIntake::FlushState() {
  if (file_ != nullptr) file_->Flush();
}

}  // namespace sluice
