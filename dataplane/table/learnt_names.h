// Which names an address was learnt for, and until when. Workers ask this at a miss, beside the table.
//
// A table says which names its rules ask for. The addresses of these names change from second to second, without
// a new table. Readers read the map without a lock while its one writer changes it: an entry is immutable, one
// pointer puts a new entry in its place, and the old entry is freed once no reader can hold it (GracePeriod).
//
// Find and IsEmpty are for any thread; what they return is valid until the reader is next
// quiescent. All other functions are for the writer, which is names/name_store.h or a test.
#ifndef SLUICE_DATAPLANE_TABLE_LEARNT_NAMES_H_
#define SLUICE_DATAPLANE_TABLE_LEARNT_NAMES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "sluice/address.h"

namespace sluice {

// Tells a writer when no reader holds what the writer took away. For the writer's thread.
class GracePeriod {
 public:
  virtual ~GracePeriod() = default;
  virtual std::uint64_t Begin() = 0;
  virtual bool IsOver(std::uint64_t token) = 0;
};

struct LearntName {
  std::string name;  // canonical
  // On the workers' clock. After that, the name admits no new connection; live connections that began with it keep it.
  std::uint64_t until_ns = 0;
};

class LearntNames {
 public:
  // `grace` outlives the map; null: nobody reads during writes. `buckets`: a power of two, allocated at the first Put.
  explicit LearntNames(GracePeriod* grace = nullptr, std::size_t buckets = 1 << 16);
  ~LearntNames();
  LearntNames(const LearntNames&) = delete;
  LearntNames& operator=(const LearntNames&) = delete;

  // Null: no name was learnt. Names whose time is over may be among them.
  const std::vector<LearntName>* Find(const IpAddress& address) const {
    const Bucket* buckets = buckets_.load(std::memory_order_acquire);
    return buckets == nullptr ? nullptr : FindIn(buckets[HashOf(address) & mask_], address);
  }

  // Replaces the names of the address; an empty list removes them. In force for workers when it returns.
  void Put(const IpAddress& address, std::vector<LearntName> names);
  // Frees what no reader holds any more. Put does this, too.
  void Reclaim();
  std::size_t size() const { return size_; }
  std::size_t retired_count() const { return retired_.size(); }

 private:
  struct Node {
    IpAddress address;
    std::vector<LearntName> names;
    std::atomic<Node*> next = nullptr;
  };
  using Bucket = std::atomic<Node*>;
  struct Retired {
    std::unique_ptr<Node> node;
    std::uint64_t token;
  };

  std::uint64_t HashOf(const IpAddress& address) const;
  static const std::vector<LearntName>* FindIn(const Bucket& bucket, const IpAddress& address);
  void Retire(Node* node);

  GracePeriod* const grace_;
  const std::size_t mask_;    // buckets - 1
  const std::uint64_t seed_;  // so nobody who answers for a name can choose addresses that collide
  std::atomic<const Bucket*> buckets_ = nullptr;
  std::unique_ptr<Bucket[]> owned_;
  std::deque<Retired> retired_;  // oldest first
  std::size_t size_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_LEARNT_NAMES_H_
