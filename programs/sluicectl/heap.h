// A heap for a process that fills it and ends.
#ifndef SLUICE_SLUICECTL_HEAP_H_
#define SLUICE_SLUICECTL_HEAP_H_

#include <utility>
#include <vector>

namespace sluice {

// Tells malloc to ask the kernel rarely, for huge pages, and never to tidy up: a cluster's objects come by the million
// and go with the process. 100,000 pods of JSON come to their first verdict in three quarters of the time (2.2 s
// and 1.6 s in one run). Called once, before threads; where a part is not to be had, all works as without it.
void PrepareHeap();

// `value`, which nothing takes apart: that of a cluster takes a sixth of the whole, and the process ends anyway. A
// pointer, never null, because compilers take a reference for one into the argument.
template <typename T>
T* KeepUntilExit(T value) {
  static std::vector<T*>* const kept = new std::vector<T*>;
  return kept->emplace_back(new T(std::move(value)));
}

}  // namespace sluice

#endif  // SLUICE_SLUICECTL_HEAP_H_
