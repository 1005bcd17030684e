// Reading and writing numbers in network order at any alignment.
#ifndef SLUICE_DATAPLANE_CORE_WIRE_H_
#define SLUICE_DATAPLANE_CORE_WIRE_H_

#include <bit>
#include <cstdint>
#include <cstring>

namespace sluice {

template <typename T>
constexpr T SwapUnlessBig(T value) {
  if constexpr (std::endian::native == std::endian::big) return value;
  if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
}

template <typename T>
inline T LoadBig(const std::uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return SwapUnlessBig(value);
}

inline std::uint16_t Load16(const std::uint8_t* bytes) { return LoadBig<std::uint16_t>(bytes); }
inline std::uint32_t Load32(const std::uint8_t* bytes) { return LoadBig<std::uint32_t>(bytes); }
inline std::uint64_t Load64(const std::uint8_t* bytes) { return LoadBig<std::uint64_t>(bytes); }

// To compare fields without swapping: LoadNative64 loads eight bytes as they are; BigMask gives a constant to match.
inline std::uint64_t LoadNative64(const std::uint8_t* bytes) {
  std::uint64_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}
constexpr std::uint64_t BigMask(std::uint64_t value) { return SwapUnlessBig(value); }

template <typename T>
inline void StoreBig(std::uint8_t* bytes, T value) {
  value = SwapUnlessBig(value);
  std::memcpy(bytes, &value, sizeof(T));
}

inline void Store16(std::uint8_t* bytes, std::uint16_t value) { StoreBig(bytes, value); }
inline void Store32(std::uint8_t* bytes, std::uint32_t value) { StoreBig(bytes, value); }
inline void Store64(std::uint8_t* bytes, std::uint64_t value) { StoreBig(bytes, value); }

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_WIRE_H_
