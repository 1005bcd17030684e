#include "manifest/read_settings.h"

#include <sched.h>

#include <algorithm>

namespace sluice {

unsigned ReadSettings::DefaultThreads() {
  constexpr int kMost = 8;
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  return static_cast<unsigned>(std::clamp(CPU_COUNT(&allowed), 1, kMost));
}

}  // namespace sluice
