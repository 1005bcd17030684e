// How manifests are worked through; what comes out is the same.
#ifndef SLUICE_CONTROL_MANIFEST_READ_SETTINGS_H_
#define SLUICE_CONTROL_MANIFEST_READ_SETTINGS_H_

#include <cstddef>

namespace sluice {

struct ReadSettings {
  // As many as there are processors that the calling thread may run on, 8 at most.
  static unsigned DefaultThreads();

  unsigned threads = DefaultThreads();  // the caller's included; 1: no other is started
  std::size_t part_bytes = 1 << 20;     // of text, about: what a thread takes at a time
  bool keep_lines = false;              // Manifests::places: where each object and its fields stand
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_READ_SETTINGS_H_
