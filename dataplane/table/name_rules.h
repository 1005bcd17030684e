// Which of a table's rules are by domain name, and which of them a name satisfies.
//
// Rules with the same patterns share a bit, as rules with the same peer group do; no address has it in its peer class.
// What an address was learnt for is asked at a miss (learnt_names.h), and adds bits to those of its class.
//
// Immutable: any thread.
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
  // By bit. No list is empty.
  explicit NameRules(const std::map<std::uint32_t, DomainPatterns>& lists);

  bool empty() const { return exact_.empty() && wildcards_.empty(); }
  // Appends the bits of the rules that ask for the name (canonical), in no order, maybe some twice.
  void AppendBits(std::string_view name, std::vector<std::uint32_t>& bits) const;
  // The same of the rules that ask for whatever `patterns` ask for.
  void AppendBitsOfAll(const DomainPatterns& patterns, std::vector<std::uint32_t>& bits) const;
  // All patterns, sorted, each once.
  std::vector<std::string> Patterns() const;
  std::uint64_t MemoryBytes() const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  // Of a pattern, less its `*.`: the bits, ascending.
  using Bits = std::unordered_map<std::string, std::vector<std::uint32_t>, Hash, std::equal_to<>>;

  const std::vector<std::uint32_t>* Find(std::string_view pattern) const;

  Bits exact_;
  Bits wildcards_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_NAME_RULES_H_
