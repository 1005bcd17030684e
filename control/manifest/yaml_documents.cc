#include "manifest/yaml_documents.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

namespace sluice {
namespace {

constexpr std::size_t kBufferBytes = 64 << 10;
constexpr std::string_view kMarker = "---";
constexpr std::string_view kEndMarker = "...";
constexpr std::string_view kBehindMarker = " \t\r\n";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::size_t kMostDashes = 200;  // in a line that counts as a mistyped marker
constexpr std::size_t kLookahead = kByteOrderMark.size() + kMostDashes + 1;
constexpr std::size_t kMostTabLines = 64;

// Where the last document of `text` begins. npos: at the start of the text, or the text ends before its marker can be
// told apart. Looks at markers from `from` on.
std::size_t LastDocument(std::string_view text, std::size_t from) {
  for (std::size_t at = text.rfind(kMarker); at != text.npos && at >= from && at != 0;
       at = text.rfind(kMarker, at - 1)) {
    if (text[at - 1] != '\n' || at + kMarker.size() == text.size()) continue;
    if (kBehindMarker.find(text[at + kMarker.size()]) != kBehindMarker.npos) return at;
  }
  return text.npos;
}

}  // namespace

bool YamlParts::Next(YamlPart& part) {
  std::size_t searched = 0;
  std::size_t cut = next_.npos;
  for (std::size_t parts = 1; cut == next_.npos && parts <= kMostParts && in_.good(); ++parts) {
    const std::size_t held = next_.size();
    const std::size_t wanted = std::max(held, parts * part_bytes_);
    next_.resize(wanted);
    in_.read(next_.data() + held, static_cast<std::streamsize>(wanted - held));
    next_.resize(held + static_cast<std::size_t>(in_.gcount()));
    cut = in_.good() ? LastDocument(next_, searched) : next_.size();
    searched = next_.size() - std::min(next_.size(), kMarker.size());
  }
  const bool found = cut != next_.npos && cut != 0;
  part.first_line = line_;
  part.text = std::move(next_);
  next_.clear();
  if (!found) return false;
  next_ = part.text.substr(cut);
  part.text.resize(cut);
  line_ += static_cast<std::uint32_t>(std::count(part.text.begin(), part.text.end(), '\n'));
  return true;
}

YamlDocuments::YamlDocuments(YamlPart head, std::istream* more)
    : in_(more), buffer_(std::move(head.text)), end_(buffer_.size()), line_(head.first_line) {
  if (more != nullptr) buffer_.resize(std::max(buffer_.size(), kBufferBytes));
}

bool YamlDocuments::Next() {
  skipping_ = true;
  do setg(nullptr, nullptr, nullptr);
  while (underflow() != traits_type::eof());
  skipping_ = false;
  cut_short_ = false;
  ended_ = false;
  unheard_bytes_ = 0;
  tab_lines_.clear();
  while (Fill(kLookahead) != 0 && (AtMarker(kEndMarker) || AtMistypedMarker())) {
    if (AtMistypedMarker()) mistyped_markers_.push_back(line_);
    SkipLine();
  }
  if (Fill(1) == 0) return false;
  at_document_start_ = true;
  first_line_ = line_;
  return true;
}

// Gives out lines up to the next marker: some 64 KiB, as far as they are in the buffer. A longer line comes in parts.
YamlDocuments::int_type YamlDocuments::underflow() {
  if (gptr() != egptr()) return traits_type::to_int_type(*gptr());
  const int_type next = FillFromDocument();
  if (next != traits_type::eof() || skipping_ || cut_short_ || ended_ || at_document_start_) return next;
  // The parser takes the text's end for the end of quotes as well, but never takes a document's end for it.
  ended_ = true;
  static char end[] = "\n...\n";
  setg(end, end + (at_line_start_ ? 1 : 0), end + sizeof(end) - 1);
  return traits_type::to_int_type(*gptr());
}

YamlDocuments::int_type YamlDocuments::FillFromDocument() {
  // yaml-cpp puts back as many first characters of a document as it needs to tell UTF-8 from UTF-16 and UTF-32. It can
  // do that only if one call gave out all of them.
  constexpr std::size_t kIntroBytes = 16;
  if (first_line_ == 0 || Fill(at_document_start_ ? kIntroBytes : kLookahead) == 0) return traits_type::eof();
  if (at_line_start_ && !at_document_start_ && AtMarker()) return traits_type::eof();
  if (at_line_start_ && (at_document_start_ || behind_marker_) && AtByteOrderMark()) {
    begin_ += kByteOrderMark.size();
    behind_marker_ = false;
    if (Fill(kIntroBytes) == 0) return traits_type::eof();
  }
  if (unheard_bytes_ > kMostUnheardBytes) cut_short_ = true;
  if (cut_short_ && !skipping_) return traits_type::eof();
  char* first = buffer_.data() + begin_;
  const bool held_all = in_ == nullptr || !in_->good();
  const auto sees_next_line = [&] { return begin_ != end_ && (held_all || end_ - begin_ >= kLookahead); };
  if (at_document_start_) behind_marker_ = AtMarker(kMarker);
  do {
    if (at_line_start_) NoteTab();
    const char* at = buffer_.data() + begin_;
    const std::size_t most = std::min(end_ - begin_, kBufferBytes);
    const void* newline = std::memchr(at, '\n', most);
    at_line_start_ = newline != nullptr;
    if (at_line_start_) ++line_;
    begin_ += at_line_start_ ? static_cast<const char*>(newline) - at + 1 : most;
    if (!behind_marker_ || !at_line_start_ || !sees_next_line()) continue;
    behind_marker_ = false;
    if (!AtByteOrderMark() || AtMarker()) continue;
    // The marker's line is moved over the byte order mark, so that the two lines stay one piece.
    std::memmove(first + kByteOrderMark.size(), first, static_cast<std::size_t>(buffer_.data() + begin_ - first));
    first += kByteOrderMark.size();
    begin_ += kByteOrderMark.size();
  } while (at_line_start_ && buffer_.data() + begin_ < first + kBufferBytes && sees_next_line() && !AtMarker());
  at_document_start_ = false;
  setg(first, first, buffer_.data() + begin_);
  unheard_bytes_ += static_cast<std::size_t>(egptr() - gptr());
  return traits_type::to_int_type(*first);
}

std::size_t YamlDocuments::Fill(std::size_t wanted) {
  if (end_ - begin_ >= wanted || in_ == nullptr) return end_ - begin_;
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  while (end_ < wanted && in_->good()) {
    in_->read(buffer_.data() + end_, static_cast<std::streamsize>(buffer_.size() - end_));
    end_ += static_cast<std::size_t>(in_->gcount());
  }
  return end_;
}

void YamlDocuments::SkipLine() {
  while (Fill(1) != 0) {
    const void* newline = std::memchr(buffer_.data() + begin_, '\n', end_ - begin_);
    begin_ =
        newline == nullptr ? end_ : static_cast<std::size_t>(static_cast<const char*>(newline) - buffer_.data()) + 1;
    if (newline == nullptr) continue;
    ++line_;
    return;
  }
}

bool YamlDocuments::AtByteOrderMark() const {
  return std::string_view(buffer_.data() + begin_, end_ - begin_).starts_with(kByteOrderMark);
}

bool YamlDocuments::AtMarker() const { return AtMarker(kMarker) || AtMarker(kEndMarker) || AtMistypedMarker(); }

bool YamlDocuments::AtMistypedMarker() const {
  std::string_view unread(buffer_.data() + begin_, end_ - begin_);
  if (!unread.starts_with(kMarker)) return false;
  const std::size_t dashes = std::min(unread.find_first_not_of('-'), unread.size());
  if (dashes == kMarker.size() || dashes > kMostDashes) return false;
  return dashes == unread.size() || kBehindMarker.find(unread[dashes]) != kBehindMarker.npos;
}

void YamlDocuments::NoteTab() {
  const std::string_view unread(buffer_.data() + begin_, end_ - begin_);
  const std::size_t tab = unread.find_first_not_of(' ');
  if (tab == unread.npos || unread[tab] != '\t' || tab_lines_.size() == kMostTabLines) return;
  const std::size_t text = unread.find_first_not_of(" \t\r", tab);
  if (text != unread.npos && unread[text] != '\n') tab_lines_.push_back(line_);
}

bool YamlDocuments::IsIndentedByTab(std::uint32_t line) const {
  return std::find(tab_lines_.begin(), tab_lines_.end(), line) != tab_lines_.end();
}

bool YamlDocuments::AtMarker(std::string_view marker) const {
  std::string_view unread(buffer_.data() + begin_, end_ - begin_);
  if (unread.starts_with(kByteOrderMark)) unread.remove_prefix(kByteOrderMark.size());
  if (!unread.starts_with(marker)) return false;
  return unread.size() == marker.size() || kBehindMarker.find(unread[marker.size()]) != kBehindMarker.npos;
}

}  // namespace sluice
