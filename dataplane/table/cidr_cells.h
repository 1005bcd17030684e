// Cuts the address space wherever a CIDR group begins or ends, so that all addresses of a cell are in the same groups.
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
  std::uint32_t bit = 0;  // the number that stands for the group's members
  const std::vector<CidrBlock>* blocks = nullptr;
};

struct CidrPartition {
  struct Cell {
    IpAddress first;
    IpAddress last;
    IdSetId bits = kEmptyIdSet;  // never empty
  };
  std::vector<Cell> cells;  // ascending, disjoint: IPv4, then IPv6; addresses between are in no group
  IdSetPool sets;           // sets of `bit`

  // The cell that holds `address`, or nothing.
  const Cell* FindCell(const IpAddress& address) const;
  // The set of bits of the groups that hold `address`.
  IdSetId Find(const IpAddress& address) const {
    const Cell* cell = FindCell(address);
    return cell == nullptr ? kEmptyIdSet : cell->bits;
  }

  // Adds a bit that no cell has yet. O(cells) to copy them; sets are made only for the cells that it changes.
  void Add(const CidrInput& input);
};

// `inputs`: ascending by bit. O(n log n) in the ends of their ranges, plus the bits that are open at each distinct end.
CidrPartition PartitionCidrs(std::span<const CidrInput> inputs);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_CIDR_CELLS_H_
