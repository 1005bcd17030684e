// Names the policies behind a default deny in records that are some seconds old: all policies
// that isolate the subject. A rule id names only the first of them. For one thread at a time.
#ifndef SLUICE_DATAPLANE_TABLE_ISOLATING_POLICIES_H_
#define SLUICE_DATAPLANE_TABLE_ISOLATING_POLICIES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "table/table.h"

namespace sluice {

class IsolatingPolicies {
 public:
  static constexpr std::size_t kMostNamed = 64;  // a pod may be under ten thousand policies
  using Names = std::shared_ptr<const std::vector<std::string>>;

  // Call it with the table in force. Requires that the table is not older than the last one.
  void See(std::shared_ptr<const Table> table);

  // The names of the isolating policies among `sections` (an Identity's egress or ingress, in
  // tables of that numbering), sorted; at most kMostNamed. Null: that numbering ended long ago.
  Names Of(std::uint64_t numbering, IdSetId sections);

 private:
  struct Numbering {
    std::shared_ptr<const Table> newest;
    std::unordered_map<IdSetId, Names> named;  // so that records share them
  };
  std::vector<Numbering> numberings_;  // newest first
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_ISOLATING_POLICIES_H_
