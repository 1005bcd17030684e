// What was learnt about a name, as JSON and in words.
#ifndef SLUICE_PROGRAMS_SLUICECTL_LEARNT_NAMES_TEXT_H_
#define SLUICE_PROGRAMS_SLUICECTL_LEARNT_NAMES_TEXT_H_

#include <cstdint>
#include <string>

#include "sluicectl/live.h"

namespace sluice {

Json ToJson(const v1::LearntName& name);
// The local time of day: "14:02:11".
std::string ClockText(std::uint64_t unix_ns);
// "203.0.113.9 is s3.example.com, learnt 14:02:11 from 10.96.0.10, until 14:02:41".
std::string ToText(const v1::LearntName& name);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_LEARNT_NAMES_TEXT_H_
