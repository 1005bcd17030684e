#include "table/cidr_cells.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <unordered_map>
#include <utility>

namespace sluice {
namespace {

using Wide = unsigned __int128;

// An address as a number, with room for one past the last: IPv4 takes 64 bits, and IPv6 leaves its last end out.
template <Family kFamily>
struct Number;
template <>
struct Number<Family::kIpv4> {
  using Type = std::uint64_t;
  static constexpr Type kLast = 0xffffffff;
  static Type From(const IpAddress& address) { return address.v4(); }
  static IpAddress To(Type value) { return IpAddress::V4(static_cast<std::uint32_t>(value)); }
};
template <>
struct Number<Family::kIpv6> {
  using Type = Wide;
  static constexpr Type kLast = ~Wide{0};
  static Type From(const IpAddress& address) { return Wide{address.hi} << 64 | address.lo; }
  static IpAddress To(Type value) {
    return IpAddress::V6(static_cast<std::uint64_t>(value >> 64), static_cast<std::uint64_t>(value));
  }
};

template <typename Value>
using Ranges = std::vector<std::pair<Value, Value>>;  // both ends included

template <typename Value>
void SortAndMerge(Ranges<Value>& ranges) {
  std::sort(ranges.begin(), ranges.end());
  std::size_t kept = 0;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (kept > 0 && (ranges[i].first <= ranges[kept - 1].second || ranges[i].first - 1 == ranges[kept - 1].second)) {
      ranges[kept - 1].second = std::max(ranges[kept - 1].second, ranges[i].second);
    } else {
      ranges[kept++] = ranges[i];
    }
  }
  ranges.resize(kept);
}

// The union of the blocks, each without its own excepts (NP-40).
template <Family kFamily>
Ranges<typename Number<kFamily>::Type> RangesOf(const std::vector<CidrBlock>& blocks) {
  using N = Number<kFamily>;
  Ranges<typename N::Type> all;
  for (const CidrBlock& block : blocks) {
    if (block.cidr.base.family != kFamily) continue;
    Ranges<typename N::Type> holes;
    for (const Prefix& except : block.excepts) holes.emplace_back(N::From(except.First()), N::From(except.Last()));
    SortAndMerge(holes);
    auto next = N::From(block.cidr.First());
    const auto last = N::From(block.cidr.Last());
    bool open = true;  // whether anything of the block is left from `next` on
    for (const auto& [hole_first, hole_last] : holes) {
      if (hole_first > next) all.emplace_back(next, hole_first - 1);
      open = hole_last < last;
      if (!open) break;
      next = hole_last + 1;
    }
    if (open) all.emplace_back(next, last);
  }
  SortAndMerge(all);
  return all;
}

// Requires that `address` is not the first of its family.
IpAddress Previous(const IpAddress& address) {
  return {address.family, address.hi - (address.lo == 0 ? 1 : 0), address.lo - 1};
}

template <Family kFamily>
void Partition(std::span<const CidrInput> inputs, CidrPartition& out) {
  using N = Number<kFamily>;
  struct End {
    typename N::Type at;
    std::uint32_t input;
    bool opens;
  };
  std::vector<End> ends;
  for (std::uint32_t i = 0; i < inputs.size(); ++i) {
    for (const auto& [first, last] : RangesOf<kFamily>(*inputs[i].blocks)) {
      ends.push_back({first, i, true});
      if (last != N::kLast || kFamily == Family::kIpv4) ends.push_back({last + 1, i, false});
    }
  }
  std::sort(ends.begin(), ends.end(), [](const End& a, const End& b) { return a.at < b.at; });

  std::vector<std::uint64_t> open((inputs.size() + 63) / 64);  // bit i: inputs[i] holds the addresses from here on
  std::vector<std::uint32_t> bits;
  for (std::size_t i = 0; i < ends.size();) {
    const auto at = ends[i].at;
    for (; i < ends.size() && ends[i].at == at; ++i) {
      const std::uint64_t mask = std::uint64_t{1} << (ends[i].input % 64);
      std::uint64_t& word = open[ends[i].input / 64];
      word = ends[i].opens ? word | mask : word & ~mask;
    }
    bits.clear();
    for (std::size_t word = 0; word < open.size(); ++word) {
      for (std::uint64_t rest = open[word]; rest != 0; rest &= rest - 1) {
        bits.push_back(inputs[word * 64 + static_cast<std::size_t>(std::countr_zero(rest))].bit);
      }
    }
    if (bits.empty()) continue;
    const auto last = i < ends.size() ? ends[i].at - 1 : N::kLast;
    out.cells.push_back({N::To(at), N::To(last), out.sets.Intern(bits)});
  }
}

}  // namespace

CidrPartition PartitionCidrs(std::span<const CidrInput> inputs) {
  CidrPartition partition;
  Partition<Family::kIpv4>(inputs, partition);
  Partition<Family::kIpv6>(inputs, partition);
  return partition;
}

const CidrPartition::Cell* CidrPartition::FindCell(const IpAddress& address) const {
  const auto after = std::upper_bound(cells.begin(), cells.end(), address,
                                      [](const IpAddress& a, const Cell& cell) { return a < cell.first; });
  if (after == cells.begin()) return nullptr;
  const Cell& cell = *(after - 1);
  return address <= cell.last ? &cell : nullptr;
}

void CidrPartition::Add(const CidrInput& input) {
  std::vector<std::pair<IpAddress, IpAddress>> ranges;
  const auto collect = [&]<Family kFamily>() {
    for (const auto& [first, last] : RangesOf<kFamily>(*input.blocks)) {
      ranges.emplace_back(Number<kFamily>::To(first), Number<kFamily>::To(last));
    }
  };
  collect.operator()<Family::kIpv4>();
  collect.operator()<Family::kIpv6>();

  std::unordered_map<IdSetId, IdSetId> with_bit;  // from a set to the same set with the bit
  const auto join = [&](IdSetId set) {
    const auto [known, added] = with_bit.try_emplace(set, kEmptyIdSet);
    if (added) {
      std::vector<std::uint32_t> bits = sets.ToVector(set);
      bits.insert(std::lower_bound(bits.begin(), bits.end(), input.bit), input.bit);
      known->second = sets.Intern(bits);
    }
    return known->second;
  };
  std::vector<Cell> result;
  result.reserve(cells.size() + 2 * ranges.size());
  auto cell = cells.begin();
  for (const auto& [first, last] : ranges) {
    while (cell != cells.end() && cell->last < first) result.push_back(*cell++);
    std::optional<IpAddress> next = first;  // the part of the range that is not in `result` yet begins here
    for (; cell != cells.end() && cell->first <= last; ++cell) {
      if (cell->first < *next) {  // the cell begins before the range
        result.push_back({cell->first, Previous(*next), cell->bits});
        cell->first = *next;
      } else if (*next < cell->first) {  // a gap, where no earlier bit was
        result.push_back({*next, Previous(cell->first), join(kEmptyIdSet)});
      }
      const IpAddress end = std::min(cell->last, last);
      result.push_back({cell->first, end, join(cell->bits)});
      next = Next(end);
      if (last < cell->last) {  // the cell ends after the range: the next range may need the rest
        cell->first = *next;
        break;
      }
      if (!next || last < *next) {
        ++cell;
        break;
      }
    }
    if (next && *next <= last) result.push_back({*next, last, join(kEmptyIdSet)});
  }
  result.insert(result.end(), cell, cells.end());
  cells = std::move(result);
}

}  // namespace sluice
