// The pods of this node as policy is to see them: as the API server has them, with the addresses that the network
// plugin gave them or took from them since.
//
// A pod's addresses reach the API server a second or so after its containers start. So those that the CNI plugin tells
// of hold until the API server's object has others than it had then. Likewise a pod whose last attachment was taken
// away has none.
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

  // The object as its source has it from now on; `uid` is empty where the source does not say. Returns the pod as
  // policy is to see it, for the resolver.
  Pod Note(const Pod& object, const std::string& uid);
  void Forget(const std::string& namespace_name, const std::string& name);

  // Whether the attachment's pod is known. One of another uid is not it.
  bool Knows(const Attachment& attachment) const;
  // Whether it is known by the attachment's addresses.
  bool Holds(const Attachment& attachment) const;
  // The resolver hears what changes. False: the pod is not known (any more).
  bool Attach(const Attachment& attachment, ClusterResolver& resolver);
  // Of one that is not known: nothing.
  void Detach(const AttachmentKey& key, ClusterResolver& resolver);
  void DetachAllBut(const std::set<AttachmentKey>& keys, ClusterResolver& resolver);

 private:
  struct Entry {
    Pod object;
    std::string uid;
    std::map<AttachmentKey, std::vector<IpAddress>> attachments;
    // What the object had as addresses when it was attached or detached last: while it has, the attachments' hold.
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
