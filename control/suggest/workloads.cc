#include "suggest/workloads.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

namespace sluice {
namespace {

// Labels that controllers add, and that differ from pod to pod or from rollout to rollout.
constexpr std::array<std::string_view, 11> kMadeByControllers = {
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-completion-index",
    "batch.kubernetes.io/job-name",
    "controller-revision-hash",
    "controller-uid",
    "job-name",
    "pod-template-generation",
    "pod-template-hash",
    "statefulset.kubernetes.io/pod-name",
    "rollouts-pod-template-hash",
};

// Labels by which people name a workload, the best ones first.
constexpr std::array<std::string_view, 8> kNaming = {
    "app.kubernetes.io/name",     "app",  "k8s-app", "app.kubernetes.io/component", "component",
    "app.kubernetes.io/instance", "role", "tier"};

// Useless in a selector: they change with each release.
constexpr std::array<std::string_view, 4> kPassing = {"app.kubernetes.io/version", "version", "helm.sh/chart", "chart"};

template <std::size_t N>
bool IsOneOf(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Labels Lasting(const Labels& labels) {
  Labels lasting;
  for (const auto& label : labels) {
    if (!IsOneOf(kMadeByControllers, label.first)) lasting.push_back(label);
  }
  return lasting;
}

std::size_t RankOf(std::string_view key) {
  if (IsOneOf(kPassing, key)) return kNaming.size() + 1;
  return static_cast<std::size_t>(std::find(kNaming.begin(), kNaming.end(), key) - kNaming.begin());
}

Labels ByRank(Labels labels) {
  std::stable_sort(labels.begin(), labels.end(),
                   [](const auto& a, const auto& b) { return RankOf(a.first) < RankOf(b.first); });
  return labels;
}

bool Has(const Labels& labels, const std::pair<std::string, std::string>& label) {
  return std::binary_search(labels.begin(), labels.end(), label);
}

// RFC 1123: lower-case letters, digits and dashes, a letter or digit at both ends.
std::string DnsLabel(std::string_view text) {
  constexpr std::size_t kMost = 40;
  std::string label;
  for (const char c : text) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool fine = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    if (fine) label += lower;
    if (!fine && !label.empty() && label.back() != '-') label += '-';
    if (label.size() == kMost) break;
  }
  while (!label.empty() && label.back() == '-') label.pop_back();
  return label;
}

}  // namespace

Workloads::Workloads(const Cluster& cluster) {
  std::map<std::pair<std::string, std::string>, Labels> shared;  // by namespace and owner: labels of all its pods
  for (const Pod& pod : cluster.pods) {
    if (pod.host_network || pod.finished() || pod.workload.empty()) continue;
    const auto [labels, added] = shared.try_emplace({pod.namespace_name, pod.workload}, Lasting(pod.labels));
    if (!added) std::erase_if(labels->second, [&](const auto& label) { return !Has(pod.labels, label); });
  }
  for (const Pod& pod : cluster.pods) {
    if (pod.host_network || pod.finished()) continue;
    const Labels labels = pod.workload.empty() ? Lasting(pod.labels) : shared.at({pod.namespace_name, pod.workload});
    Workload& workload = workloads_[{pod.namespace_name, labels}];
    workload.pods.push_back(&pod);
    if (!pod.workload.empty()) workload.owners.insert(pod.workload);
    for (const IpAddress& address : pod.addresses) by_address_[address] = {&workload, &pod};
  }
  for (auto& [key, workload] : workloads_) std::tie(workload.namespace_name, workload.labels) = key;
  NameAll();
  SelectAll();
}

void Workloads::NameAll() {
  std::map<std::string, std::set<std::string>> taken;  // by namespace
  for (auto& [key, workload] : workloads_) {
    const Labels labels = ByRank(workload.labels);
    std::string name = labels.empty() ? "" : DnsLabel(labels.front().second);
    if (name.empty()) name = labels.empty() ? "unlabelled" : "workload";
    workload.name = name;
    for (int i = 2; !taken[workload.namespace_name].insert(workload.name).second; ++i) {
      workload.name = name + '-' + std::to_string(i);
    }
  }
}

void Workloads::SelectAll() {
  for (auto& [key, workload] : workloads_) {
    std::vector<const Labels*> others;  // of the namespace's other workloads that are still selected
    for (const Workload* other : Of(workload.namespace_name)) {
      if (other != &workload) others.push_back(&other->labels);
    }
    for (const auto& label : ByRank(workload.labels)) {
      const auto lacks = [&](const Labels* labels) { return !Has(*labels, label); };
      const bool tells = std::any_of(others.begin(), others.end(), lacks);
      if (!tells && !(others.empty() && workload.selector.requirements.empty())) continue;
      workload.selector.requirements.push_back({label.first, LabelRequirement::Operator::kIn, {label.second}});
      std::erase_if(others, lacks);
    }
    std::sort(workload.selector.requirements.begin(), workload.selector.requirements.end());
    workload.selects_others = !others.empty();
  }
}

const Workload* Workloads::At(const IpAddress& address) const {
  const auto known = by_address_.find(address);
  return known == by_address_.end() ? nullptr : known->second.first;
}

const Pod* Workloads::PodAt(const IpAddress& address) const {
  const auto known = by_address_.find(address);
  return known == by_address_.end() ? nullptr : known->second.second;
}

std::vector<const Workload*> Workloads::Of(const std::string& namespace_name) const {
  std::vector<const Workload*> found;
  for (auto entry = workloads_.lower_bound({namespace_name, {}});
       entry != workloads_.end() && entry->first.first == namespace_name; ++entry) {
    found.push_back(&entry->second);
  }
  std::sort(found.begin(), found.end(), [](const Workload* a, const Workload* b) { return a->name < b->name; });
  return found;
}

}  // namespace sluice
