#include "manifest/json_splitter.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice {
namespace {

// Bytes read at once: no more than a part needs.
constexpr std::size_t kLeastBlockBytes = 4 << 10;
constexpr std::size_t kMostBlockBytes = 256 << 10;
constexpr std::size_t kMaxPieceBytes = 16 << 20;
// Each broken document may cost a second reading of kMaxPieceBytes.
constexpr int kMostBroken = 100;

consteval std::array<bool, 256> MarksOf(std::string_view bytes) {
  std::array<bool, 256> marks = {};
  for (const char byte : bytes) marks[static_cast<unsigned char>(byte)] = true;
  return marks;
}

bool IsSpace(int c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

}  // namespace

JsonSplitter::JsonSplitter(std::istream& in, std::size_t part_bytes) : in_(in), part_bytes_(part_bytes) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  Peek();
  if (std::string_view(buffer_.data(), end_).starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
}

bool JsonSplitter::Next(JsonPart& part) {
  part = {};
  if (where_ == Where::kInItems) part.pieces.push_back(ListBegin());
  do {
    std::optional<Piece> piece = NextPiece();
    if (!piece) break;
    kept_ = at_;
    part.pieces.push_back(*std::move(piece));
  } while (at_ < part_bytes_);
  part.text = std::move(buffer_);
  buffer_.assign(part.text, at_, end_ - at_);
  end_ = buffer_.size();
  buffer_.resize(end_ + JsonPart::kPadding);
  kept_ = start_ = at_ = 0;
  return !part.pieces.empty();
}

std::optional<JsonPart::Piece> JsonSplitter::NextPiece() {
  for (;;) {
    switch (where_) {
      case Where::kEnd:
        return std::nullopt;
      case Where::kInItems:
        return ScanItem();
      case Where::kInDocument:
        return ScanDocument();
      case Where::kBetween:
        for (StartPiece(); IsSpace(Peek()); StartPiece()) Advance();
        if (Peek() == kEof) {
          where_ = Where::kEnd;
          continue;
        }
        if (Peek() != '{') return Broken("not JSON: a document must be an object, opened by '{'");
        document_line_ = line_;
        in_list_ = false;
        list_.clear();
        where_ = Where::kInDocument;
        Advance();
        continue;
    }
  }
}

// Scans the document's own level: keys, and values to skip. Called at its start and again after its items.
JsonPart::Piece JsonSplitter::ScanDocument() {
  std::string key;  // the latest key, cut short
  bool in_value = in_list_;
  for (;;) {
    const int next = SkipSpace();
    if (next == kEof)
      return Broken("the document that begins in line " + std::to_string(document_line_) + " has no end");
    if (next == '}' || next == ']') {
      Advance();
      where_ = Where::kBetween;
      if (!in_list_) return {Piece::Kind::kDocument, start_line_, start_, at_ - start_};
      list_ += Text();
      return {Piece::Kind::kListEnd, document_line_, 0, list_.size(), Padded(list_)};
    }
    if (next == '[' && in_value && key == "items") {
      Advance();
      list_ += Text();
      closed_list_ = list_ + "]}";
      in_list_ = true;
      first_item_ = true;
      where_ = Where::kInItems;
      return ListBegin();
    }
    if (next == '"') {
      const std::size_t from = at_ - start_;
      if (!SkipString()) return Broken("a string without an end");
      if (!in_value) key = Text().substr(from + 1, std::min<std::size_t>(Text().size() - from - 2, 16));
    } else if (next == '{' || next == '[') {
      if (!SkipBalanced())
        return Broken("the document that begins in line " + std::to_string(document_line_) + " has no end");
    } else {
      if (next == ':') in_value = true;
      if (next == ',') in_value = false;
      Advance();
    }
  }
}

JsonPart::Piece JsonSplitter::ScanItem() {
  StartPiece();
  int next = SkipSpace();
  if (next == ',' && !first_item_) {
    Advance();
    next = SkipSpace();
  } else if (next == ']') {
    StartPiece();
    Advance();
    where_ = Where::kInDocument;
    return ScanDocument();
  } else if (!first_item_) {
    return Broken("expected ',' or ']' behind an item");
  }
  StartPiece();
  if (next != '{') return Broken("each of a list's items must be an object");
  first_item_ = false;
  if (!SkipBalanced()) return Broken("the item that begins in line " + std::to_string(start_line_) + " has no end");
  return {Piece::Kind::kItem, start_line_, start_, at_ - start_};
}

bool JsonSplitter::Refill() {
  if (at_ - start_ >= kMaxPieceBytes) {
    too_large_ = true;
    return false;
  }
  std::memmove(buffer_.data() + kept_, buffer_.data() + start_, end_ - start_);
  at_ -= start_ - kept_;
  end_ -= start_ - kept_;
  start_ = kept_;
  if (!in_.good()) return false;
  const std::size_t block = std::clamp(part_bytes_, kLeastBlockBytes, kMostBlockBytes);
  const std::size_t wanted = end_ + block + JsonPart::kPadding;
  if (buffer_.size() < wanted) buffer_.resize(std::max(wanted, 2 * buffer_.size()));
  in_.read(buffer_.data() + end_, static_cast<std::streamsize>(block));
  end_ += static_cast<std::size_t>(in_.gcount());
  return at_ < end_;
}

int JsonSplitter::SkipSpace() {
  int next = Peek();
  while (IsSpace(next)) {
    Advance();
    next = Peek();
  }
  return next;
}

bool JsonSplitter::SkipTo(const Marks& marks) {
  do {
    const char* const end = buffer_.data() + end_;
    const char* at = buffer_.data() + at_;
    while (at != end && !marks[static_cast<unsigned char>(*at)]) ++at;
    at_ = static_cast<std::size_t>(at - buffer_.data());
  } while (at_ == end_ && Refill());
  return at_ < end_;
}

bool JsonSplitter::SkipString() {
  static constexpr Marks kMarks = MarksOf("\"\\\n");
  Advance();
  while (SkipTo(kMarks)) {
    const char next = buffer_[at_];
    if (next == '\n') return false;
    Advance();
    if (next == '"') return true;
    if (Peek() == kEof) return false;
    Advance();
  }
  return false;
}

bool JsonSplitter::SkipBalanced() {
  static constexpr Marks kMarks = MarksOf("\"{}[]\n");
  std::size_t depth = 0;
  while (SkipTo(kMarks)) {
    const char next = buffer_[at_];
    if (next == '"') {
      if (!SkipString()) return false;
      continue;
    }
    Advance();
    if (next == '{' || next == '[') ++depth;
    if ((next == '}' || next == ']') && --depth == 0) return true;
  }
  return false;
}

JsonPart::Piece JsonSplitter::Broken(std::string why) {
  if (too_large_) why = "an object of more than 16 MiB, more than any API server stores";
  const std::uint32_t line = too_large_ ? start_line_ : line_;
  too_large_ = false;
  where_ = Where::kBetween;
  // The text that was skipped to find an end may hold whole documents. So this goes back to its first line.
  at_ = start_;
  line_ = start_line_;
  if (++broken_ == kMostBroken) {
    why += "; the rest of the file is not read";
    where_ = Where::kEnd;
  }
  for (bool line_start = false; where_ != Where::kEnd;) {
    start_ = at_;
    const int next = Peek();
    if (next == kEof || (line_start && next == '{')) break;
    line_start = next == '\n';
    Advance();
  }
  const std::size_t length = why.size();
  return {Piece::Kind::kBroken, line, 0, length, std::move(why)};
}

void JsonSplitter::StartPiece() {
  start_ = at_;
  start_line_ = line_;
}

}  // namespace sluice
