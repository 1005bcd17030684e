// What was learnt of names: which addresses they have and until when, for the names that rules ask for.
//
// Whoever sees answers (the names' thread, the API's Names.Push, the state file) calls Learn; workers read the outcome
// by `learnt()`, without a lock, at a miss. When Learn returns, every worker's next miss sees the addresses: no table
// is compiled and none is published, so a frame that was held for them may go on then.
//
// A pair of name and address is in force until its time, which is the answer's TTL and at least Limits::least_ttl_s
// (FQ-02). Then it lapses: it admits no new connection, and is kept for those that began with it, which a change of
// policy judges again, as long as there is room. Room is bounded by name and in all; what would run out first makes
// way, and is counted.
//
// Any thread but a worker's may call; a mutex puts them in order, held for microseconds (by SetPatterns, where patterns
// changed, for a look at each name).
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
  std::uint64_t clock_ns = 0;  // the workers' (edge/clock.h; of a capture, its time stamps)
  std::uint64_t unix_ns = 0;   // for people, and for the state file
};

// One answer.
struct NameAnswer {
  // From the question on, along its CNAMEs and DNAMEs: each of them then has the addresses (FQ-04). In any case, with
  // or without a dot at the end.
  std::span<const std::string> names;
  std::span<const IpAddress> addresses;
  std::uint32_t ttl_s = 0;  // the least of the records that lead to the addresses
  std::string_view source;  // for people: the resolver's address, or who pushed it
};

// What became of it.
struct NamesLearnt {
  std::size_t kept = 0;     // pairs of name and address that are in force now; zero: no rule asks for any of its names
  std::size_t fresh = 0;    // of these, those that were not in force before
  std::size_t evicted = 0;  // others that made way
};

// A pair, as it is listed.
struct LearntPair {
  std::string name;
  IpAddress address;
  std::uint64_t learnt_unix_ns = 0;  // since when it is in force without a gap
  std::uint64_t until_unix_ns = 0;
  bool lapsed = false;  // its time is over: only connections that began with it have it
  std::string source;   // of the last answer

  friend bool operator==(const LearntPair&, const LearntPair&) = default;
};

struct NameCounters {
  std::uint64_t answers = 0;     // of which something was kept
  std::uint64_t unasked = 0;     // of which nothing was: no rule asks
  std::uint64_t learnt = 0;      // pairs that came into force
  std::uint64_t renewed = 0;     // pairs that were in force and got another time
  std::uint64_t lapsed = 0;      // whose time ran out
  std::uint64_t evicted = 0;     // in force, and made way for others
  std::uint64_t names = 0;       // kept now
  std::uint64_t pairs = 0;       // in force now
  std::uint64_t kept_pairs = 0;  // lapsed ones included
};

class NameStore {
 public:
  struct Limits {
    std::size_t addresses_a_name = 1000;
    std::size_t pairs = std::size_t{1} << 19;
    std::uint32_t least_ttl_s = 30;
  };

  // `grace`: as LearntNames, and outlives the store.
  explicit NameStore(Limits limits, GracePeriod* grace = nullptr) : limits_(limits), learnt_(grace) {}
  explicit NameStore(GracePeriod* grace = nullptr) : NameStore(Limits(), grace) {}
  NameStore(const NameStore&) = delete;
  NameStore& operator=(const NameStore&) = delete;

  // For workers; for as long as the store lives.
  const LearntNames& learnt() const { return learnt_; }

  // What the rules in force ask for, staged ones included: called before the table that asks is published, so that no
  // answer is missed. Names that none of them matches are forgotten.
  void SetPatterns(std::vector<std::string> patterns);
  // The same, of this table. The thread that publishes alone; costs nothing where the rules by name are those of the
  // table before.
  void Follow(const Table& table);
  // Whether a rule asks for any name at all, and for this one (canonical). Cheap: ask before an answer is read further.
  bool AsksForAny() const;
  bool AsksFor(std::string_view name) const;

  NamesLearnt Learn(const NameAnswer& answer, NameTime now);
  // What lapsed is counted, and what no reader holds is freed. From time to time: workers look at the time themselves.
  void Expire(NameTime now);

  // Ordered by name and address, each name as of a moment of its own. Lapsed ones only where asked for.
  std::vector<LearntPair> List(NameTime now, bool with_lapsed = false) const;
  // The names of one address.
  std::vector<LearntPair> NamesOf(const IpAddress& address, NameTime now) const;
  // The same, as one who judges by it wants it: threads that are no worker's may not read learnt().
  void CopyOf(const IpAddress& address, LearntNames* copy) const;
  NameCounters counters() const;
  std::size_t pattern_count() const;
  // Changes whenever what List says does (but by time alone): for whoever keeps it.
  std::uint64_t revision() const;

  // What was listed before a restart and is still in force. After SetPatterns; returns how many pairs it took.
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

  // The caller holds the mutex in all of these.
  bool Matches(std::string_view name) const;
  void Renew(Names::iterator name, const IpAddress& address, Pair pair, NamesLearnt& outcome);
  void MakeRoom(Names::iterator name, NamesLearnt& outcome);
  // Of a pair that is there; its name stays, with or without others.
  void Erase(Names::iterator name, Pairs::iterator pair);
  void Publish(const IpAddress& address);
  std::vector<LearntName> LearntOf(const IpAddress& address) const;
  void NoteLapsed(std::uint64_t now_ns);
  bool IsInForce(const Pair& pair) const { return pair.until_ns > noted_ns_; }

  const Limits limits_;
  mutable std::mutex mutex_;
  std::unordered_set<std::string> exact_;      // patterns
  std::unordered_set<std::string> wildcards_;  // what stands behind their `*.`
  Names names_;                                // none without a pair
  std::unordered_map<IpAddress, std::vector<Names::iterator>> names_of_;
  std::set<Due> due_;           // every pair
  std::uint64_t noted_ns_ = 0;  // what ran out until then was counted
  NameCounters counters_;
  std::uint64_t revision_ = 0;
  LearntNames learnt_;
  std::shared_ptr<const NameRules> followed_;  // what Follow told of last, and of what is staged: its caller's own
  std::shared_ptr<const NameRules> followed_staged_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_NAMES_NAME_STORE_H_
