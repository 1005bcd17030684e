#include "names/name_store.h"

#include <algorithm>
#include <utility>

#include "table/table.h"

namespace sluice {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

}  // namespace

void NameStore::SetPatterns(std::vector<std::string> patterns) {
  std::unordered_set<std::string> exact;
  std::unordered_set<std::string> wildcards;
  for (const std::string& pattern : patterns) {
    std::string canonical = CanonicalDomainName(pattern);
    if (canonical.starts_with("*.")) {
      wildcards.insert(canonical.substr(2));
    } else {
      exact.insert(std::move(canonical));
    }
  }
  const std::lock_guard lock(mutex_);
  if (exact == exact_ && wildcards == wildcards_) return;
  exact_ = std::move(exact);
  wildcards_ = std::move(wildcards);
  for (auto name = names_.begin(); name != names_.end();) {
    if (Matches(name->first)) {
      ++name;
      continue;
    }
    while (!name->second.empty()) Erase(name, name->second.begin());
    name = names_.erase(name);
  }
}

void NameStore::Follow(const Table& table) {
  const auto staged = table.staged() == nullptr ? nullptr : table.staged()->shared_name_rules();
  if (followed_ == table.shared_name_rules() && followed_staged_ == staged) return;
  followed_ = table.shared_name_rules();
  followed_staged_ = staged;
  std::vector<std::string> patterns = followed_->Patterns();
  if (staged != nullptr) {
    for (std::string& pattern : staged->Patterns()) patterns.push_back(std::move(pattern));
  }
  SetPatterns(std::move(patterns));
}

bool NameStore::AsksForAny() const {
  const std::lock_guard lock(mutex_);
  return !exact_.empty() || !wildcards_.empty();
}

bool NameStore::AsksFor(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  return Matches(name);
}

bool NameStore::Matches(std::string_view name) const {
  bool matches = false;
  ForEachPatternOf(name, [&](bool is_wildcard, std::string_view rest) {
    matches = matches || (is_wildcard ? wildcards_ : exact_).contains(std::string(rest));
  });
  return matches;
}

NamesLearnt NameStore::Learn(const NameAnswer& answer, NameTime now) {
  const std::uint64_t lasts_ns = std::max(answer.ttl_s, limits_.least_ttl_s) * kSecond;
  const Pair pair{now.unix_ns, now.clock_ns + lasts_ns, now.unix_ns + lasts_ns, std::string(answer.source)};
  NamesLearnt outcome;
  const std::lock_guard lock(mutex_);
  NoteLapsed(now.clock_ns);
  if (!answer.addresses.empty()) {
    for (const std::string& text : answer.names) {
      const std::string name = CanonicalDomainName(text);
      if (!Matches(name)) continue;
      const auto place = names_.try_emplace(name).first;
      for (const IpAddress& address : answer.addresses) Renew(place, address, pair, outcome);
    }
  }
  ++(outcome.kept == 0 ? counters_.unasked : counters_.answers);
  return outcome;
}

// A name keeps the later of two times: each answer holds until its own TTL has run out.
void NameStore::Renew(Names::iterator name, const IpAddress& address, Pair pair, NamesLearnt& outcome) {
  ++outcome.kept;
  if (const auto known = name->second.find(address); known != name->second.end()) {
    Pair& before = known->second;
    if (IsInForce(before)) {
      if (pair.until_ns <= before.until_ns) return;
      pair.learnt_unix_ns = before.learnt_unix_ns;
      ++counters_.renewed;
    } else {
      ++outcome.fresh;
      ++counters_.learnt;
      ++counters_.pairs;
    }
    due_.erase({before.until_ns, &name->first, address});
    before = std::move(pair);
    due_.emplace(before.until_ns, &name->first, address);
  } else {
    MakeRoom(name, outcome);
    due_.emplace(pair.until_ns, &name->first, address);
    name->second.emplace(address, std::move(pair));
    names_of_[address].push_back(name);
    ++outcome.fresh;
    ++counters_.learnt;
    ++counters_.pairs;
  }
  ++revision_;
  Publish(address);
}

// The pair that would run out first makes room; pairs that have run out go before all others.
void NameStore::MakeRoom(Names::iterator name, NamesLearnt& outcome) {
  const auto evict = [&](Names::iterator of, Pairs::iterator pair) {
    if (IsInForce(pair->second)) {
      ++counters_.evicted;
      ++outcome.evicted;
    }
    Erase(of, pair);
    if (of->second.empty() && of != name) names_.erase(of);
  };
  if (name->second.size() >= limits_.addresses_a_name) {
    evict(name, std::min_element(name->second.begin(), name->second.end(),
                                 [](const auto& a, const auto& b) { return a.second.until_ns < b.second.until_ns; }));
  }
  if (due_.size() >= limits_.pairs) {
    const auto& [until_ns, of, address] = *due_.begin();
    const auto victim = names_.find(*of);
    evict(victim, victim->second.find(address));
  }
}

void NameStore::Erase(Names::iterator name, Pairs::iterator pair) {
  const IpAddress address = pair->first;
  if (IsInForce(pair->second)) --counters_.pairs;
  due_.erase({pair->second.until_ns, &name->first, address});
  name->second.erase(pair);
  const auto names = names_of_.find(address);
  std::erase(names->second, name);
  if (names->second.empty()) names_of_.erase(names);
  ++revision_;
  Publish(address);
}

void NameStore::Publish(const IpAddress& address) { learnt_.Put(address, LearntOf(address)); }

std::vector<LearntName> NameStore::LearntOf(const IpAddress& address) const {
  std::vector<LearntName> learnt;
  if (const auto names = names_of_.find(address); names != names_of_.end()) {
    learnt.reserve(names->second.size());
    for (const Names::iterator name : names->second) {
      learnt.push_back({name->first, name->second.at(address).until_ns});
    }
  }
  return learnt;
}

void NameStore::Expire(NameTime now) {
  const std::lock_guard lock(mutex_);
  NoteLapsed(now.clock_ns);
  learnt_.Reclaim();
}

// Requires that all pairs that come later have a later time.
void NameStore::NoteLapsed(std::uint64_t now_ns) {
  if (now_ns <= noted_ns_) return;
  for (auto due = due_.lower_bound({noted_ns_ + 1, nullptr, {}}); due != due_.end() && std::get<0>(*due) <= now_ns;
       ++due) {
    --counters_.pairs;
    ++counters_.lapsed;
  }
  noted_ns_ = now_ns;
}

// Lists in slices: a caller of Learn that holds a frame waits for one slice at most.
std::vector<LearntPair> NameStore::List(NameTime now, bool with_lapsed) const {
  constexpr std::size_t kSlice = 2000;
  std::vector<LearntPair> list;
  std::string last;
  for (bool more = true; more;) {
    const std::lock_guard lock(mutex_);
    auto name = names_.upper_bound(last);
    for (std::size_t looked = 0; name != names_.end() && looked < kSlice; ++name) {
      for (const auto& [address, pair] : name->second) {
        const bool lapsed = pair.until_ns <= now.clock_ns;
        if (lapsed && !with_lapsed) continue;
        list.push_back({name->first, address, pair.learnt_unix_ns, pair.until_unix_ns, lapsed, pair.source});
      }
      looked += name->second.size();
      last = name->first;
    }
    more = name != names_.end();
  }
  return list;
}

std::vector<LearntPair> NameStore::NamesOf(const IpAddress& address, NameTime now) const {
  const std::lock_guard lock(mutex_);
  std::vector<LearntPair> list;
  const auto names = names_of_.find(address);
  if (names == names_of_.end()) return list;
  for (const Names::iterator name : names->second) {
    const Pair& pair = name->second.at(address);
    list.push_back(
        {name->first, address, pair.learnt_unix_ns, pair.until_unix_ns, pair.until_ns <= now.clock_ns, pair.source});
  }
  std::sort(list.begin(), list.end(), [](const LearntPair& a, const LearntPair& b) { return a.name < b.name; });
  return list;
}

void NameStore::CopyOf(const IpAddress& address, LearntNames* copy) const {
  const std::lock_guard lock(mutex_);
  copy->Put(address, LearntOf(address));
}

NameCounters NameStore::counters() const {
  const std::lock_guard lock(mutex_);
  NameCounters counters = counters_;
  counters.names = names_.size();
  counters.kept_pairs = due_.size();
  return counters;
}

std::size_t NameStore::pattern_count() const {
  const std::lock_guard lock(mutex_);
  return exact_.size() + wildcards_.size();
}

std::uint64_t NameStore::revision() const {
  const std::lock_guard lock(mutex_);
  return revision_;
}

// If the wall clock was set meanwhile, a time may change, but it is never longer than it was when it was kept.
std::size_t NameStore::Restore(std::span<const LearntPair> pairs, NameTime now) {
  const std::lock_guard lock(mutex_);
  NoteLapsed(now.clock_ns);
  NamesLearnt outcome;
  for (const LearntPair& kept : pairs) {
    if (kept.lapsed || kept.until_unix_ns <= now.unix_ns || !Matches(kept.name)) continue;
    const std::uint64_t left_ns = std::min(kept.until_unix_ns - now.unix_ns,
                                           kept.until_unix_ns - std::min(kept.learnt_unix_ns, kept.until_unix_ns));
    if (left_ns == 0) continue;
    const auto name = names_.try_emplace(kept.name).first;
    Renew(name, kept.address, {kept.learnt_unix_ns, now.clock_ns + left_ns, now.unix_ns + left_ns, kept.source},
          outcome);
  }
  return outcome.kept;
}

}  // namespace sluice
