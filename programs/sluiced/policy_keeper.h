// Policy that manifests say: manifests -> model -> resolved policy -> store, on a thread of its own, so that however
// long it takes, the control thread hears signals.
#ifndef SLUICE_PROGRAMS_SLUICED_POLICY_KEEPER_H_
#define SLUICE_PROGRAMS_SLUICED_POLICY_KEEPER_H_

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/policy_intake.h"
#include "manifest/source.h"
#include "sluice/diagnostic.h"
#include "table/table.h"

namespace sluice {

// What a look at the manifests came to.
struct Reload {
  std::shared_ptr<const Table> table;  // null: the one in force stays
  Diagnostics diagnostics;
  double seconds = 0;   // from files to table
  std::string changes;  // "rules 12 -> 14, addresses 30 -> 31"; empty where none of the numbers changed
};

// Used by one thread, which it never keeps waiting.
class PolicyKeeper {
 public:
  // `intake` outlives it; where there are paths, nobody else changes policy. The same threads may run where the caller
  // may.
  PolicyKeeper(std::vector<std::string> paths, PolicyIntake& intake);

  bool has_paths() const { return has_paths_; }

  // To poll for input, for at most this many milliseconds, before each Step; -1: none, without end.
  int fd() const { return busy() ? -1 : source_.fd(); }
  int TimeoutMs() const;

  // Has the manifests read even if nothing changed. Requires paths.
  void Ask() { asked_ = true; }
  // Begins to read where something changed, or tells what a reload that has ended came to. What was read is in force by
  // then. A policy that is refused leaves the last one in force, and the diagnostics say why.
  std::optional<Reload> Step();
  // A reload is under way. It cannot be stopped: who ends now ends without waiting for it.
  bool busy() const { return reload_.valid(); }

 private:
  Reload Update();

  bool has_paths_;
  bool asked_ = false;
  std::future<Reload> reload_;  // the thread behind it has source_, intake_ and last_ to itself
  ManifestSource source_;
  PolicyIntake& intake_;
  TableStats last_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICED_POLICY_KEEPER_H_
