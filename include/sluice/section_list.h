// The sections of a policy, sorted by policy and direction: all sections of one policy stand side by side.
//
// The sections are kept in chunks, so that a policy that comes or goes moves its neighbours, not all sections after it.
// With 150,000 sections that would take over a millisecond. Built by push_back in order, or in any order and then Sort.
#ifndef SLUICE_SECTION_LIST_H_
#define SLUICE_SECTION_LIST_H_

#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/section.h"

namespace sluice {

class SectionList {
  using Chunk = std::vector<Section>;

  // Valid until the list changes.
  template <typename Chunks, typename Value>
  class Walk {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Section;
    using difference_type = std::ptrdiff_t;
    using pointer = Value*;
    using reference = Value&;

    Walk() = default;
    Walk(Chunks* chunks, std::size_t chunk, std::size_t place) : chunks_(chunks), chunk_(chunk), place_(place) {}

    Value& operator*() const { return (*chunks_)[chunk_][place_]; }
    Value* operator->() const { return &**this; }
    Walk& operator++() {
      if (++place_ == (*chunks_)[chunk_].size()) {
        ++chunk_;
        place_ = 0;
      }
      return *this;
    }
    Walk operator++(int) {
      const Walk before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const Walk&, const Walk&) = default;

   private:
    Chunks* chunks_ = nullptr;
    std::size_t chunk_ = 0;
    std::size_t place_ = 0;
  };

 public:
  using value_type = Section;
  using iterator = Walk<std::vector<Chunk>, Section>;
  using const_iterator = Walk<const std::vector<Chunk>, const Section>;

  SectionList() = default;
  SectionList(std::initializer_list<Section> sections);

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  iterator begin() { return {&chunks_, 0, 0}; }
  iterator end() { return {&chunks_, chunks_.size(), 0}; }
  const_iterator begin() const { return {&chunks_, 0, 0}; }
  const_iterator end() const { return {&chunks_, chunks_.size(), 0}; }
  Section& back() { return chunks_.back().back(); }

  void push_back(Section section);
  // Sections of one policy and direction stay in the order in which they came.
  void Sort();

  // All functions below require a sorted list.

  // The sections of one policy; valid until the list changes.
  std::span<const Section> Find(std::string_view policy) const;
  // The first section of the first policy after that name.
  const_iterator After(std::string_view policy) const;
  // Inserts all sections of one policy. Requires that the list has none of this policy.
  void Insert(std::vector<Section> sections);
  // Removes the sections of the policy from the list, and returns them.
  std::vector<Section> Remove(std::string_view policy);

  friend bool operator==(const SectionList& a, const SectionList& b);

 private:
  // The one chunk that can hold the policy. Requires that there is a chunk.
  std::size_t ChunkOf(std::string_view policy) const;
  void Split(std::size_t chunk);
  void Unite(std::size_t chunk);

  std::vector<Chunk> chunks_;  // no chunk is empty; one chunk holds all sections of a policy, however many
  std::size_t size_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_SECTION_LIST_H_
