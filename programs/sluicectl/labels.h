// Labels in the form that answers have: a text.
#ifndef SLUICE_PROGRAMS_SLUICECTL_LABELS_H_
#define SLUICE_PROGRAMS_SLUICECTL_LABELS_H_

#include <string_view>

#include "model/label_selector.h"

namespace sluice {

// Parses "app=web,tier=front", sorted by key. Neither keys nor values contain a comma, and keys no equals sign.
Labels ParseLabels(std::string_view text);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_LABELS_H_
