// The only way in for policy, whether it comes from a sender, the state file, or manifests.
//
// It owns the store and the state file, and numbers pushed policy: a full state brings its state id and batch, and each
// update is the batch after the one in force. A refused batch changes neither policy nor numbers, so a sender may try
// the same batch again. It knows no messages: the API decodes them, and says how they are kept.
//
// Only one thread at a time, its writer, may call the functions that change policy. status and store: any thread.
#ifndef SLUICE_DATAPLANE_STORE_POLICY_INTAKE_H_
#define SLUICE_DATAPLANE_STORE_POLICY_INTAKE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "keep/state_file.h"
#include "observe/step_times.h"
#include "sluice/diagnostic.h"
#include "sluice/policy_update.h"
#include "sluice/resolved_policy.h"
#include "store/policy_store.h"

namespace sluice {

// Times are nanoseconds since 1970; 0: never.
struct IntakeStatus {
  std::string source = "none";  // of the policy in force: "none", "state file", "push", "manifests"
  std::uint64_t state_id = 0;
  std::uint64_t batch = 0;
  std::uint64_t published_unix_ns = 0;
  std::uint64_t sender_heard_unix_ns = 0;
  std::string sender;
  bool sender_connected = false;
  Diagnostics last_refusal;  // of the last batch, if it was refused
  std::string not_kept;      // why a restart would not begin with the policy in force, though there is a state file
  std::uint64_t large_removals = 0;         // full states that removed more than half of the policies in force
  std::map<std::string, std::string> held;  // policies that the sender holds back, and why
};

// The outcome of a batch that was pushed.
struct BatchOutcome {
  std::uint64_t batch = 0;
  bool applied = false;
  bool full_state_needed = false;  // a refusal that the same batch would meet again
  std::uint64_t generation = 0;    // in force
  std::uint64_t decode_ns = 0;     // filled in by the caller
  std::uint64_t compile_ns = 0;
  std::uint64_t publish_ns = 0;
  std::uint64_t live_unix_ns = 0;
  Diagnostics problems;  // why it was refused
  std::string not_kept;  // as StateFile::AwaitWritten
};

class PolicyIntake {
 public:
  using Say = std::function<void(std::string_view)>;  // a warning for the log, from the writer's thread

  // `file` may be null: nothing is kept. Publishes the empty table at once; `last_generation`: as for PolicyStore.
  PolicyIntake(CompileLimits limits, PolicyStore::Publish publish, std::unique_ptr<StateFile> file, Say say = {},
               std::uint64_t last_generation = 0);

  const PolicyStore& store() const { return store_; }
  IntakeStatus status() const;
  // The writer's thread adds; any thread reads. The reader of a full state adds the time of its decoding.
  StepTimes& steps() { return steps_; }
  const StepTimes& steps() const { return steps_; }

  // Reads the state file, whose records the caller understands: as StateFile::Load.
  std::variant<bool, std::string> LoadKept(StateReader& reader);
  bool keeps() const { return file_ != nullptr; }

  std::optional<Diagnostic> ReplaceByManifests(ResolvedPolicy policy);
  // Notes that the policy of the manifests cannot be put into force.
  void RefuseManifests(Diagnostics reasons);
  // Keeps what manifests said, in place of pushed policy: as StateFile::Save and AwaitWritten.
  std::string KeepManifests(std::vector<std::string> records);

  // Puts pushed policy from the state file into force.
  std::optional<Diagnostic> Restore(ResolvedPolicy policy, std::uint64_t state_id, std::uint64_t batch);
  // Applies a full state; `records` is what the state file will hold of it.
  BatchOutcome ReplaceByPush(ResolvedPolicy policy, std::uint64_t state_id, std::uint64_t batch,
                             std::vector<std::string> records);
  // Refuses an update that does not follow the policy in force, before it is decoded. Nothing: it follows.
  std::optional<BatchOutcome> RefuseOutOfOrder(std::uint64_t state_id, std::uint64_t batch);
  // Requires that RefuseOutOfOrder let it pass. If the state file was given up, it gets the whole policy in force, by
  // `encode`, instead of the `record` of the last change.
  using Encode =
      std::function<std::vector<std::string>(const ResolvedPolicy&, std::uint64_t state_id, std::uint64_t batch)>;
  BatchOutcome UpdateByPush(PolicyUpdate update, std::uint64_t batch, std::string record, const Encode& encode);
  // Refuses a batch that could not even be decoded or kept.
  BatchOutcome Refuse(std::uint64_t batch, Diagnostic reason);

  void SenderCame(const std::string& sender);
  void SenderSpoke();
  void SenderWent();

  // Returns once the state file holds everything, or cannot.
  void FlushState();

 private:
  void CountApplied(std::uint64_t started_ns);
  void PublishTimed(std::shared_ptr<const Table> table);
  BatchOutcome Applied(std::uint64_t state_id, std::uint64_t batch, std::uint64_t started_ns);
  void Tell(const PolicyRemoval& removal);
  using Held = std::map<std::string, std::string>;  // policy, and why it is held back
  void TellHeld(Held held);
  void KeepUpdate(std::string record, const Encode& encode);
  std::string AwaitKept();

  mutable std::mutex mutex_;
  IntakeStatus status_;
  // When a generation was first published. Only the writer uses it.
  struct Published {
    std::uint64_t generation = ~std::uint64_t{0};
    std::uint64_t begun_ns = 0;
    std::uint64_t took_ns = 0;
    std::uint64_t live_unix_ns = 0;
  };
  Published published_;
  PolicyStore::Publish publish_;
  PolicyStore store_;
  std::unique_ptr<StateFile> file_;
  StepTimes steps_;
  const Say say_;
};

std::uint64_t UnixNowNs();

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_STORE_POLICY_INTAKE_H_
