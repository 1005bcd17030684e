#include "sluice/id_set.h"

#include <algorithm>
#include <cstring>

namespace sluice {
namespace {

constexpr std::size_t kBlockWords = 256 * 1024;

std::uint64_t Hash(std::span<const std::uint32_t> sorted) {
  std::uint64_t hash = 0x9e3779b97f4a7c15u ^ sorted.size();
  for (const std::uint32_t id : sorted) {
    hash = (hash ^ id) * 0xff51afd7ed558ccdu;
    hash ^= hash >> 32;
  }
  return hash;
}

}  // namespace

IdSetPool::IdSetPool() : index_(16) {
  sets_.push_back({});
  hashes_.push_back(0);
}
IdSetPool::~IdSetPool() = default;
IdSetPool::IdSetPool(IdSetPool&&) noexcept = default;
IdSetPool& IdSetPool::operator=(IdSetPool&&) noexcept = default;

IdSetId IdSetPool::Intern(std::span<const std::uint32_t> sorted) {
  if (sorted.empty()) return kEmptyIdSet;
  const std::uint64_t hash = Hash(sorted);
  std::size_t slot = hash & (index_.size() - 1);
  for (; index_[slot] != kEmptyIdSet; slot = (slot + 1) & (index_.size() - 1)) {
    const IdSetId candidate = index_[slot];
    if (hashes_[candidate] == hash && Equals(sets_[candidate], sorted)) return candidate;
  }

  Set set;
  set.count = static_cast<std::uint32_t>(sorted.size());
  const std::uint32_t first_word = sorted.front() / 32;
  const std::uint32_t words = sorted.back() / 32 - first_word + 1;
  if (words < sorted.size()) {
    std::vector<std::uint32_t> bitmap(words);
    for (const std::uint32_t id : sorted) bitmap[id / 32 - first_word] |= std::uint32_t{1} << (id % 32);
    set.words = words;
    set.first_word = first_word;
    set.data = Store(bitmap);
  } else {
    set.data = Store(sorted);
  }
  const IdSetId id = sets_.push_back(set);
  hashes_.push_back(hash);
  memberships_ += sorted.size();
  index_[slot] = id;
  if (std::size_t{sets_.size()} * 2 > index_.size()) Rehash(index_.size() * 2);
  return id;
}

bool IdSetPool::Contains(IdSetId set_id, std::uint32_t id) const {
  const Set& set = sets_[set_id];
  if (set.words != 0) {
    const std::uint32_t word = id / 32 - set.first_word;  // wraps to a large number below the first word
    return word < set.words && (set.data[word] >> (id % 32) & 1) != 0;
  }
  return std::binary_search(set.data, set.data + set.count, id);
}

std::vector<std::uint32_t> IdSetPool::ToVector(IdSetId set) const {
  std::vector<std::uint32_t> members;
  members.reserve(Size(set));
  ForEach(set, [&](std::uint32_t id) { members.push_back(id); });
  return members;
}

bool operator==(const IdSetPool& a, const IdSetPool& b) {
  if (a.hashes_ != b.hashes_) return false;
  for (IdSetId id = 0; id < a.SetCount(); ++id) {
    const IdSetPool::Set& one = a.sets_[id];
    const IdSetPool::Set& other = b.sets_[id];
    const std::uint32_t words = one.words == 0 ? one.count : one.words;
    if (one.count != other.count || one.words != other.words || one.first_word != other.first_word) return false;
    if (!std::equal(one.data, one.data + words, other.data)) return false;
  }
  return true;
}

std::uint64_t IdSetPool::MemoryBytes() const {
  return sizeof(*this) + block_bytes_ + sets_.MemoryBytes() + hashes_.capacity() * sizeof(hashes_[0]) +
         index_.capacity() * sizeof(index_[0]);
}

const std::uint32_t* IdSetPool::Store(std::span<const std::uint32_t> words) {
  if (words.size() > free_words_) {
    // Blocks grow with what is stored, so that a small pool stays small.
    const std::size_t grown = std::clamp<std::size_t>(block_bytes_ / sizeof(std::uint32_t), 64, kBlockWords);
    free_words_ = std::max(grown, words.size());
    blocks_.push_back(std::make_unique_for_overwrite<std::uint32_t[]>(free_words_));
    free_ = blocks_.back().get();
    block_bytes_ += free_words_ * sizeof(std::uint32_t);
  }
  std::uint32_t* place = free_;
  std::memcpy(place, words.data(), words.size_bytes());
  free_ += words.size();
  free_words_ -= words.size();
  return place;
}

bool IdSetPool::Equals(const Set& set, std::span<const std::uint32_t> sorted) const {
  if (set.count != sorted.size()) return false;
  if (set.words == 0) return std::equal(sorted.begin(), sorted.end(), set.data);
  return std::all_of(sorted.begin(), sorted.end(), [&](std::uint32_t id) {
    const std::uint32_t word = id / 32 - set.first_word;
    return word < set.words && (set.data[word] >> (id % 32) & 1) != 0;
  });
}

void IdSetPool::Rehash(std::size_t slots) {
  index_.assign(slots, kEmptyIdSet);
  for (IdSetId id = 1; id < sets_.size(); ++id) {
    std::size_t slot = hashes_[id] & (slots - 1);
    while (index_[slot] != kEmptyIdSet) slot = (slot + 1) & (slots - 1);
    index_[slot] = id;
  }
}

}  // namespace sluice
