#include "model/value.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_map>
#include <utility>

namespace sluice {
namespace {

constexpr std::size_t kBlockValues = 512;
constexpr std::size_t kTextBlockBytes = 16 << 10;
// Up to this size, comparing all keys with each other is faster than sorting.
constexpr std::size_t kFewKeys = 12;
constexpr std::size_t kMostProblems = 16;
// Up to this number, a double holds every integer.
constexpr double kMostExact = 9007199254740992.0;

}  // namespace

const Value* Value::Find(std::string_view name) const {
  if (kind != Kind::kMap) return nullptr;
  for (const Value* entry = first; entry != nullptr; entry = entry->next) {
    if (entry->key == name && !entry->duplicate) return entry;
  }
  return nullptr;
}

std::string_view KindName(Value::Kind kind) {
  switch (kind) {
    case Value::Kind::kNull:
      return "null";
    case Value::Kind::kBool:
      return "a boolean";
    case Value::Kind::kInteger:
      return "an integer";
    case Value::Kind::kFloat:
      return "a fraction";
    case Value::Kind::kString:
      return "a string";
    case Value::Kind::kList:
      return "a list";
    case Value::Kind::kMap:
      return "a map";
  }
  return "";
}

void ValueTree::Clear(std::string_view source, std::uint32_t first_line) {
  source_ = source;
  first_line_ = first_line;
  used_ = 0;
  text_block_ = 0;
  text_used_ = 0;
  text_bytes_ = 0;
  long_texts_.clear();
  has_duplicates_ = false;
  NextRoot();
}

void ValueTree::NextRoot() {
  open_.clear();
  key_is_merge_ = false;
  root_ = nullptr;
  failure_.clear();
  failure_position_ = 0;
  problems_.clear();
}

void ValueTree::Begin(Value::Kind kind, std::uint32_t position) {
  Value* value = Add(kind, position);
  if (value == nullptr) return;
  if (open_.size() >= kMaxDepth) return Fail("nested deeper than " + std::to_string(kMaxDepth) + " levels", position);
  open_.push_back({value, nullptr, false});
}

const Value* ValueTree::End() {
  if (!failure_.empty() || open_.empty()) return nullptr;
  Container& ended = open_.back();
  Value* value = ended.value;
  if (value->kind == Value::Kind::kMap) {
    if (ended.has_merge) Merge(ended);
    FindDuplicates(*value);
  }
  open_.pop_back();
  Account(*value);
  return failure_.empty() ? value : nullptr;
}

void ValueTree::Key(std::string_view key, std::uint32_t position) {
  key_ = key;
  key_position_ = position;
  key_is_merge_ = false;
}

void ValueTree::MergeKey(std::uint32_t position) {
  Key("<<", position);
  key_is_merge_ = true;
  if (!open_.empty()) open_.back().has_merge = true;
}

const Value* ValueTree::Null(std::uint32_t position) {
  Value* value = Add(Value::Kind::kNull, position);
  if (value != nullptr) Account(*value);
  return value;
}

const Value* ValueTree::Bool(bool boolean, std::string_view text, std::uint32_t position) {
  Value* value = Add(Value::Kind::kBool, position);
  if (value == nullptr) return nullptr;
  value->boolean = boolean;
  value->text = text;
  Account(*value);
  return value;
}

const Value* ValueTree::Integer(std::int64_t integer, std::string_view text, std::uint32_t position) {
  Value* value = Add(Value::Kind::kInteger, position);
  if (value == nullptr) return nullptr;
  value->integer = integer;
  value->text = text;
  Account(*value);
  return value;
}

const Value* ValueTree::Float(double real, std::string_view text, std::uint32_t position) {
  if (std::abs(real) <= kMostExact && std::trunc(real) == real) {
    return Integer(static_cast<std::int64_t>(real), text, position);
  }
  Value* value = Add(Value::Kind::kFloat, position);
  if (value == nullptr) return nullptr;
  value->real = real;
  value->text = text;
  Account(*value);
  return value;
}

const Value* ValueTree::String(std::string_view text, std::uint32_t position) {
  Value* value = Add(Value::Kind::kString, position);
  if (value == nullptr) return nullptr;
  value->text = text;
  Account(*value);
  return value;
}

const Value* ValueTree::Alias(const Value* target, std::uint32_t position) {
  Value* value = Add(target->kind, position);
  if (value == nullptr) return nullptr;
  Copy(*target, *value);
  Account(*value);
  return value;
}

void ValueTree::Copy(const Value& from, Value& to) {
  to.kind = from.kind;
  to.boolean = from.boolean;
  to.height = from.height;
  to.size = from.size;
  to.text = from.text;
  to.integer = from.integer;  // or the double in the union
  to.first = from.first;
}

std::string_view ValueTree::Keep(std::string_view text) {
  if (text.empty() || !failure_.empty()) return {};
  text_bytes_ += text.size();
  if (text_bytes_ > kMaxTextBytes) {
    Fail("larger than " + std::to_string(kMaxTextBytes >> 20) + " MiB, more than any API server stores",
         root_ == nullptr ? 0 : root_->position);
    return {};
  }
  if (text.size() > kTextBlockBytes / 4) {
    long_texts_.push_back(std::make_unique_for_overwrite<char[]>(text.size()));
    std::memcpy(long_texts_.back().get(), text.data(), text.size());
    return {long_texts_.back().get(), text.size()};
  }
  if (!text_blocks_.empty() && text_used_ + text.size() > kTextBlockBytes) {
    ++text_block_;
    text_used_ = 0;
  }
  if (text_block_ == text_blocks_.size()) {
    text_blocks_.push_back(std::make_unique_for_overwrite<char[]>(kTextBlockBytes));
  }
  char* kept = text_blocks_[text_block_].get() + text_used_;
  std::memcpy(kept, text.data(), text.size());
  text_used_ += text.size();
  return {kept, text.size()};
}

std::uint32_t ValueTree::LineOf(std::uint32_t position) const {
  if (source_.empty()) return position;
  const std::string_view before = source_.substr(0, std::min<std::size_t>(position, source_.size()));
  return first_line_ + static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n'));
}

Value* ValueTree::Add(Value::Kind kind, std::uint32_t position) {
  if (!failure_.empty()) return nullptr;
  if (used_ >= kMaxValues) {
    Fail("more than " + std::to_string(kMaxValues) + " values, more than any API server stores", position);
    return nullptr;
  }
  Value* value = NewValue();
  value->kind = kind;
  value->position = position;
  if (open_.empty()) {
    root_ = value;
    return value;
  }
  Container& holder = open_.back();
  if (holder.value->kind == Value::Kind::kMap) {
    value->key = key_;
    value->key_position = key_position_;
    value->merge = std::exchange(key_is_merge_, false);
  }
  (holder.last == nullptr ? holder.value->first : holder.last->next) = value;
  holder.last = value;
  return value;
}

void ValueTree::Account(const Value& child) {
  if (open_.empty()) return;
  Value& holder = *open_.back().value;
  holder.size += child.size;
  holder.height = std::max<std::uint16_t>(holder.height, child.height + 1);
  if (holder.size > kMaxValues) {
    Fail("aliases expand to more than " + std::to_string(kMaxValues) + " values", child.position);
  } else if (open_.size() + child.height > kMaxDepth) {
    Fail("nested deeper than " + std::to_string(kMaxDepth) + " levels", child.position);
  }
}

Value* ValueTree::NewValue() {
  const std::size_t block = used_ / kBlockValues;
  if (block == blocks_.size()) blocks_.push_back(std::make_unique_for_overwrite<Value[]>(kBlockValues));
  Value* value = &blocks_[block][used_++ % kBlockValues];
  *value = Value{};
  return value;
}

void ValueTree::FindDuplicates(Value& map) {
  const auto mark = [this](Value* entry) { entry->duplicate = has_duplicates_ = true; };
  std::size_t count = 0;
  for (const Value* entry = map.first; entry != nullptr && count <= kFewKeys; entry = entry->next) ++count;
  if (count <= kFewKeys) {
    for (Value* entry = map.first; entry != nullptr; entry = entry->next) {
      const Value* later = entry->next;
      while (later != nullptr && later->key != entry->key) later = later->next;
      if (later != nullptr) mark(entry);
    }
    return;
  }
  sorted_.clear();
  for (Value* entry = map.first; entry != nullptr; entry = entry->next) sorted_.push_back(entry);
  std::stable_sort(sorted_.begin(), sorted_.end(), [](const Value* a, const Value* b) { return a->key < b->key; });
  for (std::size_t i = 1; i < sorted_.size(); ++i) {
    if (sorted_[i]->key == sorted_[i - 1]->key) mark(sorted_[i - 1]);
  }
}

// `<<: *base`, or `<<: [*one, *two]`, as in go-yaml v2: at its place, the map takes over each entry and replaces an
// earlier entry with that key; a later entry replaces it in turn. In a list of maps, the earlier maps win.
void ValueTree::Merge(Container& map) {
  std::vector<Value*> entries;  // null: replaced
  std::unordered_map<std::string_view, std::size_t> places;
  const auto merge_from = [&](const Value& source) {
    if (source.kind != Value::Kind::kMap) {
      return Refuse("the merge key << needs a map or a list of maps, not " + std::string(KindName(source.kind)),
                    source.position);
    }
    for (const Value* from = source.first; from != nullptr && failure_.empty(); from = from->next) {
      if (from->duplicate) continue;
      const auto [place, is_new] = places.try_emplace(from->key, entries.size());
      if (is_new) {
        if (used_ >= kMaxValues) return Fail("more than " + std::to_string(kMaxValues) + " values", from->position);
        entries.push_back(NewValue());
        entries.back()->key = from->key;
      }
      Value* entry = entries[place->second];
      entry->key_position = from->key_position;
      entry->position = from->position;
      entry->merge = true;
      Copy(*from, *entry);
      Account(*entry);
    }
  };
  for (Value* entry = map.value->first; entry != nullptr; entry = entry->next) {
    if (!entry->merge) {
      const auto [place, is_new] = places.try_emplace(entry->key);
      // A key given twice stays in both places, for FindDuplicates. A key from a merge does not.
      if (!is_new && entries[place->second]->merge) entries[place->second] = nullptr;
      place->second = entries.size();
      entries.push_back(entry);
    } else if (entry->kind == Value::Kind::kList) {
      std::vector<const Value*> maps;
      for (const Value* item = entry->first; item != nullptr; item = item->next) maps.push_back(item);
      for (auto item = maps.rbegin(); item != maps.rend(); ++item) merge_from(**item);
    } else {
      merge_from(*entry);
    }
  }
  std::erase(entries, nullptr);
  Value** link = &map.value->first;
  for (Value* entry : entries) {
    entry->merge = false;
    *link = entry;
    link = &entry->next;
  }
  *link = nullptr;
  map.last = entries.empty() ? nullptr : entries.back();
}

void ValueTree::Fail(std::string why, std::uint32_t position) {
  if (!failure_.empty()) return;
  failure_ = std::move(why);
  failure_position_ = position;
  for (const Container& container : open_) container.value->cut = true;
}

void ValueTree::Refuse(std::string why, std::uint32_t position) {
  if (failure_.empty() && problems_.size() < kMostProblems) problems_.push_back({std::move(why), position});
}

}  // namespace sluice
