// What the lists of `sluicectl get` share: their options, which rows are asked for, and the loop of --watch.
#ifndef SLUICE_PROGRAMS_SLUICECTL_GET_H_
#define SLUICE_PROGRAMS_SLUICECTL_GET_H_

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/printable.h"
#include "sluicectl/commands.h"
#include "sluicectl/live.h"

namespace sluice {

using Stub = v1::ObserveService::Stub;

// What flows and drops are narrowed to, as people say it.
struct TrafficFilter {
  std::string address;
  std::string protocol;
  std::string pod;
  std::uint32_t port = 0;
};

struct GetOptions {
  LiveOptions live;
  std::string namespace_name;
  bool all_namespaces = false;
  std::vector<std::string> names;
  std::string selector;  // of labels
  std::string sort_by;   // a key of the rows as JSON shows them
  bool watch = false;
  double interval = 2;  // seconds, with --watch
  TrafficFilter filter;
  std::string state;
  std::uint64_t limit = 0;

  std::string Namespace() const { return all_namespaces ? "" : namespace_name; }
};

void AddNamespaceOption(CLI::App& command, GetOptions& options);
void AddTrafficOptions(CLI::App& command, TrafficFilter& filter);
// Fills the fields that requests for flows and for drops share. False, and why on standard error, where one cannot be.
bool SetFilter(const GetOptions& options, v1::ListFlowsRequest* request);
bool SetFilter(const GetOptions& options, v1::WatchDropsRequest* request);

// The names that were asked for: "namespace/name", or "name" of the namespace asked for, or of any.
class NameFilter {
 public:
  explicit NameFilter(const GetOptions& options);
  // `name` is "namespace/name", or a cluster-scoped policy's.
  bool Matches(std::string_view name);
  // kExitFine, or kExitDiffers and the missing names on standard error.
  int Finish(const char* noun) const;

 private:
  struct Wanted {
    std::string text;  // as it was asked for
    std::string full;  // "namespace/name"; empty: of any namespace
    bool found = false;
  };
  std::vector<Wanted> names_;
};

// Sorts rows as --sort-by says: numbers by value, texts as texts, rows without the key first, equal ones as they came.
// kExitFine, or kExitBadInput with an error where no row has the key.
int SortRows(const std::string& sort_by, std::vector<Json>* rows);

// Whether rows are to have what JSON shows, and what tables show. Keys of a table alone end in "_text".
inline bool WantsJson(const GetOptions& options) { return !IsForPeople(options.live) || !options.sort_by.empty(); }

// Rows that the round before did not have, its times and ages aside.
class ChangedRows {
 public:
  bool IsNew(const Json& row);
  void NextRound() { before_ = std::exchange(now_, {}); }

 private:
  std::set<std::string> before_;
  std::set<std::string> now_;
};

// Lists what `open(call)` streams, as rows that `add(show, message)` makes; again and again with --watch.
template <typename Message, typename Open, typename Add>
int List(const GetOptions& options, const char* nouns, const std::vector<Column>& columns, Open open, Add add) {
  Output output;
  std::optional<Listing> listing;  // from its first row on: where nobody answers there is no empty list
  const auto start = [&] {
    if (!listing) listing.emplace(output, options.live, columns, options.watch ? Rows::kStream : Rows::kList);
  };
  ChangedRows changed;
  const auto show = [&](const Json& row) {
    if (options.watch && !changed.IsNew(row)) return;
    start();
    listing->Add(row);
  };
  while (true) {
    Call call(options.live);
    const auto reader = call.Open(open);
    Message message;
    std::vector<Json> rows;  // to be sorted
    const auto take = [&](const Json& row) { options.sort_by.empty() ? show(row) : rows.push_back(row); };
    while (call.Read(*reader, &message)) add(take, message);
    if (const int code = Finish(options.live, call.Finish(*reader)); code != kExitFine) return code;
    if (const int code = SortRows(options.sort_by, &rows); code != kExitFine) return code;
    for (const Json& row : rows) show(row);
    if (!options.watch) break;
    if (listing && !listing->Flush()) return kExitBadInput;
    changed.NextRound();
    std::this_thread::sleep_for(std::chrono::duration<double>(options.interval));
  }
  if (!listing && IsForPeople(options.live)) {
    const std::string where = options.Namespace().empty() ? "" : " in namespace " + options.Namespace();
    std::fprintf(stderr, "No %s found%s.\n", nouns, Printable(where).c_str());
    return kExitFine;
  }
  start();
  listing.reset();
  return output.Flush() ? kExitFine : kExitBadInput;
}

// get_policies.cc
int GetEndpoints(const GetOptions& options, Stub& stub);
int GetPolicies(const GetOptions& options, Stub& stub);
int GetRules(const GetOptions& options, Stub& stub);
int GetUnused(const GetOptions& options, Stub& stub);

// get_traffic.cc
int GetFlows(const GetOptions& options, Stub& stub);
int GetPorts(const GetOptions& options, Stub& stub);
int GetNames(const GetOptions& options, Stub& stub);
int GetWorkers(const GetOptions& options, Stub& stub);
int GetDrops(const GetOptions& options, Stub& stub);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_GET_H_
