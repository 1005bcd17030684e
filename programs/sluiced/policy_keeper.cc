#include "sluiced/policy_keeper.h"

#include <chrono>
#include <thread>
#include <utility>

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

}  // namespace

PolicyKeeper::PolicyKeeper(std::vector<std::string> paths, PolicyIntake& intake)
    : has_paths_(!paths.empty()), source_(std::move(paths)), intake_(intake) {}

int PolicyKeeper::TimeoutMs() const {
  constexpr int kBusyMs = 10;
  return busy() ? kBusyMs : asked_ ? 0 : source_.TimeoutMs();
}

std::optional<Reload> PolicyKeeper::Step() {
  if (busy()) {
    if (reload_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return std::nullopt;
    return reload_.get();
  }
  const bool changed = source_.ConsumeEvents();
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
  Manifests manifests = source_.Load();
  update.diagnostics = std::move(manifests.diagnostics);
  if (auto refusal = intake_.ReplaceByManifests(Resolve(manifests.cluster, &update.diagnostics))) {
    update.diagnostics.push_back(std::move(*refusal));
    return update;
  }
  update.table = intake_.store().table();
  update.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  update.changes = Changes(last_, update.table->stats());
  last_ = update.table->stats();
  return update;
}

}  // namespace sluice
