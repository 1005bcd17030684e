// From an object's tree to the model: the one decoder, whether the bytes came from a file or from the API server.
// It applies defaults (NP-10 to NP-13, NP-17, NP-33), validates (NP-14, NP-15), and is as strict as the API
// server's strict field validation. An unknown field of a NetworkPolicy, of its metadata or of its selectors is an
// error, and so is a key given twice anywhere. Of Pods, Nodes and Namespaces, it reads only the fields that policy
// needs. Pure functions; any thread.
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

// Identifies an object among all others.
struct ObjectKey {
  std::string kind;
  std::string namespace_name;  // empty if the kind has no namespace
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
    kKept,     // refused or unreadable now; `object` is its last good version. Only from a ManifestSource
  };

  Outcome outcome = Outcome::kRefused;
  // The object is refused, and its stand-in may bind less than the object was meant to: its namespace, the labels of a
  // Pod or Namespace, or the tier or subject of a ClusterPolicy cannot be read at all.
  bool unclear = false;
  std::uint32_t line = 0;
  // What the object was meant to be: a mistyped kind of ours becomes the right one. Empty kind or name: not readable.
  ObjectKey key;
  // The object. For a refused one: its stand-in, if it has no last good version (NP-16), or nothing if it is none of
  // ours or staged. A NetworkPolicy then isolates its pods; what cannot be read of its selector is left out, so that it
  // selects more pods. A ClusterPolicy then has no Accepts. A Pod, Node or Namespace lacks what cannot be read. A
  // stand-in may have no name.
  std::variant<std::monostate, Namespace, NodeObject, Pod, NetworkPolicy, ClusterPolicy, StagedNetworkPolicy,
               StagedClusterPolicy>
      object;
  // For a ClusterPolicy: the fields that this version does not know or support, which failed closed (CNP-08).
  std::vector<std::string> failed_closed;
  // The lines of its fields, if the reader was asked for them (manifest/field_lines.h). The decoder does not touch it.
  std::shared_ptr<const FieldLines> lines;
};

// Decodes `object`, which is in `tree` (the root, or an item of a list). If an item has no type, it inherits
// `item_type` from its list (items of a PodList). Appends to `diagnostics`, under `file`.
DecodedObject DecodeObject(const ValueTree& tree, const Value& object, const TypeMeta& item_type,
                           const std::string& file, Diagnostics& diagnostics, Origin origin = Origin::kManifest);

// True iff the kind ends in "List", in upper or lower case. kubectl takes any object with items for a list.
bool IsListKind(std::string_view kind);
// True iff the object is a list of objects: a List, or an object of another list kind that has `items`.
bool IsObjectList(const Value& object);
// The type that the items of such a list inherit: {"v1", "Pod"} from a PodList; nothing from a plain List.
TypeMeta ItemTypeOf(const Value& list);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MODEL_DECODE_H_
