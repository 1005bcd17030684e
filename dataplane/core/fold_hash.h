// A seeded hash of records, word by word. A sender of packets cannot choose keys that collide.
#ifndef SLUICE_DATAPLANE_CORE_FOLD_HASH_H_
#define SLUICE_DATAPLANE_CORE_FOLD_HASH_H_

#include <cstdint>

namespace sluice {

// Folds both halves of a product, as wyhash does.
inline std::uint64_t FoldHash(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a ^ 0x9e3779b97f4a7c15) * (b ^ 0xbf58476d1ce4e5b9);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_FOLD_HASH_H_
