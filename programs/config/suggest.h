// "Did you mean ...?": the known word nearest to a mistyped one.
#ifndef SLUICE_PROGRAMS_CONFIG_SUGGEST_H_
#define SLUICE_PROGRAMS_CONFIG_SUGGEST_H_

#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// Returns the candidate at the smallest edit distance from `word`, or an empty text if none is within a third of its
// length. The part of a candidate after its last dot counts as the candidate, too.
std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_CONFIG_SUGGEST_H_
