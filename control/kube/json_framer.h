// Cuts a response body, as it arrives in pieces, into its JSON objects. Memory grows with the largest object, never
// with the response. Not safe to share between threads.
//
// Both framers work alike: Append what arrived, then call Next until there is no object left. An object stays valid
// until the next Append, and kJsonPadding bytes after its end are readable, because simdjson needs that.
#ifndef SLUICE_CONTROL_KUBE_JSON_FRAMER_H_
#define SLUICE_CONTROL_KUBE_JSON_FRAMER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

inline constexpr std::size_t kJsonPadding = 64;
// The API server stores objects of at most 1.5 MB (etcd's request limit). The rest is room for other storage.
inline constexpr std::size_t kMaxObjectBytes = 16 << 20;

// The bytes that have arrived and are not yet taken.
class ArrivedBytes {
 public:
  void Append(std::string_view bytes);
  // Requires size <= view().size(). The bytes stay where they are until the next Append.
  void Take(std::size_t size) { taken_ += size; }
  void Clear();
  std::string_view view() const { return std::string_view(bytes_).substr(taken_, end_ - taken_); }

 private:
  std::string bytes_;  // kJsonPadding bytes longer than what has arrived
  std::size_t taken_ = 0;
  std::size_t end_ = 0;
};

// A watch's response: objects that each end with a newline.
class LineFramer {
 public:
  void Append(std::string_view bytes) { arrived_.Append(bytes); }
  std::optional<std::string_view> Next();
  void Clear();
  // A line grew longer than kMaxObjectBytes: nothing more comes from here until Clear.
  bool too_long() const { return arrived_.view().size() > kMaxObjectBytes; }

 private:
  ArrivedBytes arrived_;
  std::size_t searched_ = 0;  // of view(): no newline before it
};

// A list's response: the objects of its `items`.
class ListFramer {
 public:
  void Append(std::string_view bytes) { arrived_.Append(bytes); }
  std::optional<std::string_view> Next();
  void Clear();
  // The list without its items: {"kind":...,"metadata":{...},"items":[]}. Whole once complete().
  const std::string& frame() const { return frame_; }
  // The list's last brace was seen, and nothing after it.
  bool complete() const { return complete_ && !broken_; }
  // The text is not one JSON object, or its `items` hold something other than objects. Nothing more
  // comes from here until Clear.
  bool broken() const { return broken_; }
  bool too_long() const { return arrived_.view().size() > kMaxObjectBytes || frame_.size() > kMaxObjectBytes; }

 private:
  // Moves scanned_ to the end of the present string. False: the string goes on.
  bool SkipString(std::string_view text);
  // Moves scanned_ behind the present item. False: the item goes on.
  bool SkipItem(std::string_view text);
  // Moves bytes between items to frame_, up to the next item's first brace. False: there is none yet.
  bool SkipFrame(std::string_view text);
  // Handles what is between items. True: the next item begins here.
  bool SkipBetween(char character);

  // What was seen last in `items`.
  enum class Seen : std::uint8_t { kNothing, kItem, kComma };

  ArrivedBytes arrived_;
  std::size_t scanned_ = 0;  // of view()
  std::string frame_;
  int depth_ = 0;  // of braces and brackets, around the next byte
  bool in_string_ = false;
  bool in_items_ = false;  // inside the list's `items`
  bool in_item_ = false;
  Seen seen_ = Seen::kNothing;
  bool complete_ = false;
  bool broken_ = false;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_JSON_FRAMER_H_
