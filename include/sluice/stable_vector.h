// A vector that only grows (but see Truncate) and never moves its elements, so that readers may use them
// while one writer appends.
//
// One writer calls push_back. Readers on other threads may read element i once they learnt of i through a release store
// by the writer (publishing a table, for example): the chunk pointer and the element were written before it.
#ifndef SLUICE_STABLE_VECTOR_H_
#define SLUICE_STABLE_VECTOR_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace sluice {

template <typename T>
class StableVector {
 public:
  StableVector() = default;
  StableVector(StableVector&&) noexcept = default;
  StableVector& operator=(StableVector&&) noexcept = default;

  const T& operator[](std::uint32_t i) const {
    const auto [chunk, offset] = Locate(i);
    return chunks_[chunk][offset];
  }
  T& operator[](std::uint32_t i) {
    const auto [chunk, offset] = Locate(i);
    return chunks_[chunk][offset];
  }

  // Returns the new element's index.
  std::uint32_t push_back(T value) {
    const auto [chunk, offset] = Locate(size_);
    if (!chunks_[chunk]) chunks_[chunk] = std::make_unique<T[]>(std::size_t{kFirstChunk} << chunk);
    chunks_[chunk][offset] = std::move(value);
    return size_++;
  }

  // Removes the last elements. No reader may ever have learnt of them. Writer only.
  void Truncate(std::uint32_t size) {
    if (size >= size_) return;
    const std::uint32_t last = Locate(size).chunk;
    for (std::size_t chunk = last + 1; chunk < kChunks; ++chunk) chunks_[chunk].reset();
    for (std::uint32_t i = size; i < size_ && Locate(i).chunk == last; ++i) (*this)[i] = T{};
    size_ = size;
  }

  // Writer only; a reader knows which indices it may use.
  std::uint32_t size() const { return size_; }

  std::uint64_t MemoryBytes() const {
    std::uint64_t bytes = sizeof(*this);
    for (std::size_t i = 0; i < chunks_.size(); ++i) {
      if (chunks_[i]) bytes += (std::uint64_t{kFirstChunk} << i) * sizeof(T);
    }
    return bytes;
  }

 private:
  static constexpr std::uint32_t kFirstChunk = 64;
  static constexpr std::size_t kChunks = 27;  // chunk i holds 64 << i elements: 2^32 - 64 in all

  struct Place {
    std::uint32_t chunk;
    std::uint32_t offset;
  };
  static Place Locate(std::uint32_t i) {
    const std::uint64_t shifted = std::uint64_t{i} + kFirstChunk;
    const auto chunk = static_cast<std::uint32_t>(std::bit_width(shifted) - 7);
    return {chunk, static_cast<std::uint32_t>(shifted - (std::uint64_t{kFirstChunk} << chunk))};
  }

  std::array<std::unique_ptr<T[]>, kChunks> chunks_;
  std::uint32_t size_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_STABLE_VECTOR_H_
