// An ObjectSink that keeps what the cluster holds, as any consumer must.
#ifndef SLUICE_TESTS_KUBE_RECORDING_SINK_H_
#define SLUICE_TESTS_KUBE_RECORDING_SINK_H_

#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "kube/object_sink.h"

namespace sluice {

class RecordingSink : public ObjectSink {
 public:
  // "default/web", or a name alone.
  using Objects = std::map<std::string, ReceivedObject>;

  void OnReplaceBegin(Resource resource) override {
    Kept& kept = Of(resource);
    kept.replacing = true;
    kept.named.clear();
    kept.before.clear();
    for (const auto& [name, object] : kept.objects) kept.before.insert(name);
    ++Of(resource).replacements_begun;
  }

  void OnReplaceEnd(Resource resource) override {
    Kept& kept = Of(resource);
    kept.removed += static_cast<int>(
        std::erase_if(kept.objects, [&kept](const auto& entry) { return !kept.named.contains(entry.first); }));
    kept.replacing = false;
    ++kept.replacements;
  }

  bool Holds(Resource resource) const override { return !kept_[static_cast<std::size_t>(resource)].objects.empty(); }
  Removal RemovalOf(Resource resource) const override {
    const Kept& kept = kept_[static_cast<std::size_t>(resource)];
    Removal removal;
    removal.known = kept.before.size();
    for (const auto& [name, object] : kept.objects) removal.unnamed += !kept.named.contains(name);
    return removal;
  }

  void OnUpsert(Resource resource, ReceivedObject object, const Arrival& arrival) override {
    const std::string name = NameOf(object.decoded.key);
    last_arrival = arrival;
    ++Of(resource).upserts;
    if (Of(resource).replacing) Of(resource).named.insert(name);
    Of(resource).objects[name] = std::move(object);
  }

  void OnDelete(Resource resource, const ObjectKey& key, const Arrival&) override {
    ++Of(resource).deletes;
    Of(resource).objects.erase(NameOf(key));
  }

  void OnTrouble(Resource, const std::string& message) override { troubles.push_back(message); }
  void OnNotice(Resource, const std::string& message) override { notices.push_back(message); }
  void OnRecovered(Resource) override { ++recoveries; }

  const Objects& objects(Resource resource) const { return kept_[static_cast<std::size_t>(resource)].objects; }
  bool Has(Resource resource, const std::string& name) const { return objects(resource).contains(name); }
  int replacements(Resource resource) const { return kept_[static_cast<std::size_t>(resource)].replacements; }
  int replacements_begun(Resource resource) const {
    return kept_[static_cast<std::size_t>(resource)].replacements_begun;
  }
  int upserts(Resource resource) const { return kept_[static_cast<std::size_t>(resource)].upserts; }
  // By the ends of replacements.
  int removed(Resource resource) const { return kept_[static_cast<std::size_t>(resource)].removed; }
  int deletes(Resource resource) const { return kept_[static_cast<std::size_t>(resource)].deletes; }

  std::vector<std::string> troubles;
  std::vector<std::string> notices;
  int recoveries = 0;
  Arrival last_arrival;

 private:
  struct Kept {
    Objects objects;
    std::set<std::string> named;
    std::set<std::string> before;  // the replacement
    bool replacing = false;
    int replacements_begun = 0;
    int replacements = 0;
    int upserts = 0;
    int deletes = 0;
    int removed = 0;
  };

  static std::string NameOf(const ObjectKey& key) {
    return key.namespace_name.empty() ? key.name : key.namespace_name + '/' + key.name;
  }
  Kept& Of(Resource resource) { return kept_[static_cast<std::size_t>(resource)]; }

  std::array<Kept, kAllResourceCount> kept_;
};

}  // namespace sluice

#endif  // SLUICE_TESTS_KUBE_RECORDING_SINK_H_
