// One Kubernetes object as a tree of values, whatever its syntax was. Readers (YAML, JSON, the API server's answers)
// fill a ValueTree by events, and the decoder (model/decode.h) reads it. One tree serves object after object, because
// Clear keeps its memory. Not safe to share between threads while it is being filled.
#ifndef SLUICE_CONTROL_MODEL_VALUE_H_
#define SLUICE_CONTROL_MODEL_VALUE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

struct Value {
  enum class Kind : std::uint8_t { kNull, kBool, kInteger, kFloat, kString, kList, kMap };

  Kind kind = Kind::kNull;
  bool boolean = false;
  bool merge = false;              // the key is YAML's merge key `<<`; removed when the map that holds it ends
  bool duplicate = false;          // the map that holds it has the same key again later, and that one counts
  bool cut = false;                // a list or map that was not read to its end: missing entries may have been there
  std::uint16_t height = 1;        // levels from this one down
  std::uint32_t size = 1;          // values from this one down; an alias counts as if it were written out
  std::uint32_t position = 0;      // see ValueTree::LineOf
  std::uint32_t key_position = 0;  // of the key, if this is a map's entry
  std::string_view key;            // if this is a map's entry
  std::string_view text;           // a string's characters; any other scalar as it was written
  union {
    std::int64_t integer = 0;  // of kInteger
    double real;               // of kFloat
  };
  Value* first = nullptr;  // in a list or map; an alias shares its target's
  Value* next = nullptr;   // in the list or map that holds this

  // The entry with that key, or null; null also if this is no map. If a key is given twice, the later, as in kubectl.
  const Value* Find(std::string_view name) const;
  bool scalar() const { return kind != Kind::kList && kind != Kind::kMap; }
};

// "a string", "a map", ...
std::string_view KindName(Value::Kind kind);

class ValueTree {
 public:
  // A larger object is refused. The API server stores at most 1.5 MB, and the deepest core object has 20 levels.
  static constexpr std::uint32_t kMaxValues = 1'000'000;
  static constexpr std::size_t kMaxTextBytes = 16 << 20;
  static constexpr std::uint16_t kMaxDepth = 128;

  struct Problem {
    std::string why;
    std::uint32_t position;
  };

  ValueTree() = default;
  ValueTree(const ValueTree&) = delete;
  ValueTree& operator=(const ValueTree&) = delete;

  // Forgets every value. If `source` is given, positions are offsets into it, and its first character is in line
  // `first_line`. Without it, positions are 1-based lines. The caller keeps `source` until the next Clear.
  void Clear(std::string_view source = {}, std::uint32_t first_line = 1);
  // Forgets only the root. What was added stays valid, for aliases in a document of many objects.
  void NextRoot();

  // Events, in document order. In a map, each value follows a Key. After a MergeKey comes a map or a list of maps;
  // their entries are taken over, and each replaces an earlier one with its key. Keys and texts must live until Clear;
  // Keep copies those that would not. After a failure, everything except Clear and NextRoot is ignored.
  void BeginMap(std::uint32_t position) { Begin(Value::Kind::kMap, position); }
  void BeginList(std::uint32_t position) { Begin(Value::Kind::kList, position); }
  const Value* End();
  void Key(std::string_view key, std::uint32_t position);
  void MergeKey(std::uint32_t position);
  const Value* Null(std::uint32_t position);
  const Value* Bool(bool boolean, std::string_view text, std::uint32_t position);
  const Value* Integer(std::int64_t integer, std::string_view text, std::uint32_t position);
  // Becomes an integer if JSON would write it as one, as 8080.0 and 1e3.
  const Value* Float(double real, std::string_view text, std::uint32_t position);
  const Value* String(std::string_view text, std::uint32_t position);
  // Stands for `target`, which must have ended, and shares what is below it.
  const Value* Alias(const Value* target, std::uint32_t position);
  // Makes the tree a failure: the object is too large or too deep, or no more of it can be read.
  void Fail(std::string why, std::uint32_t position);
  // Says that the object must be refused, although all of it can be read.
  void Refuse(std::string why, std::uint32_t position);
  // Returns a copy that lives until Clear.
  std::string_view Keep(std::string_view text);

  // The whole object, or null before the first event and after a failure.
  const Value* root() const { return failure_.empty() ? root_ : nullptr; }
  // What was read before the failure, or null. Lists and maps that had not ended are `cut`.
  const Value* partial() const { return root_; }
  // Why there is no whole object; empty if there is one.
  const std::string& failure() const { return failure_; }
  std::uint32_t failure_position() const { return failure_position_; }
  // The first few problems that Refuse was called with.
  const std::vector<Problem>& problems() const { return problems_; }
  // True iff some value is a `duplicate`.
  bool has_duplicates() const { return has_duplicates_; }
  // The number of containers that have begun and not ended.
  std::size_t depth() const { return open_.size(); }
  // 1-based. For diagnostics: counts newlines if positions are offsets.
  std::uint32_t LineOf(std::uint32_t position) const;

 private:
  struct Container {
    Value* value;
    Value* last;  // null: empty so far
    bool has_merge;
  };

  void Begin(Value::Kind kind, std::uint32_t position);
  Value* Add(Value::Kind kind, std::uint32_t position);
  // Counts `child`, which has ended, in the container that holds it.
  void Account(const Value& child);
  Value* NewValue();
  void Copy(const Value& from, Value& to);
  void FindDuplicates(Value& map);
  void Merge(Container& map);

  std::string_view source_;
  std::uint32_t first_line_ = 1;
  std::vector<std::unique_ptr<Value[]>> blocks_;
  std::size_t used_ = 0;  // values taken from blocks_
  std::vector<std::unique_ptr<char[]>> text_blocks_;
  std::size_t text_block_ = 0;  // the text block that is being filled
  std::size_t text_used_ = 0;   // in that block
  std::vector<std::unique_ptr<char[]>> long_texts_;
  std::size_t text_bytes_ = 0;
  std::vector<Container> open_;
  std::string_view key_;
  std::uint32_t key_position_ = 0;
  bool key_is_merge_ = false;
  Value* root_ = nullptr;
  bool has_duplicates_ = false;
  std::vector<Value*> sorted_;  // scratch of FindDuplicates
  std::string failure_;
  std::uint32_t failure_position_ = 0;
  std::vector<Problem> problems_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MODEL_VALUE_H_
