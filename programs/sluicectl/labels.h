// Labels as answers carry them: a text.
#ifndef SLUICE_PROGRAMS_SLUICECTL_LABELS_H_
#define SLUICE_PROGRAMS_SLUICECTL_LABELS_H_

#include <string_view>

#include "model/label_selector.h"

namespace sluice {

// "app=web,tier=front", sorted by key: neither keys nor values hold a comma, nor keys an equals sign.
Labels ParseLabels(std::string_view text);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_LABELS_H_
