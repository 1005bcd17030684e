#include "manifest/file_decoder.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "manifest/field_lines.h"

namespace sluice {

bool FileObjects::HoldsUnclear() const {
  return std::any_of(objects.begin(), objects.end(), [](const DecodedObject& object) {
    return object.unclear && object.outcome == DecodedObject::Outcome::kRefused;
  });
}

void FileDecoder::Document(const ValueTree& tree) {
  if (!Readable(tree, {}) || tree.root()->kind == Value::Kind::kNull) return;
  Decode(tree, *tree.root(), {});
}

void FileDecoder::Item(const ValueTree& tree, const TypeMeta& item_type) {
  if (Readable(tree, item_type)) Decode(tree, *tree.root(), item_type);
}

void FileDecoder::ListEnd(const ValueTree& list) {
  if (!Readable(list, {})) return;
  // An object that has items but is no list has a field too many: its decoder reports that.
  if (!IsObjectList(*list.root())) return Document(list);
  if (!list.has_duplicates()) return;
  for (const Value* entry = list.root()->first; entry != nullptr; entry = entry->next) {
    if (!entry->duplicate) continue;
    const Value& later = *list.root()->Find(entry->key);
    result_.diagnostics.push_back({Severity::kError, path_, list.LineOf(later.key_position),
                                   std::string(list.root()->Find("kind")->text), std::string(entry->key),
                                   "given twice"});
  }
}

void FileDecoder::Append(FileDecoder part) {
  FileObjects& added = part.result_;
  std::move(added.objects.begin(), added.objects.end(), std::back_inserter(result_.objects));
  std::move(added.diagnostics.begin(), added.diagnostics.end(), std::back_inserter(result_.diagnostics));
  result_.broken = result_.broken || added.broken;
  result_.unread = result_.unread || added.unread;
  untold_ += part.untold_;
  Bound();
}

void FileDecoder::Broken(std::uint32_t line, std::string why) {
  result_.broken = true;
  result_.unread = true;
  Mistaken(line, std::move(why));
}

void FileDecoder::Mistaken(std::uint32_t line, std::string why) {
  result_.diagnostics.push_back({Severity::kError, path_, line, {}, {}, std::move(why)});
  Bound();
}

void FileDecoder::Partial(const ValueTree& tree, const TypeMeta& item_type) {
  const Value* object = tree.partial();
  if (object == nullptr || object->kind != Value::Kind::kMap || IsObjectList(*object)) return;
  Diagnostics known;  // why the object is not whole is already reported
  DecodedObject decoded = DecodeObject(tree, *object, item_type, path_, known);
  if (decoded.outcome == DecodedObject::Outcome::kRefused) result_.objects.push_back(std::move(decoded));
}

FileObjects FileDecoder::Take() && {
  if (untold_ != 0) {
    result_.diagnostics.push_back(
        {Severity::kError, path_, 0, {}, {}, std::to_string(untold_) + " more errors, warnings and notes"});
  }
  return std::move(result_);
}

void FileDecoder::Decode(const ValueTree& tree, const Value& object, const TypeMeta& item_type) {
  if (IsObjectList(object)) {
    const TypeMeta nested_type = ItemTypeOf(object);
    const Value* items = object.Find("items");
    if (items == nullptr) return;
    if (items->kind != Value::Kind::kList && items->kind != Value::Kind::kNull) {
      return Broken(tree.LineOf(items->position), "items: must be a list, is " + std::string(KindName(items->kind)));
    }
    for (const Value* item = items->first; item != nullptr; item = item->next) Decode(tree, *item, nested_type);
    return;
  }
  DecodedObject decoded = DecodeObject(tree, object, item_type, path_, result_.diagnostics);
  Bound();
  if (decoded.outcome == DecodedObject::Outcome::kSkipped) return;
  if (decoded.outcome == DecodedObject::Outcome::kRefused && decoded.key.name.empty()) result_.broken = true;
  if (keep_lines_) decoded.lines = std::make_shared<FieldLines>(FieldLinesOf(tree, object));
  result_.objects.push_back(std::move(decoded));
}

bool FileDecoder::Readable(const ValueTree& tree, const TypeMeta& item_type) {
  if (!tree.failure().empty()) {
    Broken(tree.LineOf(tree.failure_position()), tree.failure());
    Partial(tree, item_type);
  }
  return tree.root() != nullptr;
}

void FileDecoder::Bound() {
  if (result_.diagnostics.size() <= kMostDiagnostics) return;
  untold_ += result_.diagnostics.size() - kMostDiagnostics;
  result_.diagnostics.resize(kMostDiagnostics);
}

}  // namespace sluice
