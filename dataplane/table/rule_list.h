// The rules of an epoch, by id. The list only grows (but see Truncate) and never moves a rule.
// What StableVector requires of readers holds here, too. A rule is large and an epoch has many, so
// this has four chunks where StableVector has one: at most a fifth of its memory is spare room.
#ifndef SLUICE_DATAPLANE_TABLE_RULE_LIST_H_
#define SLUICE_DATAPLANE_TABLE_RULE_LIST_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace sluice {

template <typename Rule>
class RuleList {
 public:
  const Rule& operator[](std::uint32_t i) const { return const_cast<RuleList&>(*this)[i]; }
  Rule& operator[](std::uint32_t i) {
    const auto [chunk, offset] = PlaceOf(i);
    return chunks_[chunk][offset];
  }
  // Returns the new rule's id.
  std::uint32_t push_back(Rule rule) {
    const auto [chunk, offset] = PlaceOf(size_);
    if (!chunks_[chunk]) chunks_[chunk] = std::make_unique<Rule[]>(SizeOf(chunk));
    chunks_[chunk][offset] = std::move(rule);
    return size_++;
  }
  // Removes the last rules, of which no reader ever learnt. Writer only.
  void Truncate(std::uint32_t size) {
    if (size >= size_) return;
    const std::uint32_t last = PlaceOf(size).chunk;
    for (std::size_t chunk = last + 1; chunk < kChunks; ++chunk) chunks_[chunk].reset();
    for (std::uint32_t i = size; i < size_ && PlaceOf(i).chunk == last; ++i) (*this)[i] = Rule{};
    size_ = size;
  }

  // Writer only. A reader knows which ids it may use.
  std::uint32_t size() const { return size_; }
  std::uint64_t MemoryBytes() const {
    std::uint64_t bytes = sizeof(*this);
    for (std::uint32_t chunk = 0; chunk < kChunks && chunks_[chunk]; ++chunk) bytes += SizeOf(chunk) * sizeof(Rule);
    return bytes;
  }

 private:
  static constexpr std::uint32_t kFirst = 64;
  static constexpr std::uint32_t kChunks = 4 * 26;  // 2^32 - 64 in all

  struct Place {
    std::uint32_t chunk;
    std::uint32_t offset;
  };
  // The four chunks of each doubling, from kFirst on.
  static std::size_t SizeOf(std::uint32_t chunk) { return std::size_t{kFirst / 4} << chunk / 4; }
  static Place PlaceOf(std::uint32_t i) {
    const std::uint64_t shifted = std::uint64_t{i} + kFirst;
    const auto doubling = static_cast<std::uint32_t>(std::bit_width(shifted) - 7);
    const std::uint32_t low_bits = doubling + 4;
    return {doubling * 4 + static_cast<std::uint32_t>(shifted >> low_bits & 3),
            static_cast<std::uint32_t>(shifted & ((std::uint64_t{1} << low_bits) - 1))};
  }

  std::array<std::unique_ptr<Rule[]>, kChunks> chunks_;
  std::uint32_t size_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_RULE_LIST_H_
