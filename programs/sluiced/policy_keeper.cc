#include "sluiced/policy_keeper.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>

#include "manifest/kept_manifests.h"
#include "manifest/staged_folder.h"
#include "resolve/resolve.h"

namespace sluice {
namespace {

std::string Changes(const TableStats& before, const TableStats& after) {
  std::string text;
  const auto compare = [&text](const char* name, std::uint64_t was, std::uint64_t is) {
    if (was == is) return;
    text += (text.empty() ? "" : ", ") + std::string(name) + ' ' + std::to_string(was) + " -> " + std::to_string(is);
  };
  compare("rules", before.rules, after.rules);
  compare("sections", before.sections, after.sections);
  compare("groups", before.groups, after.groups);
  compare("addresses", before.addresses, after.addresses);
  compare("cidr cells", before.cidr_cells, after.cidr_cells);
  return text;
}

class KeptReader final : public StateReader {
 public:
  std::optional<std::string> Add(std::string_view record) override {
    return decoder_.Add(record) ? std::nullopt : std::optional("what it holds is another version's,");
  }
  bool complete() const override { return decoder_.complete(); }
  std::vector<std::string> Fold() const override { return {}; }  // nothing is ever appended
  KeptManifests Take() { return decoder_.Take(); }

 private:
  KeptManifestsDecoder decoder_;
};

}  // namespace

StateSettings ManifestStateSettings(std::string folder, std::string run_folder) {
  return {std::move(folder), std::move(run_folder), "sluice manifests 1\n",
          [] { return std::make_unique<KeptReader>(); }};
}

PolicyKeeper::PolicyKeeper(std::vector<std::string> paths, std::vector<std::string> staged, Broken broken,
                           PolicyIntake& intake)
    : has_paths_(!paths.empty()),
      has_staged_(!staged.empty()),
      broken_(broken),
      source_(std::move(paths)),
      staged_(std::move(staged)),
      intake_(intake) {}

int PolicyKeeper::TimeoutMs() const {
  constexpr int kBusyMs = 10;
  if (busy() || asked_) return busy() ? kBusyMs : 0;
  return has_staged_ ? std::min(source_.TimeoutMs(), staged_.TimeoutMs()) : source_.TimeoutMs();
}

std::optional<Reload> PolicyKeeper::Step() {
  if (busy()) {
    if (reload_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return std::nullopt;
    return reload_.get();
  }
  const bool restaged = has_staged_ && staged_.ConsumeEvents();
  const bool changed = source_.ConsumeEvents() || restaged;
  if (!changed && !asked_) return std::nullopt;
  asked_ = false;
  std::packaged_task<Reload()> update([this] { return Update(); });
  reload_ = update.get_future();
  std::thread(std::move(update)).detach();
  return std::nullopt;
}

Reload PolicyKeeper::Update() {
  Reload update;
  const auto start = std::chrono::steady_clock::now();
  Remember(update.diagnostics);
  Manifests manifests = source_.Load();
  std::move(manifests.diagnostics.begin(), manifests.diagnostics.end(), std::back_inserter(update.diagnostics));
  if (broken_ == Broken::kNoPolicy && !intake_.store().table()->has_policy() && !manifests.unread.empty()) {
    Diagnostics reasons;
    for (const std::string& path : manifests.unread) {
      const std::string why =
          "cannot be read whole, and what it held before is not known: there is no policy until it can be read, or "
          "skip_broken_manifests is set";
      update.diagnostics.push_back({Severity::kError, path, 0, {}, {}, why});
      reasons.push_back({Severity::kError, {}, 0, "manifest " + path, {}, why});
    }
    intake_.RefuseManifests(std::move(reasons));
    return update;
  }
  Stage(manifests, update.diagnostics);
  if (auto refusal = intake_.ReplaceByManifests(Resolve(manifests.cluster, &update.diagnostics))) {
    update.diagnostics.push_back(std::move(*refusal));
    return update;
  }
  Keep(update.diagnostics);
  update.table = intake_.store().table();
  update.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  update.changes = Changes(last_, update.table->stats());
  last_ = update.table->stats();
  return update;
}

// A broken staged file stages nothing, and does not keep policy from going into force.
void PolicyKeeper::Stage(Manifests& manifests, Diagnostics& diagnostics) {
  if (!has_staged_) return;
  Manifests folder = staged_.Load();
  StagedSet staged = StagedIn(folder, &folder.diagnostics);
  std::move(staged.policies.begin(), staged.policies.end(), std::back_inserter(manifests.cluster.staged));
  std::move(staged.cluster_policies.begin(), staged.cluster_policies.end(),
            std::back_inserter(manifests.cluster.staged_cluster));
  std::move(folder.diagnostics.begin(), folder.diagnostics.end(), std::back_inserter(diagnostics));
}

// Runs once, before the first look at the manifests.
void PolicyKeeper::Remember(Diagnostics& diagnostics) {
  if (std::exchange(remembered_, true)) return;
  KeptReader reader;
  auto loaded = intake_.LoadKept(reader);
  if (auto* why = std::get_if<std::string>(&loaded)) {
    diagnostics.push_back({Severity::kWarning, {}, 0, {}, {}, std::move(*why)});
  } else if (std::get<bool>(loaded)) {
    source_.Remember(reader.Take());
  }
}

void PolicyKeeper::Keep(Diagnostics& diagnostics) {
  if (!intake_.keeps()) return;
  std::vector<std::string> records = source_.Records();
  std::vector<std::size_t> hashes;
  for (const std::string& record : records) hashes.push_back(std::hash<std::string>()(record));
  if (std::exchange(kept_, hashes) == hashes) return;
  std::string why = intake_.KeepManifests(std::move(records));
  if (!why.empty()) diagnostics.push_back({Severity::kWarning, {}, 0, {}, {}, std::move(why)});
}

}  // namespace sluice
