// The pods of this node as policy should see them: the API server's objects, with the addresses that the network plugin
// gave or took since.
//
// A pod's addresses reach the API server about a second after its containers start. So addresses from the CNI plugin
// are valid until the API server's object has other addresses than it had then. Likewise, a pod whose last attachment
// was removed has no address.
//
// Not safe to share between threads: everything here happens under the feed's lock (PolicyFeed::Change, Await).
#ifndef SLUICE_PROGRAMS_SLUICE_SYNC_LOCAL_PODS_H_
#define SLUICE_PROGRAMS_SLUICE_SYNC_LOCAL_PODS_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cni/attachment.h"
#include "model/objects.h"
#include "resolve/cluster_resolver.h"

namespace sluice {

class LocalPods {
 public:
  explicit LocalPods(std::string node) : node_(std::move(node)) {}

  // Takes the object's new version from its source; `uid` is empty if the source does not tell it. Returns the pod as
  // policy should see it, for the resolver.
  Pod Note(const Pod& object, const std::string& uid);
  void Forget(const std::string& namespace_name, const std::string& name);

  // Whether the attachment's pod is known. A pod with another uid does not count.
  bool Knows(const Attachment& attachment) const;
  // Whether the pod is known by the attachment's addresses.
  bool Holds(const Attachment& attachment) const;
  // Tells the resolver what changes. False: the pod is not known (any more).
  bool Attach(const Attachment& attachment, ClusterResolver& resolver);
  // Does nothing if the attachment is unknown.
  void Detach(const AttachmentKey& key, ClusterResolver& resolver);
  void DetachAllBut(const std::set<AttachmentKey>& keys, ClusterResolver& resolver);

 private:
  struct Entry {
    Pod object;
    std::string uid;
    std::map<AttachmentKey, std::vector<IpAddress>> attachments;
    // The object's addresses at the last attach or detach: while it has these, the attachments' addresses are valid.
    std::optional<std::vector<IpAddress>> outdated;
  };
  using Key = std::pair<std::string, std::string>;  // namespace, name

  const Entry* Find(const Attachment& attachment) const;
  static Pod Seen(const Entry& entry);

  const std::string node_;
  std::map<Key, Entry> pods_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICE_SYNC_LOCAL_PODS_H_
