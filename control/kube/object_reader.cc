#include "kube/object_reader.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <limits>
#include <span>
#include <utility>

#include "kube/json_framer.h"
#include "model/node_annotations.h"
#include "model/value.h"
#include "sluice/printable.h"

namespace sluice {
namespace {

constexpr std::size_t kLongestText = 1000;  // for texts of others in a line of our log

namespace ondemand = simdjson::ondemand;

// What to keep of a map: only these keys, and below each key only what it lists. Lists are looked through.
struct Keep {
  std::string_view key;
  std::span<const Keep> below = {};  // empty: everything
};
using Kept = std::span<const Keep>;

constexpr Keep kManagedFields[] = {{"time"}};
constexpr Keep kMetadata[] = {{"name"},
                              {"namespace"},
                              {"labels"},
                              {"uid"},
                              {"resourceVersion"},
                              {"generation"},
                              {"creationTimestamp"},
                              {"managedFields", kManagedFields}};

// Only the name of an object, for an object that is too large.
constexpr Keep kNameMetadata[] = {{"name"}, {"namespace"}, {"uid"}, {"resourceVersion"}};
constexpr Keep kNameOnly[] = {{"kind"}, {"apiVersion"}, {"metadata", kNameMetadata}};

constexpr Keep kNamespace[] = {{"kind"}, {"apiVersion"}, {"metadata", kMetadata}};

// metav1.ObjectMeta of a Node, with the annotations that hold its addresses (NP-72). The other annotations, from
// kubelets and clouds, are many and change often.
constexpr auto kNodeAnnotations = [] {
  std::array<Keep, kNodeAddressAnnotations.size()> kept;
  for (std::size_t i = 0; i < kept.size(); ++i) kept[i] = {kNodeAddressAnnotations[i]};
  return kept;
}();
constexpr auto kNodeMetadata = [] {
  std::array<Keep, std::size(kMetadata) + 1> kept;
  std::copy(std::begin(kMetadata), std::end(kMetadata), kept.begin());
  kept.back() = {"annotations", kNodeAnnotations};
  return kept;
}();
constexpr Keep kNodeSpec[] = {{"podCIDR"}, {"podCIDRs"}};
constexpr Keep kNodeStatus[] = {{"addresses"}};
constexpr Keep kNode[] = {
    {"kind"}, {"apiVersion"}, {"metadata", kNodeMetadata}, {"spec", kNodeSpec}, {"status", kNodeStatus}};

constexpr Keep kOwner[] = {{"kind"}, {"name"}, {"controller"}};
constexpr auto kPodMetadata = [] {
  std::array<Keep, std::size(kMetadata) + 1> kept;
  std::copy(std::begin(kMetadata), std::end(kMetadata), kept.begin());
  kept.back() = {"ownerReferences", kOwner};
  return kept;
}();
constexpr Keep kContainer[] = {{"name"}, {"ports"}, {"restartPolicy"}};
constexpr Keep kPodSpec[] = {{"nodeName"}, {"hostNetwork"}, {"containers", kContainer}, {"initContainers", kContainer}};
constexpr Keep kPodStatus[] = {{"phase"}, {"podIP"}, {"podIPs"}, {"hostIP"}, {"hostIPs"}};
constexpr Keep kPod[] = {
    {"kind"}, {"apiVersion"}, {"metadata", kPodMetadata}, {"spec", kPodSpec}, {"status", kPodStatus}};

// Also for cluster policies.
constexpr Keep kNetworkPolicy[] = {{"kind"}, {"apiVersion"}, {"metadata", kMetadata}, {"spec"}};

Kept KeptOf(Resource resource) {
  switch (resource) {
    case Resource::kNamespaces:
      return kNamespace;
    case Resource::kNodes:
      return kNode;
    case Resource::kPods:
      return kPod;
    case Resource::kNetworkPolicies:
    case Resource::kClusterNetworkPolicies:
    case Resource::kAdminNetworkPolicies:
    case Resource::kBaselineAdminNetworkPolicies:
    case Resource::kStagedNetworkPolicies:
    case Resource::kStagedClusterNetworkPolicies:
    case Resource::kCalicoStagedNetworkPolicies:
      return kNetworkPolicy;
  }
  return {};
}

// The Keep of a map's entry, or null if the entry is not kept. If nothing is listed, everything is kept.
const Keep* FindKept(Kept kept, std::string_view key) {
  static constexpr Keep kAll = {{}};
  if (kept.empty()) return &kAll;
  const auto found = std::find_if(kept.begin(), kept.end(), [key](const Keep& keep) { return keep.key == key; });
  return found == kept.end() ? nullptr : &*found;
}

// Fills `tree` from `value`. Throws simdjson::simdjson_error if the text is no JSON.
void Fill(ondemand::value value, Kept kept, ValueTree& tree) {
  constexpr std::uint32_t kNoPosition = 0;  // nobody counts lines in a response
  if (tree.depth() > ValueTree::kMaxDepth) return;
  switch (value.type()) {
    case ondemand::json_type::object:
      tree.BeginMap(kNoPosition);
      for (auto field : value.get_object()) {
        const std::string_view key = field.unescaped_key();
        const Keep* keep = FindKept(kept, key);
        if (keep == nullptr) continue;
        tree.Key(key, kNoPosition);
        Fill(field.value(), keep->below, tree);
      }
      tree.End();
      break;
    case ondemand::json_type::array:
      tree.BeginList(kNoPosition);
      for (auto item : value.get_array()) Fill(item.value(), kept, tree);
      tree.End();
      break;
    case ondemand::json_type::string:
      tree.String(value.get_string(), kNoPosition);
      break;
    case ondemand::json_type::boolean: {
      const bool boolean = value.get_bool();
      tree.Bool(boolean, boolean ? "true" : "false", kNoPosition);
      break;
    }
    case ondemand::json_type::null:
      tree.Null(kNoPosition);
      break;
    case ondemand::json_type::number: {
      std::string_view text = value.raw_json_token();
      text = text.substr(0, text.find_first_of(" \t\r\n"));
      std::int64_t integer = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), integer);
      if (error == std::errc{} && end == text.data() + text.size()) {
        tree.Integer(integer, text, kNoPosition);
      } else {
        double real = 0;
        if (value.get_double().get(real) != simdjson::SUCCESS) real = std::numeric_limits<double>::infinity();
        tree.Float(real, text, kNoPosition);
      }
      break;
    }
  }
}

std::string_view TextAt(const Value* map, std::string_view key) {
  const Value* value = map == nullptr ? nullptr : map->Find(key);
  return value != nullptr && value->kind == Value::Kind::kString ? value->text : std::string_view();
}

// metav1.Time, which the API server writes in UTC: "2026-01-31T12:00:00Z".
std::int64_t SecondsOf(std::string_view text) {
  std::tm time = {};
  const char* end = strptime(std::string(text).c_str(), "%Y-%m-%dT%H:%M:%SZ", &time);
  return end == nullptr ? 0 : timegm(&time);
}

std::int64_t LastChange(const Value& metadata) {
  // All times have one format and zone, so the texts compare as the times do.
  std::string_view newest = TextAt(&metadata, "creationTimestamp");
  if (const Value* managers = metadata.Find("managedFields"); managers != nullptr) {
    for (const Value* manager = managers->first; manager != nullptr; manager = manager->next) {
      newest = std::max(newest, TextAt(manager, "time"));
    }
  }
  return newest.empty() ? 0 : SecondsOf(newest);
}

WatchEvent::Type TypeOf(std::string_view type) {
  if (type == "ADDED") return WatchEvent::Type::kAdded;
  if (type == "MODIFIED") return WatchEvent::Type::kModified;
  if (type == "DELETED") return WatchEvent::Type::kDeleted;
  if (type == "BOOKMARK") return WatchEvent::Type::kBookmark;
  if (type == "ERROR") return WatchEvent::Type::kError;
  return WatchEvent::Type::kUnreadable;
}

}  // namespace

class ObjectReader::State {
 public:
  State(Resource resource, std::string origin, std::string api_version)
      : kept_(KeptOf(resource)),
        type_{api_version.empty() ? std::string(InfoOf(resource).api_version) : std::move(api_version),
              std::string(InfoOf(resource).kind)},
        origin_(std::move(origin)) {}

  WatchEvent ReadEvent(std::string_view json) {
    WatchEvent event;
    try {
      ondemand::document document = Parse(json);
      const std::string_view type = document["type"].get_string();
      event.type = TypeOf(type);
      const auto object = [&document] { return document["object"].value(); };
      switch (event.type) {
        case WatchEvent::Type::kAdded:
        case WatchEvent::Type::kModified:
        case WatchEvent::Type::kDeleted:
          if (auto received = ReadObject(document, object, /*names_type=*/true, event.why)) {
            event.object = std::move(*received);
          }
          break;
        case WatchEvent::Type::kBookmark:
          Fill(object(), {}, tree_);
          ReadBookmark(event);
          break;
        case WatchEvent::Type::kError:
          ReadError(std::string_view(object().get_object().value().raw_json()), event);
          break;
        case WatchEvent::Type::kUnreadable:
          event.why = "a watch event of the unknown type \"" + Printable(type, kLongestWord) + '"';
          break;
      }
    } catch (const simdjson::simdjson_error& error) {
      event.why = error.error() == simdjson::NO_SUCH_FIELD
                      ? "an answer that is no watch event: it has no type or no object"
                      : std::string("a watch event that is no JSON: ") + error.what();
    }
    if (!event.why.empty()) event.type = WatchEvent::Type::kUnreadable;
    return event;
  }

  std::optional<ReceivedObject> ReadItem(std::string_view json, std::string& why) {
    try {
      ondemand::document document = Parse(json);
      const auto object = [&document] { return document.get_value().value(); };
      return ReadObject(document, object, /*names_type=*/false, why);
    } catch (const simdjson::simdjson_error& error) {
      why = std::string("an entry that is no JSON: ") + error.what();
      return std::nullopt;
    }
  }

  ListMeta ReadListMeta(const std::string& json) {
    ListMeta meta;
    try {
      const simdjson::padded_string padded(json);
      ondemand::document document = Parse(padded);
      Fill(document.get_value(), {}, tree_);
    } catch (const simdjson::simdjson_error& error) {
      meta.why = std::string("the answer is no JSON: ") + error.what();
      return meta;
    }
    if (tree_.root() == nullptr) {
      meta.why = "the answer is no list: " + Printable(tree_.failure(), kLongestText);
      return meta;
    }
    ReadListMeta(*tree_.root(), meta);
    return meta;
  }

 private:
  static constexpr std::size_t kLongestWord = 100;

  ondemand::document Parse(std::string_view json) {
    tree_.Clear();
    return parser_.iterate(simdjson::padded_string_view(json, json.size() + kJsonPadding));
  }

  // Returns a text like `kind "Status" and apiVersion "v1" in place of PodList and v1`. Empty: the type is right.
  // `names_type`: the object must name its type.
  std::string OtherType(const Value& root, const std::string& kind, bool names_type) const {
    const auto fits = [&](std::string_view key, std::string_view wanted) {
      const Value* value = root.Find(key);
      return value == nullptr ? !names_type : value->kind == Value::Kind::kString && value->text == wanted;
    };
    if (root.kind == Value::Kind::kMap && fits("kind", kind) && fits("apiVersion", type_.api_version)) return {};
    return "kind \"" + Printable(TextAt(&root, "kind"), kLongestWord) + "\" and apiVersion \"" +
           Printable(TextAt(&root, "apiVersion"), kLongestWord) + "\" in place of " + kind + " and " +
           type_.api_version;
  }

  // Reads what `object()` yields, which begins the document anew. Nothing: `why` says what is there instead.
  template <typename Object>
  std::optional<ReceivedObject> ReadObject(ondemand::document& document, const Object& object, bool names_type,
                                           std::string& why) {
    Fill(object(), kept_, tree_);
    std::string failure = tree_.failure();
    if (tree_.root() == nullptr) {
      // The object exists, and what was known of it must not count as gone. So it is refused by its name.
      tree_.Clear();
      document.rewind();
      Fill(object(), kNameOnly, tree_);
      if (tree_.root() == nullptr) {
        why = "an object that cannot be read: " + Printable(failure, kLongestText);
        return std::nullopt;
      }
    }
    if (const std::string other = OtherType(*tree_.root(), type_.kind, names_type); !other.empty()) {
      why = "an object with " + other;
      return std::nullopt;
    }
    if (TextAt(tree_.root()->Find("metadata"), "name").empty()) {
      why = "an object without a name";
      return std::nullopt;
    }
    return Decode(failure);
  }

  // `failure`: why only the object's name is known; empty: all of it is.
  ReceivedObject Decode(const std::string& failure) {
    ReceivedObject received;
    received.decoded = DecodeObject(tree_, *tree_.root(), type_, origin_, received.diagnostics, Origin::kApiServer);
    if (!failure.empty()) {
      received.decoded.outcome = DecodedObject::Outcome::kRefused;
      received.decoded.object = {};
      received.diagnostics = {{Severity::kError, origin_, 0, received.decoded.key.ToString(), "", failure}};
    }
    for (Diagnostic& diagnostic : received.diagnostics) {
      for (std::string* text : {&diagnostic.object, &diagnostic.field, &diagnostic.message})
        *text = Printable(*text, kLongestText);
    }
    if (const Value* metadata = tree_.root()->Find("metadata"); metadata != nullptr) {
      received.uid = TextAt(metadata, "uid");
      received.resource_version = TextAt(metadata, "resourceVersion");
      const Value* generation = metadata->Find("generation");
      if (generation != nullptr && generation->kind == Value::Kind::kInteger) received.generation = generation->integer;
      received.changed_s = LastChange(*metadata);
    }
    return received;
  }

  void ReadListMeta(const Value& root, ListMeta& meta) const {
    const std::string list_kind = type_.kind + "List";
    const bool says = root.Find("kind") != nullptr && root.Find("apiVersion") != nullptr;
    const std::string other = OtherType(root, list_kind, /*names_type=*/true);
    meta.type = other.empty() ? ListMeta::Type::kRight : says ? ListMeta::Type::kWrong : ListMeta::Type::kUnknown;
    const Value* metadata = root.Find("metadata");
    meta.resource_version = TextAt(metadata, "resourceVersion");
    meta.continue_token = TextAt(metadata, "continue");
    const Value* items = root.Find("items");
    if (!other.empty()) {
      meta.why = "the answer has " + other;
      const std::string_view message = TextAt(&root, "message");
      if (!message.empty()) meta.why += ": " + Printable(message, kLongestText);
    } else if (items == nullptr) {
      meta.why = "the answer is a " + list_kind + " without items";
    } else if (items->kind != Value::Kind::kList && items->kind != Value::Kind::kNull) {
      meta.why = "the answer is a " + list_kind + " whose items are " + std::string(KindName(items->kind));
    } else if (tree_.has_duplicates()) {
      meta.why = "the answer is a " + list_kind + " that names a field twice";
    } else if (meta.resource_version.empty()) {
      meta.why = "the answer is a " + list_kind + " without metadata.resourceVersion";
    }
  }

  void ReadBookmark(WatchEvent& event) const {
    if (tree_.root() == nullptr) {
      event.why = "a bookmark that cannot be read: " + Printable(tree_.failure(), kLongestText);
      return;
    }
    if (const std::string other = OtherType(*tree_.root(), type_.kind, /*names_type=*/true); !other.empty()) {
      event.why = "a bookmark with " + other;
      return;
    }
    const Value* metadata = tree_.root()->Find("metadata");
    event.resource_version = TextAt(metadata, "resourceVersion");
    if (event.resource_version.empty()) event.why = "a bookmark without a resourceVersion";
    const Value* annotations = metadata == nullptr ? nullptr : metadata->Find("annotations");
    event.ends_initial_list = TextAt(annotations, "k8s.io/initial-events-end") == "true";
  }

  static void ReadError(std::string_view json, WatchEvent& event) {
    event.status = ReadApiStatus(0, json);
    if (!event.status.is_status) event.why = "an ERROR event without a Status: " + event.status.message;
  }

  Kept kept_;
  TypeMeta type_;
  std::string origin_;
  ondemand::parser parser_;
  ValueTree tree_;
};

ObjectReader::ObjectReader(Resource resource, std::string origin, std::string api_version)
    : state_(std::make_unique<State>(resource, std::move(origin), std::move(api_version))) {}
ObjectReader::~ObjectReader() = default;

WatchEvent ObjectReader::ReadEvent(std::string_view json) { return state_->ReadEvent(json); }
std::optional<ReceivedObject> ObjectReader::ReadItem(std::string_view json, std::string& why) {
  return state_->ReadItem(json, why);
}
ListMeta ObjectReader::ReadListMeta(const std::string& json) { return state_->ReadListMeta(json); }

}  // namespace sluice
