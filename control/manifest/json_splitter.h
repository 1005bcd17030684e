// Cuts a stream of JSON documents into the objects that a parser reads one at a time: each document, or each item of a
// document's `items`. simdjson indexes a whole document before it reads it, and a List of a cluster is one document.
// Cut first, it takes only the memory of the largest object, and objects can be read in parallel. The splitter finds
// ends by strings and brackets alone; simdjson judges what is between them.
#ifndef SLUICE_CONTROL_MANIFEST_JSON_SPLITTER_H_
#define SLUICE_CONTROL_MANIFEST_JSON_SPLITTER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// Some pieces of the stream, in order. A part that begins within a list begins with that list's kListBegin.
struct JsonPart {
  // Bytes after a piece's text that may be read (not used): simdjson's padding.
  static constexpr std::size_t kPadding = 64;

  struct Piece {
    enum class Kind : std::uint8_t {
      kDocument,
      kListBegin,  // text: the document so far, closed, as if it had no items
      kItem,
      kListEnd,  // text: the document without its items
      kBroken,   // text: why
    };
    Kind kind;
    std::uint32_t line;     // 1-based, of its first character
    std::size_t begin = 0;  // if own_text is empty: where the piece is in `text`
    std::size_t length = 0;
    std::string own_text = {};  // `length` characters, then kPadding
  };

  std::string_view TextOf(const Piece& piece) const {
    const char* first = piece.own_text.empty() ? text.data() + piece.begin : piece.own_text.data();
    return {first, piece.length};
  }

  std::string text;
  std::vector<Piece> pieces;
};

class JsonSplitter {
 public:
  // Each part has about `part_bytes`.
  JsonSplitter(std::istream& in, std::size_t part_bytes);

  // False: there are no more parts.
  bool Next(JsonPart& part);

 private:
  using Piece = JsonPart::Piece;
  using Marks = std::array<bool, 256>;  // by byte
  enum class Where : std::uint8_t { kBetween, kInDocument, kInItems, kEnd };

  static constexpr int kEof = -1;

  int Peek() { return at_ < end_ || Refill() ? static_cast<unsigned char>(buffer_[at_]) : kEof; }
  void Advance() { line_ += buffer_[at_++] == '\n' ? 1 : 0; }
  // Moves to the next byte that is one of `marks`. Line ends must be among them, so that Advance() counts
  // them. False: there is none.
  bool SkipTo(const Marks& marks);
  // Keeps the bytes from start_ on. False at the end of the stream, or if the piece is larger than we take.
  bool Refill();
  int SkipSpace();
  // Moves past a string, from its opening quote. False: it has no end.
  bool SkipString();
  // Moves past a value that opens with a bracket, to its end.
  bool SkipBalanced();
  // Returns nothing at the end of the stream.
  std::optional<Piece> NextPiece();
  Piece ScanDocument();
  Piece ScanItem();
  // Moves to the next line that opens a document.
  Piece Broken(std::string why);
  Piece ListBegin() const {
    return {Piece::Kind::kListBegin, document_line_, 0, closed_list_.size(), Padded(closed_list_)};
  }
  static std::string Padded(std::string text) { return std::move(text.append(JsonPart::kPadding, ' ')); }
  std::string_view Text() const { return {buffer_.data() + start_, at_ - start_}; }
  void StartPiece();

  std::istream& in_;
  const std::size_t part_bytes_;
  std::string buffer_;
  std::size_t kept_ = 0;   // up to here, the buffer belongs to the part
  std::size_t start_ = 0;  // of the current piece
  std::size_t at_ = 0;     // the next character
  std::size_t end_ = 0;    // of the bytes that were read
  std::uint32_t line_ = 1;
  std::uint32_t start_line_ = 1;
  Where where_ = Where::kBetween;
  bool too_large_ = false;
  bool in_list_ = false;  // the document has shown items
  bool first_item_ = false;
  std::uint32_t document_line_ = 1;
  std::string list_;  // the document without its items
  std::string closed_list_;
  int broken_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_JSON_SPLITTER_H_
