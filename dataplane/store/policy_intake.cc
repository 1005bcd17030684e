#include "store/policy_intake.h"

#include <chrono>
#include <utility>

#include "sluice/log_text.h"
#include "sluice/printable.h"

namespace sluice {
namespace {

std::uint64_t SteadyNowNs() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

Diagnostic OutOfOrder(std::uint64_t state_id, std::uint64_t batch, const IntakeStatus& status) {
  Diagnostic diagnostic;
  diagnostic.object = "update";
  diagnostic.field = state_id == status.state_id ? "batch" : "state_id";
  diagnostic.message = "is for batch " + std::to_string(batch) + " of state " + std::to_string(state_id) +
                       "; in force is batch " + std::to_string(status.batch) + " of state " +
                       std::to_string(status.state_id);
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

// Adds the policy of these sections, if its sender holds it back.
template <typename Sections>
void AddHeld(const Sections& sections, std::map<std::string, std::string>* held) {
  for (const Section& section : sections) {
    if (!section.held.empty()) held->try_emplace(section.policy, section.held);
  }
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
  if (std::exchange(published_.generation, generation) == generation) return;  // the same table in other numbers
  published_.begun_ns = start;
  published_.took_ns = SteadyNowNs() - start;
  published_.live_unix_ns = UnixNowNs();
}

// Logs each held policy once, for as long as it is held back for the same reason.
void PolicyIntake::TellHeld(Held held) {
  Held before;
  {
    const std::lock_guard lock(mutex_);
    before = std::exchange(status_.held, held);
  }
  const auto name = [](const std::string& policy) { return "policy " + Printable(policy, kPrintableBytes); };
  for (const auto& [policy, why] : held) {
    const auto known = before.find(policy);
    if (known != before.end() && known->second == why) continue;
    say_(name(policy) +
         " is held back by its sender: it isolates the pods that it selects and allows nothing, because of: " +
         Printable(why, kPrintableBytes));
  }
  for (const auto& [policy, why] : before) {
    if (!held.contains(policy)) say_(name(policy) + " is held back no more");
  }
}

std::optional<Diagnostic> PolicyIntake::Restore(ResolvedPolicy policy, std::uint64_t state_id, std::uint64_t batch) {
  Held held;
  AddHeld(policy.sections, &held);
  if (auto refused = store_.Replace(std::move(policy))) return refused;
  TellHeld(std::move(held));
  const std::lock_guard lock(mutex_);
  status_.source = "state file";
  status_.state_id = state_id;
  status_.batch = batch;
  status_.published_unix_ns = UnixNowNs();
  return std::nullopt;
}

std::optional<Diagnostic> PolicyIntake::ReplaceByManifests(ResolvedPolicy policy) {
  const auto before = store_.table();
  const std::uint64_t start = SteadyNowNs();
  auto refused = store_.Replace(std::move(policy));
  refused ? steps_.CountRefused() : CountApplied(start);
  if (!refused) steps_.Add(PolicyStep::kInForce, SteadyNowNs() - start);
  const std::lock_guard lock(mutex_);
  status_.last_refusal.clear();
  if (refused) {
    status_.last_refusal.push_back(*refused);
    return refused;
  }
  status_.source = "manifests";
  status_.held.clear();
  if (store_.table() != before) status_.published_unix_ns = UnixNowNs();
  return std::nullopt;
}

void PolicyIntake::RefuseManifests(Diagnostics reasons) {
  steps_.CountRefused();
  const std::lock_guard lock(mutex_);
  status_.last_refusal = std::move(reasons);
}

std::variant<bool, std::string> PolicyIntake::LoadKept(StateReader& reader) {
  return file_ == nullptr ? false : file_->Load(reader);
}

std::string PolicyIntake::KeepManifests(std::vector<std::string> records) {
  file_->Save(std::move(records));
  return AwaitKept();
}

std::string PolicyIntake::AwaitKept() {
  const std::uint64_t start = SteadyNowNs();
  std::string not_kept = file_->AwaitWritten();
  steps_.Add(PolicyStep::kKeep, SteadyNowNs() - start);
  return not_kept;
}

void PolicyIntake::CountApplied(std::uint64_t started_ns) {
  steps_.CountApplied();
  if (published_.begun_ns < started_ns) return steps_.Add(PolicyStep::kCompile, SteadyNowNs() - started_ns);
  steps_.Add(PolicyStep::kCompile, published_.begun_ns - started_ns);
  steps_.Add(PolicyStep::kPublish, published_.took_ns);
}

BatchOutcome PolicyIntake::Applied(std::uint64_t state_id, std::uint64_t batch, std::uint64_t started_ns) {
  CountApplied(started_ns);
  BatchOutcome outcome;
  outcome.batch = batch;
  outcome.applied = true;
  outcome.generation = store_.table()->generation();
  outcome.live_unix_ns = published_.live_unix_ns;
  if (published_.begun_ns >= started_ns) {
    outcome.publish_ns = published_.took_ns;
    outcome.compile_ns = published_.begun_ns - started_ns;
  } else {  // it equals the state that was in force
    outcome.live_unix_ns = UnixNowNs();
    outcome.compile_ns = SteadyNowNs() - started_ns;
  }
  const std::lock_guard lock(mutex_);
  status_.source = "push";
  status_.state_id = state_id;
  status_.batch = batch;
  status_.published_unix_ns = outcome.live_unix_ns;
  status_.last_refusal.clear();
  return outcome;
}

BatchOutcome PolicyIntake::Refuse(std::uint64_t batch, Diagnostic reason) {
  steps_.CountRefused();
  BatchOutcome outcome;
  outcome.batch = batch;
  outcome.generation = store_.table()->generation();
  outcome.problems = {std::move(reason)};
  const std::string text = LogText(outcome.problems[0]);
  std::string sender;
  {
    const std::lock_guard lock(mutex_);
    const bool known = !status_.last_refusal.empty() && LogText(status_.last_refusal[0]) == text;
    status_.last_refusal = outcome.problems;
    if (known) return outcome;  // a sender may try the same batch again and again
    sender = status_.sender;
  }
  say_("a batch by sender '" + Printable(sender, kPrintableBytes) +
       "' is refused: " + Printable(text, kPrintableBytes) + "; what was in force stays");
  return outcome;
}

// The sender may have made a mistake. Still, only the sender decides what is in force.
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

BatchOutcome PolicyIntake::ReplaceByPush(ResolvedPolicy policy, std::uint64_t state_id, std::uint64_t batch,
                                         std::vector<std::string> records) {
  const std::uint64_t start = SteadyNowNs();
  const PolicyRemoval removal = store_.RemovedBy(policy);
  Held held;
  AddHeld(policy.sections, &held);
  if (auto refused = store_.Replace(std::move(policy))) return Refuse(batch, std::move(*refused));
  BatchOutcome outcome = Applied(state_id, batch, start);
  if (removal.is_large()) Tell(removal);
  TellHeld(std::move(held));
  if (file_ != nullptr) {
    file_->Save(std::move(records));
    outcome.not_kept = AwaitKept();
  }
  return outcome;
}

std::optional<BatchOutcome> PolicyIntake::RefuseOutOfOrder(std::uint64_t state_id, std::uint64_t batch) {
  const IntakeStatus held = status();
  const bool follows = held.state_id != 0 && state_id == held.state_id && batch - 1 == held.batch && batch != 0;
  if (follows && !store_.NumbersAreUsedUp()) return std::nullopt;
  BatchOutcome outcome = Refuse(batch, follows ? NumbersUsedUp() : OutOfOrder(state_id, batch, held));
  outcome.full_state_needed = true;
  return outcome;
}

BatchOutcome PolicyIntake::UpdateByPush(PolicyUpdate update, std::uint64_t batch, std::string record,
                                        const Encode& encode) {
  const std::uint64_t start = SteadyNowNs();
  const IntakeStatus before = status();
  Held held = before.held;
  for (const std::string& policy : update.removed_policies) held.erase(policy);
  for (const SectionsUpdate& sections : update.sections) {
    held.erase(sections.policy);
    AddHeld(sections.sections, &held);
  }
  if (auto refused = store_.Update(std::move(update))) return Refuse(batch, std::move(*refused));
  BatchOutcome outcome = Applied(before.state_id, batch, start);
  if (held != before.held) TellHeld(std::move(held));
  if (file_ != nullptr) {
    KeepUpdate(std::move(record), encode);
    outcome.not_kept = AwaitKept();
  }
  return outcome;
}

void PolicyIntake::KeepUpdate(std::string record, const Encode& encode) {
  if (!file_->wants_full_state()) return file_->Append(std::move(record));
  const IntakeStatus held = status();
  auto records = store_.Read(
      [&](const ResolvedPolicy& policy, const Table&) { return encode(policy, held.state_id, held.batch); });
  if (!records.empty()) file_->Save(std::move(records));
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
