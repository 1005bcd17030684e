// Objects as text: what the decoder read from manifests, before any selector is evaluated.
#ifndef SLUICE_CONTROL_MODEL_DUMP_H_
#define SLUICE_CONTROL_MODEL_DUMP_H_

#include <string>

#include "model/objects.h"

namespace sluice {

// A line for each object and each rule, in the order held, with defaults filled in. For people and tests to compare.
std::string Dump(const Cluster& cluster);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MODEL_DUMP_H_
