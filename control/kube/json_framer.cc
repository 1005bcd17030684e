#include "kube/json_framer.h"

#include <array>
#include <cstdint>
#include <cstring>

namespace sluice {
namespace {

enum class Meaning : std::uint8_t { kOther, kQuote, kOpen, kClose };

constexpr std::array<Meaning, 256> MakeMeanings() {
  std::array<Meaning, 256> meanings = {};
  meanings['"'] = Meaning::kQuote;
  meanings['{'] = meanings['['] = Meaning::kOpen;
  meanings['}'] = meanings[']'] = Meaning::kClose;
  return meanings;
}
constexpr std::array<Meaning, 256> kMeanings = MakeMeanings();

Meaning MeaningOf(char character) { return kMeanings[static_cast<unsigned char>(character)]; }

bool IsSpace(char character) { return character == ' ' || character == '\n' || character == '\t' || character == '\r'; }

// Whether the text before an opening bracket makes it the list's items.
bool EndsWithItemsKey(std::string_view frame) {
  const auto drop_space = [&frame] {
    while (!frame.empty() && IsSpace(frame.back())) frame.remove_suffix(1);
  };
  drop_space();
  if (!frame.ends_with(':')) return false;
  frame.remove_suffix(1);
  drop_space();
  return frame.ends_with("\"items\"") && !frame.ends_with("\\\"items\"");  // the latter is the end of a longer key
}

}  // namespace

void ArrivedBytes::Append(std::string_view bytes) {
  const std::size_t kept = end_ - taken_;
  if (taken_ > 0 && kept > 0) std::memmove(bytes_.data(), bytes_.data() + taken_, kept);
  taken_ = 0;
  end_ = kept + bytes.size();
  if (bytes_.size() < end_ + kJsonPadding) bytes_.resize(2 * end_ + kJsonPadding);
  std::memcpy(bytes_.data() + kept, bytes.data(), bytes.size());
}

void ArrivedBytes::Clear() {
  bytes_ = {};
  taken_ = 0;
  end_ = 0;
}

std::optional<std::string_view> LineFramer::Next() {
  for (;;) {
    const std::string_view text = arrived_.view();
    const void* newline =
        searched_ < text.size() ? std::memchr(text.data() + searched_, '\n', text.size() - searched_) : nullptr;
    if (newline == nullptr) {
      searched_ = text.size();
      return std::nullopt;
    }
    const auto length = static_cast<std::size_t>(static_cast<const char*>(newline) - text.data());
    arrived_.Take(length + 1);
    searched_ = 0;
    if (length > 0) return text.substr(0, length);
  }
}

void LineFramer::Clear() {
  arrived_.Clear();
  searched_ = 0;
}

std::optional<std::string_view> ListFramer::Next() {
  if (broken_) return std::nullopt;
  const std::string_view text = arrived_.view();
  if (!in_item_) {
    const bool at_item = SkipFrame(text);
    arrived_.Take(scanned_);
    scanned_ = 0;
    if (!at_item) return std::nullopt;
    in_item_ = true;
  }
  const std::string_view item = arrived_.view();
  if (!SkipItem(item)) return std::nullopt;
  const std::size_t length = scanned_;
  arrived_.Take(length);
  scanned_ = 0;
  in_item_ = false;
  seen_ = Seen::kItem;
  return item.substr(0, length);
}

bool ListFramer::SkipString(std::string_view text) {
  while (scanned_ < text.size()) {
    const char character = text[scanned_];
    if (character == '\\') {
      if (scanned_ + 1 >= text.size()) return false;  // the escaped character has not arrived
      scanned_ += 2;
      continue;
    }
    ++scanned_;
    if (character == '"') {
      in_string_ = false;
      return true;
    }
  }
  return false;
}

bool ListFramer::SkipItem(std::string_view text) {
  constexpr int kItemsDepth = 2;
  for (;;) {
    if (in_string_ && !SkipString(text)) return false;
    while (scanned_ < text.size() && MeaningOf(text[scanned_]) == Meaning::kOther) ++scanned_;
    if (scanned_ == text.size()) return false;
    const Meaning meaning = MeaningOf(text[scanned_++]);
    if (meaning == Meaning::kQuote) {
      in_string_ = true;
    } else if (meaning == Meaning::kOpen) {
      ++depth_;
    } else if (--depth_ == kItemsDepth) {
      return true;
    }
  }
}

bool ListFramer::SkipFrame(std::string_view text) {
  while (scanned_ < text.size() && !broken_) {
    const std::size_t start = scanned_;
    if (in_string_) {
      SkipString(text);
      frame_.append(text, start, scanned_ - start);
      if (in_string_) return false;
      continue;
    }
    const char character = text[scanned_];
    const Meaning meaning = MeaningOf(character);
    if (depth_ == 0 && !IsSpace(character) && (complete_ || character != '{')) {
      broken_ = true;
      return false;
    }
    if (in_items_ && meaning != Meaning::kClose) {
      if (SkipBetween(character)) return true;
      ++scanned_;
      continue;
    }
    ++scanned_;
    switch (meaning) {
      case Meaning::kOther:
        break;
      case Meaning::kQuote:
        in_string_ = true;
        break;
      case Meaning::kOpen:
        in_items_ = depth_ == 1 && character == '[' && EndsWithItemsKey(frame_);
        if (in_items_) seen_ = Seen::kNothing;
        ++depth_;
        break;
      case Meaning::kClose:
        broken_ = in_items_ && seen_ == Seen::kComma;
        in_items_ = false;
        complete_ = --depth_ == 0;
        break;
    }
    frame_ += character;
  }
  return false;
}

bool ListFramer::SkipBetween(char character) {
  if (character == '{' && seen_ != Seen::kItem) return true;
  if (character == ',' && seen_ == Seen::kItem) {
    seen_ = Seen::kComma;
  } else if (!IsSpace(character)) {
    broken_ = true;
  }
  return false;
}

void ListFramer::Clear() { *this = ListFramer(); }

}  // namespace sluice
