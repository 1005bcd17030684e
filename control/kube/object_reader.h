// Reads what the API server sends, one JSON object at a time, by the decoder that manifests are read by. Fields that
// policy has no use for (most of a Pod) are skipped in the text and never become values.
#ifndef SLUICE_CONTROL_KUBE_OBJECT_READER_H_
#define SLUICE_CONTROL_KUBE_OBJECT_READER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kube/api_status.h"
#include "kube/resource.h"
#include "model/decode.h"
#include "sluice/diagnostic.h"

namespace sluice {

struct ReceivedObject {
  DecodedObject decoded;
  Diagnostics diagnostics;  // errors where it was refused; `file` is the API server's URL
  std::string uid;
  std::string resource_version;
  std::int64_t generation = 0;  // of its spec; 0: the API server counts none for it
  // When the API server last wrote it: the newest of metadata.managedFields[].time and metadata.creationTimestamp.
  // The API has whole seconds (rounded down) and no better clock; seconds since 1970, 0 where not known.
  std::int64_t changed_s = 0;
};

// metav1.WatchEvent.
struct WatchEvent {
  enum class Type : std::uint8_t { kAdded, kModified, kDeleted, kBookmark, kError, kUnreadable };

  Type type = Type::kUnreadable;
  ReceivedObject object;           // kAdded, kModified; of kDeleted the key and the version alone
  std::string resource_version;    // of kBookmark
  bool ends_initial_list = false;  // kBookmark annotated k8s.io/initial-events-end
  ApiStatus status;                // kError
  std::string why;                 // kUnreadable
};

// What a list says beside its items: metav1.TypeMeta and ListMeta.
struct ListMeta {
  enum class Type : std::uint8_t {
    kRight,    // of the list of the reader's resource
    kWrong,    // of something else
    kUnknown,  // it does not say, so far
  };

  Type type = Type::kUnknown;
  // What keeps it from being the list that was asked for; empty: nothing does.
  std::string why;
  std::string resource_version;
  std::string continue_token;
};

// Reads objects of one resource, and nothing else: an answer of another kind is never taken for one of this. Not safe
// to share between threads. Texts given to it are readable kJsonPadding bytes past their end. What it says of a text
// is fit for a log (printable.h).
class ObjectReader {
 public:
  // `origin` stands for the file in diagnostics. `api_version`: of the objects, where it is another than InfoOf has.
  ObjectReader(Resource resource, std::string origin, std::string api_version = {});
  ~ObjectReader();
  ObjectReader(const ObjectReader&) = delete;
  ObjectReader& operator=(const ObjectReader&) = delete;

  // The object of an event names its kind and apiVersion, which must be the resource's (of kError: Status); else the
  // event is kUnreadable.
  WatchEvent ReadEvent(std::string_view json);
  // An entry of a list: its kind and apiVersion count where it names them. Nothing: it is no object of the resource, or
  // has no name, as `why` says. An object that is merely refused has a key.
  std::optional<ReceivedObject> ReadItem(std::string_view json, std::string& why);
  // A list less its items. It is the one that was asked for only if its kind and apiVersion are, `items` is an array or
  // null, and it has a resourceVersion.
  ListMeta ReadListMeta(const std::string& json);

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_OBJECT_READER_H_
