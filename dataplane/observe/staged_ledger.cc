#include "observe/staged_ledger.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace sluice {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kJudgeInterval(1);
constexpr std::chrono::seconds kSaveInterval(60);
constexpr int kFormat = 2;  // of the file
constexpr std::size_t kClassifierLines = 1024;
constexpr std::size_t kAtOnce = 1000;  // differences

std::uint64_t UnixNowNs() {
  return static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

std::string PodOf(const FlowLogOwner& owner) {
  return owner.pod.empty() ? std::string() : owner.namespace_name + '/' + owner.pod;
}

std::vector<TableRule> RulesOf(const Table* table, std::uint64_t epoch, RuleId egress, RuleId ingress) {
  std::vector<TableRule> rules;
  if (table == nullptr || table->epoch() != epoch) return rules;
  for (const RuleId rule : {egress, ingress}) {
    if (rule != kNoRule && rule < table->rule_limit()) rules.push_back(table->rule(rule));
  }
  return rules;
}

// Everything that tells two differences apart.
std::string KeyOf(const StagedDifference& difference) {
  std::string key;
  const auto add = [&key](const std::string& part) {
    key += part;
    key += '\0';
  };
  add(difference.would_allow ? "allow" : "deny");
  add(difference.source.ToString());
  add(PodOf(difference.source_owner));
  add(difference.destination.ToString());
  add(PodOf(difference.destination_owner));
  add(std::to_string(difference.protocol));
  add(std::to_string(difference.destination_port));
  for (const auto* rules : {&difference.in_force, &difference.staged}) {
    for (const TableRule& rule : *rules) add(rule.policy + '\0' + std::to_string(rule.index));
    add("");
  }
  return key;
}

json ToJson(const FlowLogOwner& owner) {
  return {{"namespace", owner.namespace_name}, {"pod", owner.pod}, {"node", owner.node}, {"workload", owner.workload}};
}

FlowLogOwner OwnerOf(const json& kept) {
  return {kept.at("namespace"), kept.at("pod"), kept.at("node"), kept.at("workload")};
}

json ToJson(const std::vector<TableRule>& rules) {
  json list = json::array();
  for (const TableRule& rule : rules) {
    list.push_back({{"policy", rule.policy},
                    {"tier", static_cast<int>(rule.tier)},
                    {"direction", static_cast<int>(rule.direction)},
                    {"action", static_cast<int>(rule.action)},
                    {"index", rule.index},
                    {"name", rule.name.text()}});
  }
  return list;
}

std::vector<TableRule> RulesOf(const json& kept) {
  std::vector<TableRule> rules;
  for (const json& rule : kept) {
    TableRule& added = rules.emplace_back();
    added.policy = rule.at("policy");
    added.tier = static_cast<Tier>(rule.at("tier").get<int>());
    added.direction = static_cast<Direction>(rule.at("direction").get<int>());
    added.action = static_cast<Action>(rule.at("action").get<int>());
    added.index = rule.at("index");
    added.name = RuleName(rule.at("name").get<std::string>());
  }
  return rules;
}

json ToJson(const StagedDifference& difference) {
  return {{"would_allow", difference.would_allow},
          {"source", difference.source.ToString()},
          {"destination", difference.destination.ToString()},
          {"source_owner", ToJson(difference.source_owner)},
          {"destination_owner", ToJson(difference.destination_owner)},
          {"protocol", difference.protocol},
          {"port", difference.destination_port},
          {"in_force", ToJson(difference.in_force)},
          {"staged", ToJson(difference.staged)},
          {"first", difference.first_unix_ns},
          {"last", difference.last_unix_ns},
          {"connections", difference.connections},
          {"packets", difference.packets}};
}

StagedDifference DifferenceOf(const json& kept) {
  StagedDifference difference;
  difference.would_allow = kept.at("would_allow");
  difference.source = IpAddress::Parse(kept.at("source").get<std::string>()).value();
  difference.destination = IpAddress::Parse(kept.at("destination").get<std::string>()).value();
  difference.source_owner = OwnerOf(kept.at("source_owner"));
  difference.destination_owner = OwnerOf(kept.at("destination_owner"));
  difference.protocol = kept.at("protocol");
  difference.destination_port = kept.at("port");
  difference.in_force = RulesOf(kept.at("in_force"));
  difference.staged = RulesOf(kept.at("staged"));
  difference.first_unix_ns = kept.at("first");
  difference.last_unix_ns = kept.at("last");
  difference.connections = kept.at("connections");
  difference.packets = kept.at("packets");
  return difference;
}

}  // namespace

StagedLedger::StagedLedger(const FlowLogNames& names, std::string file, std::size_t most_pairs)
    : names_(names), file_(std::move(file)), most_pairs_(most_pairs), classifier_(kClassifierLines) {}

StagedTotals StagedLedger::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

void StagedLedger::VisitDifferences(const std::function<bool(const StagedDifference&)>& visit) const {
  std::optional<std::uint64_t> staging;
  std::string last;
  while (true) {
    std::vector<StagedDifference> some;
    {
      const std::lock_guard lock(mutex_);
      if (staging.value_or(staging_) != staging_) return;
      staging = staging_;
      for (auto next = pairs_.upper_bound(last); next != pairs_.end() && some.size() < kAtOnce; ++next) {
        some.push_back(next->second);
        if (some.size() == kAtOnce) last = next->first;
      }
    }
    for (const StagedDifference& difference : some) {
      if (!visit(difference)) return;
    }
    if (some.size() < kAtOnce) return;
  }
}

std::vector<StagedDifference> StagedLedger::Differences() const {
  std::vector<StagedDifference> differences;
  VisitDifferences([&](const StagedDifference& difference) {
    differences.push_back(difference);
    return true;
  });
  return differences;
}

bool StagedLedger::HasSeen(const std::string& pod) const {
  const std::lock_guard lock(mutex_);
  return seen_.contains(pod);
}

void StagedLedger::Collect(const std::vector<Observation>& workers) {
  asked_.resize(workers.size());
  bool begun = false;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    StagedJudge* judge = workers[i].staged_judge;
    if (judge == nullptr) continue;
    TwoHalves<StagedJudge::Half>& halves = judge->halves();
    if (asked_[i] && halves.IsTurned()) {
      asked_[i] = false;
      halves.Take([&](StagedJudge::Half& half) {
        // The table is read after the half was taken, so it is no older than any table that the half names.
        const auto table = names_.table();
        Begin(*table);
        Take(*table, half);
      });
      begun = true;
    }
    if (!asked_[i]) {
      asked_[i] = true;
      halves.Ask();
    }
  }
  const auto table = names_.table();
  if (!begun) Begin(*table);
  const auto now = Clock::now();
  if (table->generation() != generation_ && now >= judge_due_) {
    generation_ = table->generation();
    judge_due_ = now + kJudgeInterval;
    if (table->staged() != nullptr) JudgeAgain(*table);
  }
  if (now < save_due_) return;
  if (save_due_ == Clock::time_point() || !SaveSome()) save_due_ = now + kSaveInterval;
}

void StagedLedger::CollectLast(const std::vector<Observation>& workers) {
  const auto table = names_.table();
  Begin(*table);
  for (const Observation& worker : workers) {
    if (worker.staged_judge == nullptr) continue;
    worker.staged_judge->halves().TakeAll([&](StagedJudge::Half& half) { Take(*table, half); });
  }
  saving_.reset();
  while (SaveSome()) continue;
}

// Begins anew, if something else is staged than what the ledger is about.
void StagedLedger::Begin(const Table& table) {
  const std::uint64_t staging = table.staged() == nullptr ? 0 : table.staging();
  {
    const std::lock_guard lock(mutex_);
    if (staging == staging_) return;
    staging_ = staging;
    totals_ = {};
    pairs_.clear();
    seen_.clear();
    if (staging == 0) return;
    totals_.since_unix_ns = UnixNowNs();
  }
  Load(staging);
}

void StagedLedger::Take(const Table& table, StagedJudge::Half& half) {
  std::vector<StagedJudge::Entry> entries;
  half.pairs.Take([&](const StagedJudge::Entry& entry) {
    if (entry.key.staging == staging_) entries.push_back(entry);
  });
  std::vector<IpAddress> addresses;
  std::uint64_t last_ns = 0;
  half.parties.Take([&](const StagedJudge::Party& party) {
    if (party.staging != staging_) return;
    addresses.push_back(party.key);
    last_ns = std::max(last_ns, party.last_ns);
  });
  const std::vector<FlowLogOwner> owners = names_.OwnersOf(addresses);
  Add(table, entries);
  const std::lock_guard lock(mutex_);
  for (const FlowLogOwner& owner : owners) {
    if (!owner.pod.empty()) seen_[PodOf(owner)] = last_ns;
  }
  totals_.judged += half.judged;
  totals_.not_kept += half.not_kept;
}

void StagedLedger::Add(const Table& table, std::span<const StagedJudge::Entry> entries) {
  std::vector<IpAddress> addresses;
  for (const StagedJudge::Entry& entry : entries) {
    addresses.push_back(entry.key.source);
    addresses.push_back(entry.key.destination);
  }
  std::vector<FlowLogOwner> owners = names_.OwnersOf(addresses);
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& [key, connections, packets, first_ns, last_ns] = entries[i];
    StagedDifference difference;
    difference.would_allow = key.would_allow;
    difference.source = key.source;
    difference.destination = key.destination;
    difference.source_owner = std::move(owners[2 * i]);
    difference.destination_owner = std::move(owners[2 * i + 1]);
    difference.protocol = key.protocol;
    difference.destination_port = key.destination_port;
    difference.in_force = RulesOf(&table, key.epoch, key.egress_rule, key.ingress_rule);
    difference.staged = RulesOf(table.staged(), key.staged_epoch, key.staged_egress_rule, key.staged_ingress_rule);
    difference.first_unix_ns = first_ns;
    (key.would_allow ? totals_.would_allow : totals_.would_deny) += connections;
    std::string text = KeyOf(difference);
    auto known = pairs_.find(text);
    if (known == pairs_.end()) {
      if (pairs_.size() >= most_pairs_) {
        totals_.not_kept += connections;
        continue;
      }
      known = pairs_.emplace(std::move(text), std::move(difference)).first;
    }
    known->second.last_unix_ns = std::max(known->second.last_unix_ns, last_ns);
    known->second.connections += connections;
    known->second.packets += packets;
  }
}

void StagedLedger::JudgeAgain(const Table& table) {
  std::vector<StagedDifference> some;
  VisitDifferences([&](const StagedDifference& difference) {
    some.push_back(difference);
    if (some.size() < kAtOnce) return true;
    Settle(table, some);
    some.clear();
    return true;
  });
  Settle(table, some);
}

// Judges only pairs whose ends have the same owners: what a pod did that is gone says nothing about the next pod.
void StagedLedger::Settle(const Table& table, std::span<const StagedDifference> differences) {
  std::vector<IpAddress> addresses;
  for (const StagedDifference& difference : differences) {
    addresses.push_back(difference.source);
    addresses.push_back(difference.destination);
  }
  const std::vector<FlowLogOwner> owners = names_.OwnersOf(addresses);
  std::vector<std::string> settled;
  for (std::size_t i = 0; i < differences.size(); ++i) {
    const StagedDifference& difference = differences[i];
    if (PodOf(owners[2 * i]) != PodOf(difference.source_owner) ||
        PodOf(owners[2 * i + 1]) != PodOf(difference.destination_owner)) {
      continue;
    }
    const ClassifyQuery query{difference.source, difference.destination, difference.protocol,
                              difference.destination_port};
    Classification in_force;
    Classification staged;
    LearntNames learnt(nullptr, 1);
    NamesNow names{&learnt, 0};
    if (names_of_) names.now_ns = names_of_(query.destination, &learnt);
    classifier_.Classify(table, {&query, 1}, &in_force, true, names);
    classifier_.Classify(*table.staged(), {&query, 1}, &staged, true, names);
    if (in_force.allow != difference.would_allow && staged.allow == difference.would_allow) continue;
    settled.push_back(KeyOf(difference));
  }
  const std::lock_guard lock(mutex_);
  for (const std::string& key : settled) {
    const auto known = pairs_.find(key);
    if (known == pairs_.end()) continue;
    std::uint64_t& total = known->second.would_allow ? totals_.would_allow : totals_.would_deny;
    total -= std::min(total, known->second.connections);
    pairs_.erase(known);
  }
}

// Does not use a file of another version, about something that is no longer staged, or without its end. The file has
// one line each for: what it is about, each pair, each pod, and the totals as the end.
void StagedLedger::Load(std::uint64_t staging) {
  if (file_.empty()) return;
  std::ifstream file(file_);
  std::map<std::string, StagedDifference> pairs;
  std::map<std::string, std::uint64_t> seen;
  bool is_ours = false;
  try {
    for (std::string line; std::getline(file, line);) {
      const json kept = json::parse(line);
      if (!std::exchange(is_ours, true)) {
        if (kept.at("format") != kFormat || kept.at("staging") != staging) return;
      } else if (kept.contains("pod")) {
        seen.emplace(kept.at("pod"), kept.at("seen"));
      } else if (kept.contains("totals")) {
        const json& totals = kept.at("totals");
        const StagedTotals before{totals.at("since"), totals.at("judged"), totals.at("not_kept"),
                                  totals.at("would_deny"), totals.at("would_allow")};
        const std::lock_guard lock(mutex_);
        pairs_ = std::move(pairs);
        totals_ = before;
        seen_ = std::move(seen);
        return;
      } else {
        StagedDifference difference = DifferenceOf(kept);
        std::string key = KeyOf(difference);
        pairs.emplace(std::move(key), std::move(difference));
      }
    }
  } catch (const std::exception&) {
    // This version did not write it: only what is seen from now on counts.
  }
}

bool StagedLedger::SaveSome() {
  if (file_.empty()) return false;
  const std::string temporary = file_ + ".new";
  json lines = json::array();
  bool is_whole = false;
  {
    const std::lock_guard lock(mutex_);
    if (saving_ && saving_->staging != staging_) saving_.reset();
    if (staging_ == 0) {
      std::remove(temporary.c_str());
      std::remove(file_.c_str());
      return false;
    }
    if (!saving_) {
      saving_ = std::make_unique<Saving>();
      saving_->staging = staging_;
      saving_->file.open(temporary, std::ios::trunc);
      lines.push_back({{"format", kFormat}, {"staging", staging_}});
    }
    Saving& saving = *saving_;
    if (!saving.pairs_are_done) {
      for (auto next = pairs_.upper_bound(saving.last); lines.size() < kAtOnce; ++next) {
        saving.pairs_are_done = next == pairs_.end();
        if (saving.pairs_are_done) break;
        lines.push_back(ToJson(next->second));
        saving.last = next->first;
      }
      if (saving.pairs_are_done) saving.last.clear();
    }
    if (saving.pairs_are_done) {
      for (auto next = seen_.upper_bound(saving.last); lines.size() < kAtOnce; ++next) {
        is_whole = next == seen_.end();
        if (is_whole) break;
        lines.push_back({{"pod", next->first}, {"seen", next->second}});
        saving.last = next->first;
      }
    }
    if (is_whole) {
      lines.push_back({{"totals",
                        {{"since", totals_.since_unix_ns},
                         {"judged", totals_.judged},
                         {"not_kept", totals_.not_kept},
                         {"would_deny", totals_.would_deny},
                         {"would_allow", totals_.would_allow}}}});
    }
  }
  for (const json& line : lines) saving_->file << line.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
  if (!is_whole && saving_->file) return true;
  saving_->file.close();
  const bool is_written = is_whole && saving_->file;
  saving_.reset();
  if (!is_written || std::rename(temporary.c_str(), file_.c_str()) != 0) std::remove(temporary.c_str());
  return false;
}

}  // namespace sluice
