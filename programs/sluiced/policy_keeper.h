// The policy's walk on the control thread: manifests -> model -> resolved policy -> table.
#ifndef SLUICE_PROGRAMS_SLUICED_POLICY_KEEPER_H_
#define SLUICE_PROGRAMS_SLUICED_POLICY_KEEPER_H_

#include <memory>
#include <string>
#include <vector>

#include "manifest/source.h"
#include "sluice/diagnostic.h"
#include "table/compile.h"

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
  PolicyKeeper(std::vector<std::string> paths, CompileLimits limits);

  // In force until the first policy.
  std::shared_ptr<const Table> EmptyTable() { return compiler_.EmptyTable(); }

  // Reads what changed and compiles it. A policy that is refused leaves the last one in force, and the diagnostics say
  // why. Without paths there is never a policy.
  Reload Update();

  // See ManifestSource: poll fd() for input, at most TimeoutMs(); Update where ConsumeEvents() says so.
  ManifestSource& source() { return source_; }

 private:
  bool has_paths_;
  ManifestSource source_;
  Compiler compiler_;
  TableStats last_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICED_POLICY_KEEPER_H_
