// The names of addresses that a decision should use: from a file, or as a running sluiced learnt them.
#ifndef SLUICE_PROGRAMS_SLUICECTL_KNOWN_NAMES_H_
#define SLUICE_PROGRAMS_SLUICECTL_KNOWN_NAMES_H_

#include <string>
#include <string_view>

#include "reference/evaluate.h"
#include "sluice/address.h"
#include "table/classify.h"
#include "table/learnt_names.h"

namespace sluice {

// The help of the option that names the file.
inline constexpr const char* kNamesOptionText =
    "what names resolve to, for rules by domain name: lines of a NAME and its ADDRESSes";

// Names stay in force for good: nothing expires during a question.
class KnownNames {
 public:
  // Reads lines "NAME ADDRESS...", with comments after `#`. False: the file is wrong, which was reported. An empty path
  // means no names.
  bool Load(const std::string& path);
  void Add(const IpAddress& address, std::string_view name);

  // For the two engines. The result refers to this object.
  NamesNow now() const { return {&learnt_, 0}; }
  const reference::NamesByAddress& by_address() const { return by_address_; }

 private:
  reference::NamesByAddress by_address_;  // canonical
  LearntNames learnt_{nullptr, 1024};
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_KNOWN_NAMES_H_
