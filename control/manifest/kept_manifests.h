// What manifests said last, as records of bytes. With it, a restart knows the last good version of each object (NP-16).
//
// The records belong to one version of Sluice: they state the number of each object's fields. Records of another
// version are refused, never misread. Pure functions; any thread.
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
  std::deque<DecodedObject> objects;  // the good ones
};

struct KeptManifests {
  std::vector<KeptFile> files;        // each once
  std::vector<std::string> readable;  // folders and given paths that could be read
  std::vector<std::string> unread;    // paths that could not be read whole when they were put into force
};

// Cuts what is kept into records of about a megabyte each. The last record is marked as the last.
class KeptManifestsEncoder {
 public:
  // First the files, each once, with their good objects in any number of calls of Add; then the lists; then Take.
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

// Puts the records together again.
class KeptManifestsDecoder {
 public:
  // False: the bytes are no record of this version; the decoder is useless afterwards.
  bool Add(std::string_view record);
  bool complete() const { return complete_; }
  // Requires complete().
  KeptManifests Take() { return std::move(kept_); }

 private:
  KeptManifests kept_;
  bool complete_ = false;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_KEPT_MANIFESTS_H_
