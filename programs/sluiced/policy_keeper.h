// Policy from manifests: manifests -> model -> resolved policy -> store. It has a thread of its own, so that the
// control thread can handle signals, however long it takes.
//
// A new process and one that goes on get the same policy from the same files. If some files cannot be read, a running
// process uses their last good content. A new one has that content from the state file; or it has no policy until all
// files can be read, or goes without the broken ones (Broken::kSkip).
#ifndef SLUICE_PROGRAMS_SLUICED_POLICY_KEEPER_H_
#define SLUICE_PROGRAMS_SLUICED_POLICY_KEEPER_H_

#include <cstddef>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "manifest/source.h"
#include "sluice/diagnostic.h"
#include "store/policy_intake.h"
#include "table/table.h"

namespace sluice {

// The result of a look at the manifests.
struct Reload {
  std::shared_ptr<const Table> table;  // null: the one in force stays
  Diagnostics diagnostics;
  double seconds = 0;   // from files to table
  std::string changes;  // "rules 12 -> 14, addresses 30 -> 31"; empty if no number changed
};

// Settings for a state file in these folders that holds what manifests said.
StateSettings ManifestStateSettings(std::string folder, std::string run_folder);

// Used by one thread. No call makes it wait.
class PolicyKeeper {
 public:
  // What to do at a start about manifests that cannot be read and whose last good content is unknown.
  enum class Broken { kNoPolicy, kSkip };

  // `staged`: paths of staged policies. `intake` outlives it. If there are paths, only this object changes policy, and
  // the state file is of ManifestStateSettings. Its threads may run where the caller may.
  PolicyKeeper(std::vector<std::string> paths, std::vector<std::string> staged, Broken broken, PolicyIntake& intake);

  bool has_paths() const { return has_paths_; }

  // Poll these for input before each Step, for at most TimeoutMs milliseconds; -1: no descriptor, no limit.
  int fd() const { return busy() ? -1 : source_.fd(); }
  int staged_fd() const { return busy() || !has_staged_ ? -1 : staged_.fd(); }
  int TimeoutMs() const;

  // Makes it read the manifests even if nothing changed. Requires paths.
  void Ask() { asked_ = true; }
  // Begins to read if something changed, or returns the result of a reload that has ended; its policy is then in force.
  // If the policy was refused, the last one stays in force, or none, and the diagnostics say why.
  std::optional<Reload> Step();
  // Whether a reload is under way. It cannot be stopped, and the program's end does not wait for it.
  bool busy() const { return reload_.valid(); }

 private:
  Reload Update();
  void Stage(Manifests& manifests, Diagnostics& diagnostics);
  void Remember(Diagnostics& diagnostics);
  void Keep(Diagnostics& diagnostics);

  const bool has_paths_;
  const bool has_staged_;
  const Broken broken_;
  bool asked_ = false;
  std::future<Reload> reload_;  // its thread alone uses the members below meanwhile
  ManifestSource source_;
  ManifestSource staged_;
  PolicyIntake& intake_;
  TableStats last_;
  bool remembered_ = false;
  std::vector<std::size_t> kept_;  // hashes of the records that the state file got last
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICED_POLICY_KEEPER_H_
