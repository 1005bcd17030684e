// A stream of JSON documents cut into the objects that a parser reads one at a time: each document, or each item of a
// document's `items`. simdjson indexes a whole document before it reads it, and a List of a cluster is one document:
// cut first, memory stays that of the largest object. Finds ends by strings and brackets alone; what is between them
// is simdjson's to judge.
#ifndef SLUICE_CONTROL_MANIFEST_JSON_SPLITTER_H_
#define SLUICE_CONTROL_MANIFEST_JSON_SPLITTER_H_

#include <cstddef>
#include <cstdint>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

class JsonSplitter {
 public:
  // Bytes that may be read (not used) behind a piece's text: simdjson's padding.
  static constexpr std::size_t kPadding = 64;

  struct Piece {
    enum class Kind : std::uint8_t {
      kDocument,
      kListBegin,  // text: the document so far, closed, as if its items were none
      kItem,
      kListEnd,  // text: the document without its items
      kBroken,   // text: why
      kEnd,
    };
    Kind kind;
    std::string_view text;   // valid until the next call
    std::uint32_t line = 0;  // 1-based, of its first character
  };

  explicit JsonSplitter(std::istream& in);
  Piece Next();

 private:
  enum class Where : std::uint8_t { kBetween, kInDocument, kInItems, kEnd };

  static constexpr int kEof = -1;

  int Peek() { return at_ < end_ || Refill() ? static_cast<unsigned char>(buffer_[at_]) : kEof; }
  void Advance() { line_ += buffer_[at_++] == '\n' ? 1 : 0; }
  // Keeps what is from start_ on. False at the end of the stream, or where the piece is larger than we take.
  bool Refill();
  int SkipSpace();
  // Over a string, from its opening quote on. False: it has no end.
  bool SkipString();
  // Over a value that opens with a bracket, to its end.
  bool SkipBalanced();
  Piece ScanDocument();
  Piece ScanItem();
  // Goes to the next line that opens a document.
  Piece Broken(std::string why);
  std::string_view Text() const { return {buffer_.data() + start_, at_ - start_}; }
  void StartPiece();

  std::istream& in_;
  std::vector<char> buffer_;
  std::size_t start_ = 0;  // of the current piece
  std::size_t at_ = 0;     // the next character
  std::size_t end_ = 0;    // of what was read
  std::uint32_t line_ = 1;
  std::uint32_t start_line_ = 1;
  Where where_ = Where::kBetween;
  bool too_large_ = false;
  bool in_list_ = false;  // the document has shown items
  bool first_item_ = false;
  std::uint32_t document_line_ = 1;
  std::string list_;  // the document less its items, and kPadding
  std::string closed_list_;
  std::string why_;
  int broken_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_JSON_SPLITTER_H_
