// "Did you mean ...?": the known word nearest to a mistyped one.
#ifndef SLUICE_PROGRAMS_CONFIG_SUGGEST_H_
#define SLUICE_PROGRAMS_CONFIG_SUGGEST_H_

#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// The candidate at the smallest edit distance from `word` (a candidate's last part after a dot counts as the candidate
// too), or an empty text where none is within a third of its length.
std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_CONFIG_SUGGEST_H_
