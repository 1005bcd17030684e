// Cuts the address space where any CIDR group begins or ends, so that every address of a cell is in the same groups.
#ifndef SLUICE_DATAPLANE_TABLE_CIDR_CELLS_H_
#define SLUICE_DATAPLANE_TABLE_CIDR_CELLS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "sluice/address.h"
#include "sluice/id_set.h"
#include "sluice/resolved_policy.h"

namespace sluice {

struct CidrInput {
  std::uint32_t bit = 0;  // what members of the set are called
  const std::vector<CidrBlock>* blocks = nullptr;
};

struct CidrPartition {
  struct Cell {
    IpAddress first;
    IpAddress last;
    IdSetId bits = kEmptyIdSet;  // never empty
  };
  std::vector<Cell> cells;  // ascending, disjoint: IPv4, then IPv6; what lies between is in no group
  IdSetPool sets;           // sets of `bit`

  // The cell that holds `address`, or nothing.
  const Cell* FindCell(const IpAddress& address) const;
  // The set of bits that hold `address`.
  IdSetId Find(const IpAddress& address) const {
    const Cell* cell = FindCell(address);
    return cell == nullptr ? kEmptyIdSet : cell->bits;
  }

  // Adds a bit that no cell has yet. O(cells) to copy them, and set work for those it changes only.
  void Add(const CidrInput& input);
};

// `inputs`: ascending by bit. O(n log n) in the ends of their ranges, plus the bits open at each distinct end.
CidrPartition PartitionCidrs(std::span<const CidrInput> inputs);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_CIDR_CELLS_H_
