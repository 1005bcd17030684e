// What the lists of `sluicectl get` share: their options, the choice of rows, and the loop of --watch.
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

// The filter for flows and drops, in people's notation.
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
  std::string selector;  // for labels
  std::string sort_by;   // a key of the rows, as JSON shows them
  bool watch = false;
  double interval = 2;  // seconds, with --watch
  TrafficFilter filter;
  std::string state;
  std::uint64_t limit = 0;

  std::string Namespace() const { return all_namespaces ? "" : namespace_name; }
};

void AddNamespaceOption(CLI::App& command, GetOptions& options);
void AddTrafficOptions(CLI::App& command, TrafficFilter& filter);
// Fills the fields that requests for flows and for drops share. False if an option is wrong; standard error says why.
bool SetFilter(const GetOptions& options, v1::ListFlowsRequest* request);
bool SetFilter(const GetOptions& options, v1::WatchDropsRequest* request);

// The names that were asked for: "namespace/name", or "name" in the given namespace, or in any.
class NameFilter {
 public:
  explicit NameFilter(const GetOptions& options);
  // `name`: "namespace/name", or the name of a cluster-scoped policy.
  bool Matches(std::string_view name);
  // Returns kExitFine, or kExitDiffers with the missing names on standard error.
  int Finish(const char* noun) const;

 private:
  struct Wanted {
    std::string text;  // as it was typed
    std::string full;  // "namespace/name"; empty: in any namespace
    bool found = false;
  };
  std::vector<Wanted> names_;
};

// Sorts rows by --sort-by: numbers by value, texts as texts, rows without the key first, equal rows in their old order.
// Returns kExitFine, or kExitBadInput with an error if no row has the key.
int SortRows(const std::string& sort_by, std::vector<Json>* rows);

// Whether rows need what JSON shows, or what tables show. Keys that only tables use end in "_text".
inline bool WantsJson(const GetOptions& options) { return !IsForPeople(options.live) || !options.sort_by.empty(); }

// Finds rows that the last round did not have, apart from their times and ages.
class ChangedRows {
 public:
  bool IsNew(const Json& row);
  void NextRound() { before_ = std::exchange(now_, {}); }

 private:
  std::set<std::string> before_;
  std::set<std::string> now_;
};

// Lists what `open(call)` streams, in rows that `add(show, message)` makes. Repeats it with --watch.
template <typename Message, typename Open, typename Add>
int List(const GetOptions& options, const char* nouns, const std::vector<Column>& columns, Open open, Add add) {
  Output output;
  std::optional<Listing> listing;  // made for the first row: if sluiced does not answer, no empty list is shown
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
    std::vector<Json> rows;  // if they must be sorted
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

// In get_policies.cc.
int GetEndpoints(const GetOptions& options, Stub& stub);
int GetPolicies(const GetOptions& options, Stub& stub);
int GetRules(const GetOptions& options, Stub& stub);
int GetUnused(const GetOptions& options, Stub& stub);

// In get_traffic.cc.
int GetFlows(const GetOptions& options, Stub& stub);
int GetPorts(const GetOptions& options, Stub& stub);
int GetWorkers(const GetOptions& options, Stub& stub);
int GetDrops(const GetOptions& options, Stub& stub);

// In get_names.cc.
int GetNames(const GetOptions& options, Stub& stub);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_GET_H_
