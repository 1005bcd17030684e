#include "manifest/json_splitter.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice {
namespace {

constexpr std::size_t kBlockBytes = 256 << 10;
constexpr std::size_t kMaxPieceBytes = 16 << 20;
// Each broken document may cost reading kMaxPieceBytes again.
constexpr int kMostBroken = 100;

}  // namespace

JsonSplitter::JsonSplitter(std::istream& in) : in_(in), buffer_(kBlockBytes + kPadding) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  Peek();
  if (std::string_view(buffer_.data(), end_).starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
}

JsonSplitter::Piece JsonSplitter::Next() {
  for (;;) {
    switch (where_) {
      case Where::kEnd:
        return {Piece::Kind::kEnd, {}, line_};
      case Where::kInItems:
        return ScanItem();
      case Where::kInDocument:
        return ScanDocument();
      case Where::kBetween:
        StartPiece();
        const int next = SkipSpace();
        StartPiece();
        if (next == kEof) {
          where_ = Where::kEnd;
          continue;
        }
        if (next != '{') return Broken("not JSON: a document must be an object, opened by '{'");
        document_line_ = line_;
        in_list_ = false;
        list_.clear();
        where_ = Where::kInDocument;
        Advance();
        continue;
    }
  }
}

// The document's own level: keys, and values to skip. Called at its start and again behind its items.
JsonSplitter::Piece JsonSplitter::ScanDocument() {
  std::string key;  // the latest, cut short
  bool in_value = in_list_;
  for (;;) {
    const int next = SkipSpace();
    if (next == kEof)
      return Broken("the document that begins in line " + std::to_string(document_line_) + " has no end");
    if (next == '}' || next == ']') {
      Advance();
      where_ = Where::kBetween;
      if (!in_list_) return {Piece::Kind::kDocument, Text(), start_line_};
      list_ += Text();
      const std::size_t length = list_.size();
      list_.append(kPadding, ' ');
      return {Piece::Kind::kListEnd, std::string_view(list_).substr(0, length), document_line_};
    }
    if (next == '[' && in_value && key == "items") {
      Advance();
      list_ += Text();
      closed_list_ = list_ + "]}";
      const std::size_t length = closed_list_.size();
      closed_list_.append(kPadding, ' ');
      in_list_ = true;
      first_item_ = true;
      where_ = Where::kInItems;
      return {Piece::Kind::kListBegin, std::string_view(closed_list_).substr(0, length), document_line_};
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

JsonSplitter::Piece JsonSplitter::ScanItem() {
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
  return {Piece::Kind::kItem, Text(), start_line_};
}

bool JsonSplitter::Refill() {
  if (at_ - start_ >= kMaxPieceBytes) {
    too_large_ = true;
    return false;
  }
  std::memmove(buffer_.data(), buffer_.data() + start_, end_ - start_);
  end_ -= start_;
  at_ -= start_;
  start_ = 0;
  if (buffer_.size() - kPadding < end_ + kBlockBytes) buffer_.resize((end_ + kBlockBytes) * 2 + kPadding);
  if (!in_.good()) return false;
  in_.read(buffer_.data() + end_, static_cast<std::streamsize>(kBlockBytes));
  end_ += static_cast<std::size_t>(in_.gcount());
  return at_ < end_;
}

int JsonSplitter::SkipSpace() {
  int next = Peek();
  while (next == ' ' || next == '\n' || next == '\r' || next == '\t') {
    Advance();
    next = Peek();
  }
  return next;
}

bool JsonSplitter::SkipString() {
  Advance();
  for (;;) {
    const int next = Peek();
    if (next == kEof || next == '\n') return false;
    Advance();
    if (next == '"') return true;
    if (next != '\\') continue;
    if (Peek() == kEof) return false;
    Advance();
  }
}

bool JsonSplitter::SkipBalanced() {
  std::size_t depth = 0;
  for (;;) {
    const int next = Peek();
    if (next == kEof) return false;
    if (next == '"') {
      if (!SkipString()) return false;
      continue;
    }
    Advance();
    if (next == '{' || next == '[') ++depth;
    if ((next == '}' || next == ']') && --depth == 0) return true;
  }
}

JsonSplitter::Piece JsonSplitter::Broken(std::string why) {
  const std::uint32_t line = line_;
  why_ = too_large_ ? "an object of more than 16 MiB, more than any API server stores" : std::move(why);
  const std::uint32_t told_line = too_large_ ? start_line_ : line;
  too_large_ = false;
  where_ = Where::kBetween;
  // What was swallowed in search of an end may hold whole documents: back to the first line.
  at_ = start_;
  line_ = start_line_;
  if (++broken_ == kMostBroken) {
    why_ += "; the rest of the file is not read";
    where_ = Where::kEnd;
    return {Piece::Kind::kBroken, why_, told_line};
  }
  for (bool line_start = false;;) {
    start_ = at_;
    const int next = Peek();
    if (next == kEof || (line_start && next == '{')) break;
    line_start = next == '\n';
    Advance();
  }
  return {Piece::Kind::kBroken, why_, told_line};
}

void JsonSplitter::StartPiece() {
  start_ = at_;
  start_line_ = line_;
}

}  // namespace sluice
