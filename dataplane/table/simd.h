// Compares many numbers at once if the processor can (AVX2). SLUICE_SIMD is 1 then; else it is 0,
// and callers compare one by one. It does what <immintrin.h> does, with the compiler's own vectors:
// that header would be most of the text that a file that includes the table or a flow has to read.
//
// Pure functions; safe from any thread.
#ifndef SLUICE_DATAPLANE_TABLE_SIMD_H_
#define SLUICE_DATAPLANE_TABLE_SIMD_H_

#include <cstdint>

#if defined(__AVX2__)
#define SLUICE_SIMD 1
#else
#define SLUICE_SIMD 0
#endif

#if SLUICE_SIMD

namespace sluice::simd {

typedef int Lanes32 __attribute__((vector_size(32), may_alias));
typedef short Lanes16 __attribute__((vector_size(32), may_alias));
typedef long long Words2 __attribute__((vector_size(16), may_alias, aligned(1)));
typedef long long Words4 __attribute__((vector_size(32), may_alias, aligned(1)));

// Bit i is set if the i-th of the eight at `numbers` is `number`. Requires `numbers` aligned to 32 bytes.
inline std::uint32_t EqualOf8(const void* numbers, std::uint32_t number) {
  typedef float Floats __attribute__((vector_size(32)));
  const Lanes32 equal = *static_cast<const Lanes32*>(numbers) == Lanes32{} + static_cast<int>(number);
  return static_cast<std::uint32_t>(__builtin_ia32_movmskps256((Floats)equal));
}

// Bits 2i and 2i + 1 are set if the i-th of 16 at `numbers` is `number`. Requires `numbers` aligned to 32 bytes.
inline std::uint32_t EqualOf16(const void* numbers, std::uint16_t number) {
  typedef char Bytes __attribute__((vector_size(32)));
  const Lanes16 equal = *static_cast<const Lanes16*>(numbers) == Lanes16{} + static_cast<short>(number);
  return static_cast<std::uint32_t>(__builtin_ia32_pmovmskb256((Bytes)equal));
}

// Not zero if two words, or four, are the same. In the second of two, only the bits of `mask` count.
inline int Same2(const void* one, const void* other, std::uint64_t mask) {
  const Words2 bits = {-1, static_cast<long long>(mask)};
  return __builtin_ia32_ptestz128(*static_cast<const Words2*>(one) ^ *static_cast<const Words2*>(other), bits);
}
inline int Same4(const void* one, const void* other) {
  const Words4 differs = *static_cast<const Words4*>(one) ^ *static_cast<const Words4*>(other);
  return __builtin_ia32_ptestz256(differs, differs);
}

}  // namespace sluice::simd

#endif

#endif  // SLUICE_DATAPLANE_TABLE_SIMD_H_
