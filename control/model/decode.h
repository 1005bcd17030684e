// From an object's tree to the model: the one decoder, whether the bytes came from a file or from the API server.
// Applies defaults (NP-10 to NP-13, NP-17, NP-33), validates (NP-14, NP-15) and is strict as the API server's strict
// field validation is: an unknown field of a NetworkPolicy, of its metadata or selectors is an error, and so is a key
// given twice anywhere. Of Pods, Nodes and Namespaces only the fields that policy needs are read. Pure functions; any
// thread.
#ifndef SLUICE_CONTROL_MODEL_DECODE_H_
#define SLUICE_CONTROL_MODEL_DECODE_H_

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/field.h"
#include "model/objects.h"
#include "model/value.h"
#include "sluice/diagnostic.h"

namespace sluice {

// What names an object among all others.
struct ObjectKey {
  std::string kind;
  std::string namespace_name;  // empty where the kind has no namespace
  std::string name;

  // "NetworkPolicy default/web"
  std::string ToString() const;

  friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
};

struct TypeMeta {
  std::string api_version;
  std::string kind;
};

struct FieldLines;

struct DecodedObject {
  enum class Outcome : std::uint8_t {
    kAccepted,
    kRefused,  // errors say why
    kSkipped,  // a kind that Sluice does not read; a note says so
    kKept,     // refused or unreadable now; `object` is its last good version. Only of a ManifestSource.
  };

  Outcome outcome = Outcome::kRefused;
  // Refused, and what stands for it may bind less than it was meant to: its namespace, a Pod's or Namespace's labels,
  // or a ClusterPolicy's tier or subject, cannot be read at all.
  bool unclear = false;
  std::uint32_t line = 0;
  // Of what it was meant to be: the kind is one of ours also where it is mistyped. Empty kind or name: not readable.
  ObjectKey key;
  // The object. Of a refused one: what stands for it where it has no last good version (NP-16), or nothing if it is
  // none of ours, or staged. A NetworkPolicy then isolates its pods; of its selector, what cannot be read is
  // left out, so that it selects the more. A ClusterPolicy has no Accepts then. A Pod, Node or Namespace lacks what
  // cannot be read. It may be there without a name.
  std::variant<std::monostate, Namespace, NodeObject, Pod, NetworkPolicy, ClusterPolicy, StagedNetworkPolicy,
               StagedClusterPolicy>
      object;
  // Of a ClusterPolicy: the fields that this version does not know or support, which failed closed (CNP-08).
  std::vector<std::string> failed_closed;
  // Where its fields stand, if its reader was asked to keep that (manifest/field_lines.h); the decoder leaves it alone.
  std::shared_ptr<const FieldLines> lines;
};

// Decodes `object`, which is in `tree` (its root, or an item of a list). `item_type` is what an item that names no
// type of its own inherits from its list (items of a PodList). Appends to `diagnostics`, under `file`.
DecodedObject DecodeObject(const ValueTree& tree, const Value& object, const TypeMeta& item_type,
                           const std::string& file, Diagnostics& diagnostics, Origin origin = Origin::kManifest);

// True iff the kind ends in "List", in upper or lower case: kubectl takes what has items for a list, whatever its kind.
bool IsListKind(std::string_view kind);
// True iff the object is a list of objects: it is a List, or of another list's kind with `items`.
bool IsObjectList(const Value& object);
// What the items of such a list inherit: {"v1", "Pod"} of a PodList; nothing of a plain List.
TypeMeta ItemTypeOf(const Value& list);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MODEL_DECODE_H_
