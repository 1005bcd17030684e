// What one manifest file holds. Readers give it trees, one object at a time, and it keeps the decoded objects.
#ifndef SLUICE_CONTROL_MANIFEST_FILE_DECODER_H_
#define SLUICE_CONTROL_MANIFEST_FILE_DECODER_H_

#include <cstdint>
#include <deque>
#include <istream>
#include <string>

#include "manifest/read_settings.h"
#include "manifest/tree_sink.h"
#include "model/decode.h"
#include "model/value.h"
#include "sluice/diagnostic.h"

namespace sluice {

struct FileObjects {
  std::deque<DecodedObject> objects;  // in the file's order, without skipped ones
  Diagnostics diagnostics;
  bool broken = false;  // some part could not be read, so nobody knows which objects it held
  bool unread = false;  // some part is no YAML or JSON, so nobody knows which pods it would have bound

  // True iff the stand-in for some object may bind less than the object was meant to (DecodedObject::unclear).
  bool HoldsUnclear() const;
};

class FileDecoder : public TreeSink {
 public:
  // `path` names the file in diagnostics. With `keep_lines`, objects know the lines of their fields.
  explicit FileDecoder(std::string path, bool keep_lines = false) : path_(std::move(path)), keep_lines_(keep_lines) {}

  void Document(const ValueTree& tree) override;
  void Item(const ValueTree& tree, const TypeMeta& item_type) override;
  void ListEnd(const ValueTree& list) override;
  void Broken(std::uint32_t line, std::string why) override;
  void Mistaken(std::uint32_t line, std::string why) override;
  void Partial(const ValueTree& tree, const TypeMeta& item_type) override;

  // Appends what the next part of the file holds. That part was read by itself.
  void Append(FileDecoder part);

  FileObjects Take() &&;
  const std::string& path() const { return path_; }
  bool keeps_lines() const { return keep_lines_; }

 private:
  // Further diagnostics of a file are counted, not kept.
  static constexpr std::size_t kMostDiagnostics = 1000;

  void Decode(const ValueTree& tree, const Value& object, const TypeMeta& item_type);
  bool Readable(const ValueTree& tree, const TypeMeta& item_type);
  void Bound();

  std::string path_;
  bool keep_lines_;
  FileObjects result_;
  std::size_t untold_ = 0;
};

// Each reads all of `in` in bounded memory, whatever its length, and never throws.
void ReadYaml(std::istream& in, FileDecoder& decoder, const ReadSettings& settings = {});
void ReadJson(std::istream& in, FileDecoder& decoder, const ReadSettings& settings = {});

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_FILE_DECODER_H_
