// Receives the cluster's objects.
#ifndef SLUICE_CONTROL_KUBE_OBJECT_SINK_H_
#define SLUICE_CONTROL_KUBE_OBJECT_SINK_H_

#include <chrono>
#include <cstddef>
#include <string>

#include "kube/object_reader.h"
#include "kube/resource.h"
#include "model/decode.h"

namespace sluice {

// When bytes came from the API server: by a clock that never jumps, and by the clock that time stamps use.
struct Arrival {
  std::chrono::steady_clock::time_point steady;
  std::chrono::system_clock::time_point wall;
};

// What a replacement would remove if it ended now.
struct Removal {
  std::size_t known = 0;    // objects that were known before it began
  std::size_t unnamed = 0;  // known objects that it has not named
};

// Called in the thread of KubeSource::Poll, in the order in which the API server sent things; must not throw.
class ObjectSink {
 public:
  virtual ~ObjectSink() = default;

  // From now on, all objects of the resource are named. At OnReplaceEnd, objects that were not named are gone; until
  // then they stay. Another OnReplaceBegin before the end starts this over: objects that were named since the last one
  // are kept as they are, but count as not yet named.
  virtual void OnReplaceBegin(Resource resource) = 0;
  virtual void OnReplaceEnd(Resource resource) = 0;
  // Between the two: what OnReplaceEnd would remove.
  virtual Removal RemovalOf(Resource resource) const = 0;
  // Whether any object of the resource is known.
  virtual bool Holds(Resource) const { return true; }

  // An object that is new, changed, or (in a replacement) the same: see its resource_version. Refused ones come, too.
  virtual void OnUpsert(Resource resource, ReceivedObject object, const Arrival& arrival) = 0;
  virtual void OnDelete(Resource resource, const ObjectKey& key, const Arrival& arrival) = 0;

  // Nothing comes for now; what is known stays in force. Says why, and what helps. Not repeated while it is the same.
  virtual void OnTrouble(Resource resource, const std::string& message) = 0;
  // Something that people should know, although it stops nothing: a list that removes much.
  virtual void OnNotice(Resource resource, const std::string& message) = 0;
  // The first contact after OnTrouble.
  virtual void OnRecovered(Resource resource) = 0;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_OBJECT_SINK_H_
