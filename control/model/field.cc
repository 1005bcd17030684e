#include "model/field.h"

#include <algorithm>
#include <utility>

#include "model/names.h"

namespace sluice {
namespace {

std::string Quoted(std::string_view text) { return '"' + std::string(text) + '"'; }

std::string OneOf(std::span<const std::string_view> names) {
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

}  // namespace

void Findings::Add(Severity severity, std::uint32_t position, std::string field, std::string message) {
  if (severity == Severity::kError) ++errors_;
  if (++told_ > kMostTold) return;
  if (told_ == kMostTold) message += "; what else is wrong with this object is not listed";
  diagnostics_.push_back({severity, file_, tree_.LineOf(position), object_, std::move(field), std::move(message)});
}

Field::Field(const Field& holder, std::string_view key, std::size_t index, const Value* value)
    : findings_(holder.findings_),
      holder_(&holder),
      key_(key),
      index_(index),
      value_(value != nullptr && value->kind != Value::Kind::kNull ? value : nullptr),
      position_(value != nullptr ? value->position : holder.position_) {}

Field Field::Get(std::string_view key) const& {
  return Field(*this, key, kNoIndex, value_ == nullptr ? nullptr : value_->Find(key));
}

void Field::EachItem(const std::function<void(const Field&)>& visit, std::string_view remedy) const {
  if (value_ == nullptr) return;
  if (value_->kind != Value::Kind::kList) return WrongType("a list");
  std::size_t index = 0;
  for (const Value* item = value_->first; item != nullptr; item = item->next, ++index) {
    const Field field(*this, {}, index, item);
    if (field.present()) {
      visit(field);
    } else {
      field.Error("is null; " + std::string(remedy));
    }
  }
}

void Field::EachEntry(const std::function<void(const Field&)>& visit) const {
  if (!CheckMap()) return;
  for (const Value* entry = value_->first; entry != nullptr; entry = entry->next) {
    if (entry->duplicate) continue;
    const Field field(*this, entry->key, kNoIndex, entry);
    visit(field);
  }
}

void Field::CheckOnly(std::span<const std::string_view> known) const {
  if (!CheckMap()) return;
  for (const Value* entry = value_->first; entry != nullptr; entry = entry->next) {
    if (std::find(known.begin(), known.end(), entry->key) != known.end()) continue;
    const auto nearest = Nearest(entry->key, known);
    const Field field(*this, entry->key, kNoIndex, entry);
    field.KeyError("unknown field" +
                   (nearest ? "; did you mean " + std::string(*nearest) + "?" : "; known here: " + OneOf(known)));
  }
}

void Field::CheckMostly(Names known) const {
  if (!CheckMap()) return;
  for (const Value* entry = value_->first; entry != nullptr; entry = entry->next) {
    if (std::find(known.begin(), known.end(), entry->key) != known.end()) continue;
    const Field field(*this, entry->key, kNoIndex, entry);
    if (const auto nearest = Nearest(entry->key, {known.begin(), known.end()})) {
      field.KeyError("unknown field; did you mean " + std::string(*nearest) + "?");
    } else {
      findings_.Add(Severity::kWarning, entry->key_position, field.Path(), "ignored, unknown field");
    }
  }
}

bool Field::HasUnknown(Names known) const {
  if (findings_.origin() == Origin::kManifest) {
    const std::size_t before = findings_.errors();
    CheckOnly(known);
    return findings_.errors() != before;
  }
  bool unknown = false;
  EachEntry([&](const Field& entry) {
    if (std::find(known.begin(), known.end(), entry.key()) != known.end()) return;
    unknown = true;
    entry.Unknown("is not known to this version");
  });
  return unknown;
}

void Field::CheckTypos(Names known) const {
  if (!CheckMap()) return;
  for (const Value* entry = value_->first; entry != nullptr; entry = entry->next) {
    if (std::find(known.begin(), known.end(), entry->key) != known.end()) continue;
    const auto nearest = Nearest(entry->key, {known.begin(), known.end()});
    if (!nearest) continue;
    const Field field(*this, entry->key, kNoIndex, entry);
    findings_.Add(Severity::kWarning, entry->key_position, field.Path(),
                  "ignored; did you mean " + std::string(*nearest) + "?");
  }
}

std::size_t Field::Size() const {
  std::size_t size = 0;
  if (value_ == nullptr) return size;
  for (const Value* child = value_->first; child != nullptr; child = child->next) ++size;
  return size;
}

std::optional<std::string_view> Field::String() const {
  if (value_ == nullptr) return std::nullopt;
  if (value_->kind == Value::Kind::kString) return value_->text;
  const bool scalar = value_->kind != Value::Kind::kList && value_->kind != Value::Kind::kMap;
  WrongType(scalar ? "a string (write it in quotes)" : "a string");
  return std::nullopt;
}

std::optional<std::string_view> Field::Text() const {
  if (const auto text = String()) return text;
  if (value_ == nullptr || !value_->scalar()) return std::nullopt;
  return value_->text;
}

std::optional<bool> Field::Bool() const {
  if (value_ == nullptr) return std::nullopt;
  if (value_->kind == Value::Kind::kBool) return value_->boolean;
  WrongType("true or false");
  return std::nullopt;
}

std::optional<std::int64_t> Field::Integer(std::int64_t least, std::int64_t most) const {
  if (value_ == nullptr) return std::nullopt;
  if (value_->kind != Value::Kind::kInteger) {
    WrongType("an integer");
    return std::nullopt;
  }
  if (value_->integer >= least && value_->integer <= most) return value_->integer;
  Error("must be " + std::to_string(least) + " to " + std::to_string(most) + ", is " + std::string(value_->text));
  return std::nullopt;
}

void Field::Error(std::string message) const { findings_.Add(Severity::kError, position_, Path(), std::move(message)); }

void Field::Warning(std::string message) const {
  findings_.Add(Severity::kWarning, position_, Path(), std::move(message));
}

void Field::Unknown(std::string message) const {
  if (findings_.origin() == Origin::kManifest) return Error(std::move(message));
  Closed(std::move(message));
}

void Field::Closed(std::string message) const {
  findings_.AddClosed(Path());
  Warning(std::move(message));
}

void Field::KeyError(std::string message) const {
  const std::uint32_t position = value_ == nullptr ? position_ : value_->key_position;
  findings_.Add(Severity::kError, position, Path(), std::move(message));
}

void Field::WrongType(std::string_view wanted) const {
  std::string is(KindName(value_->kind));
  if (!value_->text.empty()) is += ' ' + Quoted(value_->text.substr(0, 80));
  Error("must be " + std::string(wanted) + ", is " + is);
}

bool Field::CheckMap() const {
  if (value_ == nullptr) return false;
  if (value_->kind == Value::Kind::kMap) return true;
  WrongType("a map");
  return false;
}

std::string Field::Path() const {
  if (holder_ == nullptr) return {};
  std::string path = holder_->Path();
  if (index_ != kNoIndex) return path + '[' + std::to_string(index_) + ']';
  // A label's key may have dots and slashes. It is quoted, so that the path stays readable.
  if (key_.find_first_of("./ ") != key_.npos) return path + '[' + Quoted(key_) + ']';
  return path.empty() ? std::string(key_) : path + '.' + std::string(key_);
}

}  // namespace sluice
