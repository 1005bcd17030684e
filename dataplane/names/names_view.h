// The learnt names, with a clock to ask them by.
#ifndef SLUICE_DATAPLANE_NAMES_NAMES_VIEW_H_
#define SLUICE_DATAPLANE_NAMES_NAMES_VIEW_H_

#include <functional>

#include "names/name_store.h"

namespace sluice {

struct NamesView {
  NameStore* store = nullptr;  // null: nothing is learnt
  std::function<NameTime()> now;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_NAMES_NAMES_VIEW_H_
