#include "sluice-sync/local_pods.h"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace sluice {

Pod LocalPods::Seen(const Entry& entry) {
  Pod pod = entry.object;
  if (!entry.outdated) return pod;
  pod.addresses.clear();
  for (const auto& [key, addresses] : entry.attachments) {
    pod.addresses.insert(pod.addresses.end(), addresses.begin(), addresses.end());
  }
  // The node gives its addresses, and gave them to it last: another pod that claims one has lost it (NP-83).
  if (!entry.attachments.empty()) pod.created = std::numeric_limits<std::int64_t>::max();
  return pod;
}

Pod LocalPods::Note(const Pod& object, const std::string& uid) {
  const Key key(object.namespace_name, object.name);
  if (object.node != node_) {
    pods_.erase(key);
    return object;
  }
  Entry& entry = pods_[key];
  if (entry.uid != uid) entry = {};  // another pod of that name: it does not own the old one's addresses
  if (entry.outdated && *entry.outdated != object.addresses) entry.outdated.reset();
  entry.object = object;
  entry.uid = uid;
  return Seen(entry);
}

void LocalPods::Forget(const std::string& namespace_name, const std::string& name) {
  pods_.erase({namespace_name, name});
}

const LocalPods::Entry* LocalPods::Find(const Attachment& attachment) const {
  const auto found = pods_.find({attachment.namespace_name, attachment.name});
  if (found == pods_.end()) return nullptr;
  const std::string& uid = found->second.uid;
  return uid.empty() || attachment.uid.empty() || uid == attachment.uid ? &found->second : nullptr;
}

bool LocalPods::Knows(const Attachment& attachment) const { return Find(attachment) != nullptr; }

bool LocalPods::Holds(const Attachment& attachment) const {
  const Entry* const entry = Find(attachment);
  if (entry == nullptr) return false;
  const std::vector<IpAddress> held = Seen(*entry).addresses;
  return std::all_of(attachment.addresses.begin(), attachment.addresses.end(), [&](const IpAddress& address) {
    return std::find(held.begin(), held.end(), address) != held.end();
  });
}

bool LocalPods::Attach(const Attachment& attachment, ClusterResolver& resolver) {
  if (!Knows(attachment)) return false;
  Entry& entry = pods_.at({attachment.namespace_name, attachment.name});
  entry.attachments[attachment.key] = attachment.addresses;
  entry.outdated = entry.object.addresses;
  resolver.Upsert(Seen(entry));
  return true;
}

void LocalPods::Detach(const AttachmentKey& key, ClusterResolver& resolver) {
  for (auto& [name, entry] : pods_) {
    if (entry.attachments.erase(key) == 0) continue;
    if (entry.attachments.empty()) entry.outdated = entry.object.addresses;
    resolver.Upsert(Seen(entry));
  }
}

void LocalPods::DetachAllBut(const std::set<AttachmentKey>& keys, ClusterResolver& resolver) {
  std::vector<AttachmentKey> gone;
  for (const auto& [name, entry] : pods_) {
    for (const auto& [key, addresses] : entry.attachments) {
      if (!keys.contains(key)) gone.push_back(key);
    }
  }
  for (const AttachmentKey& key : gone) Detach(key, resolver);
}

}  // namespace sluice
