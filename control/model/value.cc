#include "model/value.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>
#include <utility>

namespace sluice {
namespace {

constexpr std::size_t kBlockValues = 512;
constexpr std::size_t kTextBlockBytes = 16 << 10;
// Up to here comparing each key with each other beats sorting.
constexpr std::size_t kFewKeys = 12;

}  // namespace

const Value* Value::Find(std::string_view name) const {
  if (kind != Kind::kMap) return nullptr;
  for (const Value* entry = first; entry != nullptr; entry = entry->next) {
    if (entry->key == name) return entry;
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

const Value* ValueTree::Float(std::string_view text, std::uint32_t position) {
  Value* value = Add(Value::Kind::kFloat, position);
  if (value == nullptr) return nullptr;
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
  value->boolean = target->boolean;
  value->height = target->height;
  value->size = target->size;
  value->text = target->text;
  value->integer = target->integer;
  value->first = target->first;
  Account(*value);
  return value;
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
      if (map.Find(entry->key) != entry) mark(entry);
    }
    return;
  }
  sorted_.clear();
  for (Value* entry = map.first; entry != nullptr; entry = entry->next) sorted_.push_back(entry);
  std::stable_sort(sorted_.begin(), sorted_.end(), [](const Value* a, const Value* b) { return a->key < b->key; });
  for (std::size_t i = 1; i < sorted_.size(); ++i) {
    if (sorted_[i]->key == sorted_[i - 1]->key) mark(sorted_[i]);
  }
}

// `<<: *base`, or `<<: [*one, *two]`: entries whose key the map does not have are taken over, earlier sources first.
void ValueTree::Merge(Container& map) {
  std::vector<const Value*> sources;
  std::unordered_set<std::string_view> keys;
  Value* entry = map.value->first;
  map.value->first = nullptr;
  map.last = nullptr;
  for (; entry != nullptr; entry = entry->next) {
    if (entry->merge) {
      sources.push_back(entry);
      continue;
    }
    (map.last == nullptr ? map.value->first : map.last->next) = entry;
    map.last = entry;
    keys.insert(entry->key);
  }
  if (map.last != nullptr) map.last->next = nullptr;
  const auto merge_from = [&](const Value& source) {
    if (source.kind != Value::Kind::kMap) {
      return Fail("the merge key << needs a map or a list of maps, not " + std::string(KindName(source.kind)),
                  source.position);
    }
    for (const Value* merged = source.first; merged != nullptr; merged = merged->next) {
      if (!keys.insert(merged->key).second) continue;
      Key(merged->key, merged->key_position);
      Alias(merged, merged->position);
    }
  };
  for (const Value* source : sources) {
    if (source->kind != Value::Kind::kList) {
      merge_from(*source);
      continue;
    }
    for (const Value* item = source->first; item != nullptr; item = item->next) merge_from(*item);
  }
}

void ValueTree::Fail(std::string why, std::uint32_t position) {
  if (!failure_.empty()) return;
  failure_ = std::move(why);
  failure_position_ = position;
}

}  // namespace sluice
