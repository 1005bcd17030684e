// Who hears of the cluster's objects.
#ifndef SLUICE_CONTROL_KUBE_OBJECT_SINK_H_
#define SLUICE_CONTROL_KUBE_OBJECT_SINK_H_

#include <chrono>
#include <cstddef>
#include <string>

#include "kube/object_reader.h"
#include "kube/resource.h"
#include "model/decode.h"

namespace sluice {

// When bytes came from the API server, by a clock that never jumps, and by the one that its time stamps are of.
struct Arrival {
  std::chrono::steady_clock::time_point steady;
  std::chrono::system_clock::time_point wall;
};

// What a replacement would take away if it ended now.
struct Removal {
  std::size_t known = 0;    // objects that were known before it began
  std::size_t unnamed = 0;  // those of them that it has not named
};

// Called in the thread of KubeSource::Poll, in the order in which the API server sent things; must not throw.
class ObjectSink {
 public:
  virtual ~ObjectSink() = default;

  // All objects of the resource are about to be named. Those that are not named until OnReplaceEnd are gone; until then
  // they stay. Another OnReplaceBegin before the end starts that over: what was named since the last one is kept as it
  // is, but counts as not yet named.
  virtual void OnReplaceBegin(Resource resource) = 0;
  virtual void OnReplaceEnd(Resource resource) = 0;
  // Between the two: what OnReplaceEnd would remove.
  virtual Removal RemovalOf(Resource resource) const = 0;
  // Whether any object of the resource is known.
  virtual bool Holds(Resource) const { return true; }

  // An object that is new, changed, or (in a replacement) as it was: resource_version tells. Refused ones come too.
  virtual void OnUpsert(Resource resource, ReceivedObject object, const Arrival& arrival) = 0;
  virtual void OnDelete(Resource resource, const ObjectKey& key, const Arrival& arrival) = 0;

  // Nothing comes for now; what is known stays in force. Says why and what helps; not repeated while it is the same.
  virtual void OnTrouble(Resource resource, const std::string& message) = 0;
  // Something that people should know of, though it stops nothing: a list that takes much away.
  virtual void OnNotice(Resource resource, const std::string& message) = 0;
  // The first contact after OnTrouble.
  virtual void OnRecovered(Resource resource) = 0;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_OBJECT_SINK_H_
