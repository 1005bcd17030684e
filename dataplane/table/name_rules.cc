#include "table/name_rules.h"

#include <algorithm>
#include <iterator>

namespace sluice {
namespace {

constexpr std::string_view kStar = "*.";

}  // namespace

NameRules::NameRules(const std::map<std::uint32_t, DomainPatterns>& lists) {
  for (const auto& [bit, patterns] : lists) {
    for (const std::string& pattern : patterns.list()) {
      const bool is_wildcard = pattern.starts_with(kStar);
      (is_wildcard ? wildcards_[pattern.substr(kStar.size())] : exact_[pattern]).push_back(bit);
    }
  }
}

void NameRules::AppendBits(std::string_view name, std::vector<std::uint32_t>& bits) const {
  ForEachPatternOf(name, [&](bool is_wildcard, std::string_view rest) {
    const Bits& all = is_wildcard ? wildcards_ : exact_;
    if (const auto found = all.find(rest); found != all.end()) {
      bits.insert(bits.end(), found->second.begin(), found->second.end());
    }
  });
}

const std::vector<std::uint32_t>* NameRules::Find(std::string_view pattern) const {
  const bool is_wildcard = pattern.starts_with(kStar);
  if (is_wildcard) pattern.remove_prefix(kStar.size());
  const Bits& all = is_wildcard ? wildcards_ : exact_;
  const auto found = all.find(pattern);
  return found == all.end() ? nullptr : &found->second;
}

void NameRules::AppendBitsOfAll(const DomainPatterns& patterns, std::vector<std::uint32_t>& bits) const {
  const std::size_t begin = bits.size();
  bool is_first = true;
  for (const std::string& pattern : patterns.list()) {
    const std::vector<std::uint32_t>* asking = Find(pattern);
    if (asking == nullptr) return bits.resize(begin);
    if (is_first) bits.insert(bits.end(), asking->begin(), asking->end());
    is_first = false;
    bits.erase(
        std::remove_if(bits.begin() + static_cast<std::ptrdiff_t>(begin), bits.end(),
                       [&](std::uint32_t bit) { return !std::binary_search(asking->begin(), asking->end(), bit); }),
        bits.end());
  }
}

std::vector<std::string> NameRules::Patterns() const {
  std::vector<std::string> patterns;
  for (const auto& [name, bits] : exact_) patterns.push_back(name);
  for (const auto& [name, bits] : wildcards_) patterns.push_back(std::string(kStar) + name);
  std::sort(patterns.begin(), patterns.end());
  return patterns;
}

std::uint64_t NameRules::MemoryBytes() const {
  constexpr std::uint64_t kNodeBytes =
      80;  // of a hash map beside the key's own memory: links, key, a share of the buckets
  std::uint64_t bytes = sizeof(*this);
  for (const Bits* all : {&exact_, &wildcards_}) {
    for (const auto& [name, bits] : *all) bytes += kNodeBytes + name.capacity() + bits.capacity() * sizeof(bits[0]);
  }
  return bytes;
}

}  // namespace sluice
