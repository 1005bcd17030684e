#include "sluice/section_list.h"

#include <algorithm>

namespace sluice {
namespace {

constexpr std::size_t kChunk = 128;  // sections, some 10 KB; a chunk is larger only if one policy has more

struct ByPolicy {
  bool operator()(const Section& a, std::string_view policy) const { return a.policy < policy; }
  bool operator()(std::string_view policy, const Section& a) const { return policy < a.policy; }
};

bool Precedes(const Section& a, const Section& b) {
  return a.policy != b.policy ? a.policy < b.policy : a.direction < b.direction;
}

template <typename From>
void MoveBehind(From begin, From end, std::vector<Section>& to) {
  to.insert(to.end(), std::make_move_iterator(begin), std::make_move_iterator(end));
}

}  // namespace

SectionList::SectionList(std::initializer_list<Section> sections) {
  for (const Section& section : sections) push_back(section);
}

bool operator==(const SectionList& a, const SectionList& b) {
  return a.size_ == b.size_ && std::equal(a.begin(), a.end(), b.begin());
}

void SectionList::push_back(Section section) {
  const bool full = chunks_.empty() || chunks_.back().size() >= kChunk;
  if (full && (chunks_.empty() || chunks_.back().back().policy != section.policy)) chunks_.emplace_back();
  Chunk& chunk = chunks_.back();
  if (chunk.empty()) chunk.reserve(kChunk);
  chunk.push_back(std::move(section));
  ++size_;
}

void SectionList::Sort() {
  if (std::is_sorted(begin(), end(), Precedes)) return;
  Chunk all;
  all.reserve(size_);
  for (Chunk& chunk : chunks_) MoveBehind(chunk.begin(), chunk.end(), all);
  std::stable_sort(all.begin(), all.end(), Precedes);
  *this = SectionList();
  for (Section& section : all) push_back(std::move(section));
}

std::size_t SectionList::ChunkOf(std::string_view policy) const {
  const auto after = std::partition_point(chunks_.begin(), chunks_.end(),
                                          [&](const Chunk& chunk) { return chunk.front().policy <= policy; });
  return after == chunks_.begin() ? 0 : static_cast<std::size_t>(after - chunks_.begin()) - 1;
}

std::span<const Section> SectionList::Find(std::string_view policy) const {
  if (chunks_.empty()) return {};
  const Chunk& chunk = chunks_[ChunkOf(policy)];
  const auto [begin, end] = std::equal_range(chunk.begin(), chunk.end(), policy, ByPolicy());
  return {begin, end};
}

SectionList::const_iterator SectionList::After(std::string_view policy) const {
  if (chunks_.empty()) return end();
  const std::size_t at = ChunkOf(policy);
  const Chunk& chunk = chunks_[at];
  const auto after = std::upper_bound(chunk.begin(), chunk.end(), policy, ByPolicy());
  if (after == chunk.end()) return {&chunks_, at + 1, 0};
  return {&chunks_, at, static_cast<std::size_t>(after - chunk.begin())};
}

void SectionList::Insert(std::vector<Section> sections) {
  if (sections.empty()) return;
  std::stable_sort(sections.begin(), sections.end(), Precedes);
  if (chunks_.empty()) chunks_.emplace_back();
  const std::string_view policy = sections.front().policy;
  const std::size_t at = size_ == 0 ? 0 : ChunkOf(policy);
  Chunk& chunk = chunks_[at];
  const auto place = std::lower_bound(chunk.begin(), chunk.end(), policy, ByPolicy());
  size_ += sections.size();
  chunk.insert(place, std::make_move_iterator(sections.begin()), std::make_move_iterator(sections.end()));
  if (chunk.size() > kChunk) Split(at);
}

// Splits between the two policies nearest to the middle, if there are two.
void SectionList::Split(std::size_t at) {
  Chunk& chunk = chunks_[at];
  const auto of_middle =
      std::equal_range(chunk.begin(), chunk.end(), std::string_view(chunk[chunk.size() / 2].policy), ByPolicy());
  const auto cut = of_middle.first != chunk.begin() ? of_middle.first : of_middle.second;
  if (cut == chunk.end()) return;
  Chunk second;
  second.reserve(kChunk);
  MoveBehind(cut, chunk.end(), second);
  chunk.erase(cut, chunk.end());
  chunks_.insert(chunks_.begin() + static_cast<std::ptrdiff_t>(at) + 1, std::move(second));
}

std::vector<Section> SectionList::Remove(std::string_view policy) {
  std::vector<Section> removed;
  if (chunks_.empty()) return removed;
  const std::size_t at = ChunkOf(policy);
  Chunk& chunk = chunks_[at];
  const auto [begin, end] = std::equal_range(chunk.begin(), chunk.end(), policy, ByPolicy());
  MoveBehind(begin, end, removed);
  chunk.erase(begin, end);
  size_ -= removed.size();
  Unite(at);
  return removed;
}

// Moves a chunk that has become small to the end of the chunk before it, if that one has room.
void SectionList::Unite(std::size_t at) {
  Chunk& chunk = chunks_[at];
  const bool small = chunk.size() < kChunk / 4;
  if (!small || (!chunk.empty() && (at == 0 || chunks_[at - 1].size() > kChunk / 2))) return;
  if (!chunk.empty()) MoveBehind(chunk.begin(), chunk.end(), chunks_[at - 1]);
  chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(at));
}

}  // namespace sluice
