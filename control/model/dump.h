// Objects as text: what the decoder made of manifests, before any selector is evaluated.
#ifndef SLUICE_CONTROL_MODEL_DUMP_H_
#define SLUICE_CONTROL_MODEL_DUMP_H_

#include <string>

#include "model/objects.h"

namespace sluice {

// A line an object and a line a rule, in the order held, defaults filled in. For people and for tests to compare.
std::string Dump(const Cluster& cluster);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MODEL_DUMP_H_
