// Reads what the API server sends, one JSON object at a time, by the decoder that manifests are read by. Fields that
// policy has no use for (most of a Pod) are skipped in the text and never become values.
#ifndef SLUICE_CONTROL_KUBE_OBJECT_READER_H_
#define SLUICE_CONTROL_KUBE_OBJECT_READER_H_

#include <cstdint>
#include <memory>
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
  // When the API server last wrote it: the newest of metadata.managedFields[].time and metadata.creationTimestamp.
  // The API has whole seconds (rounded down) and no better clock; seconds since 1970, 0 where not known.
  std::int64_t changed_s = 0;
};

// metav1.WatchEvent.
struct WatchEvent {
  enum class Type : std::uint8_t { kAdded, kModified, kDeleted, kBookmark, kError, kUnreadable };

  Type type = Type::kUnreadable;
  ReceivedObject object;           // kAdded, kModified; of kDeleted the key alone
  std::string resource_version;    // of kBookmark
  bool ends_initial_list = false;  // kBookmark annotated k8s.io/initial-events-end
  ApiStatus status;                // kError
  std::string why;                 // kUnreadable
};

// What a list says beside its items: metav1.ListMeta.
struct ListMeta {
  bool readable = false;
  std::string resource_version;
  std::string continue_token;
};

// Not safe to share between threads. Texts given to it are readable kJsonPadding bytes past their end.
class ObjectReader {
 public:
  // `origin` stands for the file in diagnostics.
  ObjectReader(Resource resource, std::string origin);
  ~ObjectReader();
  ObjectReader(const ObjectReader&) = delete;
  ObjectReader& operator=(const ObjectReader&) = delete;

  WatchEvent ReadEvent(std::string_view json);
  // Of an item that is no JSON object, the result is refused and has no key.
  ReceivedObject ReadItem(std::string_view json);
  ListMeta ReadListMeta(const std::string& json);

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_OBJECT_READER_H_
