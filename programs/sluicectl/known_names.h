// The names of addresses that a decision is to be judged by: from a file, or as a running sluiced learnt them.
#ifndef SLUICE_PROGRAMS_SLUICECTL_KNOWN_NAMES_H_
#define SLUICE_PROGRAMS_SLUICECTL_KNOWN_NAMES_H_

#include <string>
#include <string_view>

#include "reference/evaluate.h"
#include "sluice/address.h"
#include "table/classify.h"
#include "table/learnt_names.h"

namespace sluice {

// For the option that names the file.
inline constexpr const char* kNamesOptionText =
    "what names resolve to, for rules by domain name: lines of a NAME and its ADDRESSes";

// In force for good: nothing runs out while one asks.
class KnownNames {
 public:
  // Lines "NAME ADDRESS...", with comments behind `#`. False: it was reported what is wrong with it. An empty path: no
  // names.
  bool Load(const std::string& path);
  void Add(const IpAddress& address, std::string_view name);

  // For the two engines; refers to this.
  NamesNow now() const { return {&learnt_, 0}; }
  const reference::NamesByAddress& by_address() const { return by_address_; }

 private:
  reference::NamesByAddress by_address_;  // canonical
  LearntNames learnt_{nullptr, 1024};
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_KNOWN_NAMES_H_
