// Functions for the port ranges of a rule, wherever the rule comes from.
//
// Pure functions; safe from any thread.
#ifndef SLUICE_PORT_RANGES_H_
#define SLUICE_PORT_RANGES_H_

#include <string>
#include <vector>

#include "sluice/section.h"

namespace sluice {

// Sorts the ranges, and merges ranges that overlap or touch.
void SortAndMerge(std::vector<PortRange>& ranges);
// As tools write it: "tcp/80", "udp/30000-32767", "sctp".
std::string ToText(const PortRange& range);

}  // namespace sluice

#endif  // SLUICE_PORT_RANGES_H_
