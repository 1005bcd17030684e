// What manifests said last, as records of bytes, so that a restart knows the last good version of each object (NP-16).
//
// The records are this version's own: they name the number of each object's fields, and those of another version are
// refused, never misread. Pure functions; any thread.
#ifndef SLUICE_CONTROL_MANIFEST_KEPT_MANIFESTS_H_
#define SLUICE_CONTROL_MANIFEST_KEPT_MANIFESTS_H_

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/decode.h"

namespace sluice {

struct KeptFile {
  std::string path;
  std::deque<DecodedObject> objects;  // those that are good
};

struct KeptManifests {
  std::vector<KeptFile> files;        // each once
  std::vector<std::string> readable;  // folders and given paths that could be read
  std::vector<std::string> unread;    // what was put into force although it could not be read whole
};

// Cuts what is kept into records of about a megabyte each. The last one says that it is.
class KeptManifestsEncoder {
 public:
  // Files first, each once, with their good objects in any number of calls of Add; then the lists; then Take.
  void BeginFile(const std::string& path);
  void Add(const DecodedObject& object);
  void AddReadable(const std::string& path);
  void AddUnread(const std::string& path);
  std::vector<std::string> Take() &&;

 private:
  void Cut();

  std::vector<std::string> records_;
  std::string record_;
  std::string path_;
};

// Puts it together again.
class KeptManifestsDecoder {
 public:
  // False: the bytes are none of this version's; then the decoder is of no more use.
  bool Add(std::string_view record);
  bool complete() const { return complete_; }
  // Once complete.
  KeptManifests Take() { return std::move(kept_); }

 private:
  KeptManifests kept_;
  bool complete_ = false;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_KEPT_MANIFESTS_H_
