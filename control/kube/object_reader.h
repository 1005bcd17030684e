// Reads what the API server sends, one JSON object at a time, with the decoder that manifests use. Fields that policy
// does not need (most of a Pod) are skipped in the text and never become values.
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
  Diagnostics diagnostics;  // errors if it was refused; `file` is the API server's URL
  std::string uid;
  std::string resource_version;
  std::int64_t generation = 0;  // of its spec; 0: the API server does not count it
  // When the API server last wrote it: the newest of metadata.managedFields[].time and metadata.creationTimestamp. The
  // API has whole seconds (rounded down) and no better clock. Seconds since 1970; 0: not known.
  std::int64_t changed_s = 0;
};

// metav1.WatchEvent.
struct WatchEvent {
  enum class Type : std::uint8_t { kAdded, kModified, kDeleted, kBookmark, kError, kUnreadable };

  Type type = Type::kUnreadable;
  ReceivedObject object;           // kAdded, kModified; for kDeleted only the key and the version
  std::string resource_version;    // for kBookmark
  bool ends_initial_list = false;  // kBookmark annotated k8s.io/initial-events-end
  ApiStatus status;                // kError
  std::string why;                 // kUnreadable
};

// What a list says outside its items: metav1.TypeMeta and ListMeta.
struct ListMeta {
  enum class Type : std::uint8_t {
    kRight,    // a list of the reader's resource
    kWrong,    // something else
    kUnknown,  // the text so far does not say
  };

  Type type = Type::kUnknown;
  // Why it is not the list that was asked for; empty: it is.
  std::string why;
  std::string resource_version;
  std::string continue_token;
};

// Reads objects of one resource and nothing else: an answer of another kind is never taken for one of this. Not safe to
// share between threads. Texts that it gets must be readable kJsonPadding bytes past their end. What it says about a
// text is safe to log (printable.h).
class ObjectReader {
 public:
  // `origin` stands for the file in diagnostics. `api_version`: of the objects, if it is not the one of InfoOf.
  ObjectReader(Resource resource, std::string origin, std::string api_version = {});
  ~ObjectReader();
  ObjectReader(const ObjectReader&) = delete;
  ObjectReader& operator=(const ObjectReader&) = delete;

  // The object of an event must name its kind and apiVersion, and they must be the resource's (for kError: Status).
  // Otherwise the event is kUnreadable.
  WatchEvent ReadEvent(std::string_view json);
  // Reads an entry of a list. If it names its kind and apiVersion, they must be right. Nothing: it is no object of the
  // resource, or has no name; `why` says so. An object that is only refused has a key.
  std::optional<ReceivedObject> ReadItem(std::string_view json, std::string& why);
  // Reads a list without its items. It is the list that was asked for only if its kind and apiVersion are right,
  // `items` is an array or null, and it has a resourceVersion.
  ListMeta ReadListMeta(const std::string& json);

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_OBJECT_READER_H_
