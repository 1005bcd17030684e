// Policy that manifests say, on the control thread: manifests -> model -> resolved policy -> store.
#ifndef SLUICE_PROGRAMS_SLUICED_POLICY_KEEPER_H_
#define SLUICE_PROGRAMS_SLUICED_POLICY_KEEPER_H_

#include <memory>
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

// Not shared between threads. Blocks on the file system; nothing else does.
class PolicyKeeper {
 public:
  // `intake` outlives it; where there are paths, nobody else changes policy.
  PolicyKeeper(std::vector<std::string> paths, PolicyIntake& intake);

  bool has_paths() const { return has_paths_; }

  // Reads what changed and puts it in force. A policy that is refused leaves the last one in force, and the diagnostics
  // say why. Requires paths.
  Reload Update();

  // See ManifestSource: poll fd() for input, at most TimeoutMs(); Update where ConsumeEvents() says so.
  ManifestSource& source() { return source_; }

 private:
  bool has_paths_;
  ManifestSource source_;
  PolicyIntake& intake_;
  TableStats last_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICED_POLICY_KEEPER_H_
