// Policy that manifests say: manifests -> model -> resolved policy -> store, on a thread of its own, so that however
// long it takes, the control thread hears signals.
//
// A start and a process that goes on come to the same policy from the same files. Where some of them cannot be read,
// the process has what they held when they last could be; a start has that from the state file, or it has no policy
// until all can be read, or goes without what cannot (Broken::kSkip).
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

// What a look at the manifests came to.
struct Reload {
  std::shared_ptr<const Table> table;  // null: the one in force stays
  Diagnostics diagnostics;
  double seconds = 0;   // from files to table
  std::string changes;  // "rules 12 -> 14, addresses 30 -> 31"; empty where none of the numbers changed
};

// What a state file in these folders holds is what manifests said.
StateSettings ManifestStateSettings(std::string folder, std::string run_folder);

// Used by one thread, which it never keeps waiting.
class PolicyKeeper {
 public:
  // Of manifests that cannot be read at a start, and of which nobody knows what they held.
  enum class Broken { kNoPolicy, kSkip };

  // `staged`: paths of what is to be tried. `intake` outlives it; where there are paths, nobody else changes policy,
  // and its state file is of ManifestStateSettings. The same threads may run where the caller may.
  PolicyKeeper(std::vector<std::string> paths, std::vector<std::string> staged, Broken broken, PolicyIntake& intake);

  bool has_paths() const { return has_paths_; }

  // To poll for input, for at most this many milliseconds, before each Step; -1: none, without end.
  int fd() const { return busy() ? -1 : source_.fd(); }
  int staged_fd() const { return busy() || !has_staged_ ? -1 : staged_.fd(); }
  int TimeoutMs() const;

  // Has the manifests read even if nothing changed. Requires paths.
  void Ask() { asked_ = true; }
  // Begins to read where something changed, or tells what a reload that has ended came to. What was read is in force by
  // then. A policy that is refused leaves the last one in force, or none, and the diagnostics say why.
  std::optional<Reload> Step();
  // A reload is under way. It cannot be stopped, and the program's end does not wait for it.
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
  std::future<Reload> reload_;  // the thread behind it has what follows to itself
  ManifestSource source_;
  ManifestSource staged_;
  PolicyIntake& intake_;
  TableStats last_;
  bool remembered_ = false;
  std::vector<std::size_t> kept_;  // hashes of the records that the state file was given last
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICED_POLICY_KEEPER_H_
