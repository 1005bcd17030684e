// Which rules of a table are by domain name, and which of them a name satisfies.
//
// Rules with the same patterns share a bit, as rules with the same peer group do. No address has such a bit in its
// peer class. At a miss, the names that the address was learnt for (learnt_names.h) add bits to those of its class.
//
// Immutable: for any thread.
#ifndef SLUICE_DATAPLANE_TABLE_NAME_RULES_H_
#define SLUICE_DATAPLANE_TABLE_NAME_RULES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sluice/domain_name.h"

namespace sluice {

class NameRules {
 public:
  NameRules() = default;
  // `lists`: by bit. No list is empty.
  explicit NameRules(const std::map<std::uint32_t, DomainPatterns>& lists);

  bool empty() const { return exact_.empty() && wildcards_.empty(); }
  // Appends the bits of the rules that ask for the name (canonical), in no order and possibly with duplicates.
  void AppendBits(std::string_view name, std::vector<std::uint32_t>& bits) const;
  // The same, for the rules that ask for everything that `patterns` ask for.
  void AppendBitsOfAll(const DomainPatterns& patterns, std::vector<std::uint32_t>& bits) const;
  // All patterns, sorted, each once.
  std::vector<std::string> Patterns() const;
  std::uint64_t MemoryBytes() const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  // From a pattern without its `*.` to its bits, ascending.
  using Bits = std::unordered_map<std::string, std::vector<std::uint32_t>, Hash, std::equal_to<>>;

  const std::vector<std::uint32_t>* Find(std::string_view pattern) const;

  Bits exact_;
  Bits wildcards_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_NAME_RULES_H_
