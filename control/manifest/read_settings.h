// How manifests are read. The result is always the same.
#ifndef SLUICE_CONTROL_MANIFEST_READ_SETTINGS_H_
#define SLUICE_CONTROL_MANIFEST_READ_SETTINGS_H_

#include <cstddef>

namespace sluice {

struct ReadSettings {
  // The number of processors that the calling thread may run on, at most 8.
  static unsigned DefaultThreads();

  unsigned threads = DefaultThreads();  // with the caller's; 1: no other thread is started
  std::size_t part_bytes = 1 << 20;     // of text, about; a thread takes this much at a time
  bool keep_lines = false;              // Manifests::places: the lines of each object and its fields
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_READ_SETTINGS_H_
