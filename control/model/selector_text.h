// A label selector as canonical text.
#ifndef SLUICE_CONTROL_MODEL_SELECTOR_TEXT_H_
#define SLUICE_CONTROL_MODEL_SELECTOR_TEXT_H_

#include <string>

#include "model/objects.h"

namespace sluice {

// As kubectl writes it: "app=web,!debug,tier in (a,b)"; empty for everything. Selectors with the same requirements, in
// any order, have equal texts.
std::string SelectorText(const LabelSelector& selector);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MODEL_SELECTOR_TEXT_H_
