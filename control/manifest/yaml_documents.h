// A stream of YAML cut at its document markers: `---` and `...` at the start of a line, which YAML allows nowhere
// within a document. So each document gets a parser of its own, and what is wrong with one cannot spoil the next; and
// runs of documents can be read side by side. A line of more than three dashes cuts as well: it was meant to, though to
// YAML it is text.
#ifndef SLUICE_CONTROL_MANIFEST_YAML_DOCUMENTS_H_
#define SLUICE_CONTROL_MANIFEST_YAML_DOCUMENTS_H_

#include <cstddef>
#include <cstdint>
#include <istream>
#include <streambuf>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {

// A piece of the stream that begins where a document does.
struct YamlPart {
  std::string text;
  std::uint32_t first_line = 1;  // 1-based, in the whole stream
};

// Cuts a stream into runs of whole documents.
class YamlParts {
 public:
  // Each of about `part_bytes`, and of `kMostParts` times that where a document is so long.
  YamlParts(std::istream& in, std::size_t part_bytes) : in_(in), part_bytes_(part_bytes) {}

  // The next run. False: there is none, and `part` is what is left: nothing, or the beginning of a document that is too
  // long for a part, the rest of which is still in the stream.
  bool Next(YamlPart& part);

 private:
  static constexpr std::size_t kMostParts = 4;

  std::istream& in_;
  std::size_t part_bytes_;
  std::string next_;        // read, and not part of what was handed out
  std::uint32_t line_ = 1;  // of next_
};

// Reads as the current document, its marker included, and ends where the next one begins. A byte order mark at its
// start, behind the marker or before it, is passed over (YAML 1.2, 5.2): of files that were joined, each may have had
// its own.
//
// yaml-cpp tells of a flow collection ({...}, [...]) once it has all of it, in tokens of some 100 bytes each, and
// likewise of a scalar: where more than kMostUnheardBytes are read without an event, the document seems to end.
class YamlDocuments : public std::streambuf {
 public:
  static constexpr std::size_t kMostUnheardBytes = 8 << 20;

  // The documents of `head` and, where given, of `more` behind it, of which it holds one block at a time.
  explicit YamlDocuments(YamlPart head, std::istream* more = nullptr);

  // Goes to the next document, over what is left of this one. False: there is none. To be called before the first.
  bool Next();
  // 1-based, in the whole stream.
  std::uint32_t first_line() const { return first_line_; }
  // Lines of more than three dashes since the last call: mistyped markers. Mostly empty.
  std::vector<std::uint32_t> TakeMistypedMarkers() { return std::exchange(mistyped_markers_, {}); }
  // A tab indents that line of the current document, as far as it was read. Told of the first 64 such lines.
  bool IsIndentedByTab(std::uint32_t line) const;
  // The parser told an event. False: only because it took the document to have ended.
  bool Heard() {
    unheard_bytes_ = 0;
    return !cut_short_;
  }

 protected:
  int_type underflow() override;

 private:
  // As underflow, of what the stream holds of the document.
  int_type FillFromDocument();
  // Makes at least `wanted` unread bytes available, or all that are left.
  std::size_t Fill(std::size_t wanted);
  void SkipLine();
  // Of the line at begin_, which begins there.
  void NoteTab();
  // Each requires kLookahead unread bytes, or all that are left. A marker may have a byte order mark before it.
  bool AtMarker(std::string_view marker) const;
  bool AtMarker() const;  // any of them
  // More than three dashes alone, up to kMostDashes.
  bool AtMistypedMarker() const;
  bool AtByteOrderMark() const;

  std::istream* in_;
  std::string buffer_;
  std::size_t begin_ = 0;  // unread bytes: buffer_[begin_, end_)
  std::size_t end_ = 0;
  bool at_line_start_ = true;
  bool at_document_start_ = true;
  bool behind_marker_ = false;  // what comes next is the line behind the document's marker
  bool skipping_ = false;
  bool cut_short_ = false;
  bool ended_ = false;  // the end of the document is handed out
  std::size_t unheard_bytes_ = 0;
  std::uint32_t line_ = 1;  // of begin_
  std::uint32_t first_line_ = 0;
  std::vector<std::uint32_t> mistyped_markers_;
  std::vector<std::uint32_t> tab_lines_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_YAML_DOCUMENTS_H_
