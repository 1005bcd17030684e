// Cuts a stream of YAML at its document markers: `---` and `...` at the start of a line, which YAML forbids within a
// document. So each document gets a parser of its own, and an error in one cannot spoil the next; and runs of
// documents can be read in parallel. A line of more than three dashes also cuts: it was meant to be a marker,
// although YAML takes it for text.
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

// A piece of the stream that begins at the beginning of a document.
struct YamlPart {
  std::string text;
  std::uint32_t first_line = 1;  // 1-based, in the whole stream
};

// Cuts a stream into runs of whole documents.
class YamlParts {
 public:
  // Each run has about `part_bytes`, and up to `kMostParts` times that if a document is so long.
  YamlParts(std::istream& in, std::size_t part_bytes) : in_(in), part_bytes_(part_bytes) {}

  // Returns the next run. False: there is none, and `part` has what is left: nothing, or the beginning of a document
  // that is too long for a part. The rest of that document is still in the stream.
  bool Next(YamlPart& part);

 private:
  static constexpr std::size_t kMostParts = 4;

  std::istream& in_;
  std::size_t part_bytes_;
  std::string next_;        // was read, but is not in what was handed out
  std::uint32_t line_ = 1;  // of next_
};

// Reads as the current document with its marker, and ends where the next document begins. Skips a byte order mark
// at its start, before or after the marker (YAML 1.2, 5.2): when files are joined, each of them may have had a
// byte order mark of its own.
//
// yaml-cpp reports a flow collection ({...}, [...]) only when it has all of it, in tokens of some 100 bytes each; the
// same is true of a scalar. If more than kMostUnheardBytes are read without an event, the document seems to end.
class YamlDocuments : public std::streambuf {
 public:
  static constexpr std::size_t kMostUnheardBytes = 8 << 20;

  // The documents of `head` and, if given, of `more` after it. Of `more`, it holds one block at a time.
  explicit YamlDocuments(YamlPart head, std::istream* more = nullptr);

  // Goes to the next document, past the rest of this one. False: there is none. Must be called before the first, too.
  bool Next();
  // 1-based, in the whole stream.
  std::uint32_t first_line() const { return first_line_; }
  // Lines of more than three dashes since the last call, which are mistyped markers. Mostly empty.
  std::vector<std::uint32_t> TakeMistypedMarkers() { return std::exchange(mistyped_markers_, {}); }
  // Whether a tab indents that line of the current document, as far as it was read. Knows the first 64 such lines.
  bool IsIndentedByTab(std::uint32_t line) const;
  // The parser reported an event. False: it did so only because the document seemed to end.
  bool Heard() {
    unheard_bytes_ = 0;
    return !cut_short_;
  }

 protected:
  int_type underflow() override;

 private:
  // Like underflow, but only for what the stream holds of the document.
  int_type FillFromDocument();
  // Makes at least `wanted` unread bytes available, or all that are left.
  std::size_t Fill(std::size_t wanted);
  void SkipLine();
  // Notes a tab in the line that begins at begin_.
  void NoteTab();
  // These require kLookahead unread bytes, or all that are left. A marker may have a byte order mark before it.
  bool AtMarker(std::string_view marker) const;
  bool AtMarker() const;  // any of them
  // A line of only dashes, more than three and at most kMostDashes.
  bool AtMistypedMarker() const;
  bool AtByteOrderMark() const;

  std::istream* in_;
  std::string buffer_;
  std::size_t begin_ = 0;  // unread bytes: buffer_[begin_, end_)
  std::size_t end_ = 0;
  bool at_line_start_ = true;
  bool at_document_start_ = true;
  bool behind_marker_ = false;  // the next line is the line after the document's marker
  bool skipping_ = false;
  bool cut_short_ = false;
  bool ended_ = false;  // the end of the document was handed out
  std::size_t unheard_bytes_ = 0;
  std::uint32_t line_ = 1;  // of begin_
  std::uint32_t first_line_ = 0;
  std::vector<std::uint32_t> mistyped_markers_;
  std::vector<std::uint32_t> tab_lines_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_YAML_DOCUMENTS_H_
