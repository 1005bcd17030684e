// Learnt names: which addresses they have and until when, for the names that rules ask for.
//
// Everything that sees answers (the names' thread, the API's Names.Push, the state file) calls Learn. Workers read the
// result by `learnt()`, without a lock, at a miss. When Learn returns, every worker's next miss sees the addresses. No
// table is compiled or published for it, so a frame that was held for them may then go on.
//
// A pair of name and address is in force until its time, which is the answer's TTL and at least Limits::least_ttl_s
// (FQ-02). Then it lapses: it admits no new connection. As long as there is room, it is kept for connections that began
// with it, since a change of policy judges them again. Room is bounded for each name and in total. The pair that would
// run out first makes room, and is counted.
//
// Any thread but a worker may call. A mutex puts the calls in order. A call holds it for microseconds; SetPatterns, if
// patterns changed, for a look at each name.
#ifndef SLUICE_DATAPLANE_NAMES_NAME_STORE_H_
#define SLUICE_DATAPLANE_NAMES_NAME_STORE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "sluice/address.h"
#include "sluice/domain_name.h"
#include "table/learnt_names.h"

namespace sluice {

class NameRules;
class Table;

// One moment on two clocks.
struct NameTime {
  std::uint64_t clock_ns = 0;  // the workers' (edge/clock.h); in a capture, its time stamps
  std::uint64_t unix_ns = 0;   // for people, and for the state file
};

// One answer.
struct NameAnswer {
  // The question's name, then the names along its CNAMEs and DNAMEs: each of them gets the addresses (FQ-04). Upper or
  // lower case, with or without a dot at the end.
  std::span<const std::string> names;
  std::span<const IpAddress> addresses;
  std::uint32_t ttl_s = 0;  // the least TTL of the records that lead to the addresses
  std::string_view source;  // for people: the resolver's address, or the client that pushed it
};

// The result of learning an answer.
struct NamesLearnt {
  std::size_t kept = 0;     // pairs of name and address that are in force now; zero: no rule asks for any of the names
  std::size_t fresh = 0;    // the pairs among them that were not in force before
  std::size_t evicted = 0;  // other pairs that made room
};

// A pair, in the form that lists have.
struct LearntPair {
  std::string name;
  IpAddress address;
  std::uint64_t learnt_unix_ns = 0;  // since when it is in force without a gap
  std::uint64_t until_unix_ns = 0;
  bool lapsed = false;  // its time is over: it serves only connections that began with it
  std::string source;   // the last answer's source

  friend bool operator==(const LearntPair&, const LearntPair&) = default;
};

struct NameCounters {
  std::uint64_t answers = 0;     // answers of which something was kept
  std::uint64_t unasked = 0;     // answers of which nothing was kept: no rule asks
  std::uint64_t learnt = 0;      // pairs that came into force
  std::uint64_t renewed = 0;     // pairs in force that got another time
  std::uint64_t lapsed = 0;      // pairs whose time ran out
  std::uint64_t evicted = 0;     // pairs in force that made room for others
  std::uint64_t names = 0;       // kept now
  std::uint64_t pairs = 0;       // in force now
  std::uint64_t kept_pairs = 0;  // includes lapsed pairs
};

class NameStore {
 public:
  struct Limits {
    std::size_t addresses_a_name = 1000;
    std::size_t pairs = std::size_t{1} << 19;
    std::uint32_t least_ttl_s = 30;
  };

  // `grace`: as for LearntNames; it outlives the store.
  explicit NameStore(Limits limits, GracePeriod* grace = nullptr) : limits_(limits), learnt_(grace) {}
  explicit NameStore(GracePeriod* grace = nullptr) : NameStore(Limits(), grace) {}
  NameStore(const NameStore&) = delete;
  NameStore& operator=(const NameStore&) = delete;

  // For workers. Valid for as long as the store lives.
  const LearntNames& learnt() const { return learnt_; }

  // Sets the patterns that rules in force ask for, staged rules included. Call it before the table with these rules is
  // published, so that no answer is missed. Names that match no pattern are forgotten.
  void SetPatterns(std::vector<std::string> patterns);
  // Does the same with the patterns of this table. Only the publishing thread calls it. It costs nothing if the rules
  // by name are the same as in the last table.
  void Follow(const Table& table);
  // Whether a rule asks for any name, or for this canonical one. Cheap: ask before the rest of an answer is read.
  bool AsksForAny() const;
  bool AsksFor(std::string_view name) const;

  NamesLearnt Learn(const NameAnswer& answer, NameTime now);
  // Counts lapsed pairs, and frees what no reader holds. Call it from time to time: workers check times themselves.
  void Expire(NameTime now);

  // Returns pairs ordered by name and address, each name at a moment of its own. `with_lapsed`: lapsed ones, too.
  std::vector<LearntPair> List(NameTime now, bool with_lapsed = false) const;
  // The names of one address.
  std::vector<LearntPair> NamesOf(const IpAddress& address, NameTime now) const;
  // Copies them, for callers that judge by them: only workers may read learnt().
  void CopyOf(const IpAddress& address, LearntNames* copy) const;
  NameCounters counters() const;
  std::size_t pattern_count() const;
  // Changes whenever the content of List changes, except by time alone. For callers that keep the list.
  std::uint64_t revision() const;

  // Takes pairs from before a restart that are still in force. Call it after SetPatterns. Returns how many it took.
  std::size_t Restore(std::span<const LearntPair> pairs, NameTime now);

 private:
  struct Pair {
    std::uint64_t learnt_unix_ns = 0;
    std::uint64_t until_ns = 0;
    std::uint64_t until_unix_ns = 0;
    std::string source;
  };
  using Pairs = std::map<IpAddress, Pair>;
  using Names = std::map<std::string, Pairs, std::less<>>;
  using Due = std::tuple<std::uint64_t, const std::string*, IpAddress>;  // until_ns, a key of names_, address

  // All of these require the mutex.
  bool Matches(std::string_view name) const;
  void Renew(Names::iterator name, const IpAddress& address, Pair pair, NamesLearnt& outcome);
  void MakeRoom(Names::iterator name, NamesLearnt& outcome);
  // Requires that the pair exists. The name stays, even without pairs.
  void Erase(Names::iterator name, Pairs::iterator pair);
  void Publish(const IpAddress& address);
  std::vector<LearntName> LearntOf(const IpAddress& address) const;
  void NoteLapsed(std::uint64_t now_ns);
  bool IsInForce(const Pair& pair) const { return pair.until_ns > noted_ns_; }

  const Limits limits_;
  mutable std::mutex mutex_;
  std::unordered_set<std::string> exact_;      // patterns without `*.`
  std::unordered_set<std::string> wildcards_;  // of the other patterns, the part after `*.`
  Names names_;                                // each has at least one pair
  std::unordered_map<IpAddress, std::vector<Names::iterator>> names_of_;
  std::set<Due> due_;           // every pair
  std::uint64_t noted_ns_ = 0;  // what ran out before this time was counted
  NameCounters counters_;
  std::uint64_t revision_ = 0;
  LearntNames learnt_;
  std::shared_ptr<const NameRules> followed_;  // what Follow saw last, and the staged rules; only its caller uses them
  std::shared_ptr<const NameRules> followed_staged_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_NAMES_NAME_STORE_H_
