// Typed access to an object's fields. A Field knows its path, so that an error names it ("spec.ingress[0].ports[1]").
//
// A Field refers to the one that it was taken from: keep both in local variables, the holder first.
// A field that is missing or null is absent (NP-13): readers of it return what their defaults are, without an error.
#ifndef SLUICE_CONTROL_MODEL_FIELD_H_
#define SLUICE_CONTROL_MODEL_FIELD_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/value.h"
#include "sluice/diagnostic.h"

namespace sluice {

// Where an object comes from. An API server has held it against a schema, maybe of a newer version than ours: what we
// do not know of a rule there is no mistake, and fails closed (CNP-08). In a manifest it is a mistake.
enum class Origin : std::uint8_t { kManifest, kApiServer };

// Where a decoder's findings about one object go.
class Findings {
 public:
  Findings(const ValueTree& tree, const std::string& file, Diagnostics& diagnostics, Origin origin = Origin::kManifest)
      : tree_(tree), file_(file), diagnostics_(diagnostics), origin_(origin) {}

  Origin origin() const { return origin_; }
  // Fields that failed closed, by path.
  void AddClosed(std::string field) { closed_.push_back(std::move(field)); }
  std::vector<std::string> TakeClosed() { return std::move(closed_); }

  // Names the object in what is added from now on.
  void SetObject(std::string object) { object_ = std::move(object); }
  void Add(Severity severity, std::uint32_t position, std::string field, std::string message);
  std::size_t errors() const { return errors_; }
  // True once further findings are no longer told.
  bool full() const { return told_ >= kMostTold; }

 private:
  // An object's further findings are counted, not told.
  static constexpr std::size_t kMostTold = 50;

  const ValueTree& tree_;
  const std::string& file_;
  Diagnostics& diagnostics_;
  const Origin origin_;
  std::string object_;
  std::vector<std::string> closed_;
  std::size_t errors_ = 0;
  std::size_t told_ = 0;
};

class Field {
 public:
  using Names = std::initializer_list<std::string_view>;

  Field(Findings& findings, const Value& root) : findings_(findings), value_(&root), position_(root.position) {}

  // Requires a map or an absent field; anything else is an error, reported by the Check functions below.
  Field Get(std::string_view key) const&;
  Field Get(std::string_view key) const&& = delete;
  // Calls with each item of a list. An item that is null is an error, of which `remedy` says what belongs there.
  // Absent: no items.
  void EachItem(const std::function<void(const Field&)>& visit, std::string_view remedy = "leave it out") const;
  // Calls with each entry of a map, whatever its value; of a key given twice with the later. Absent: no entries.
  void EachEntry(const std::function<void(const Field&)>& visit) const;

  // A map in which any other field is an error.
  void CheckOnly(std::span<const std::string_view> known) const;
  void CheckOnly(Names known) const { CheckOnly(std::span(known.begin(), known.end())); }
  // The same, but a field that looks like none of them is a warning.
  void CheckMostly(Names known) const;
  // The same, but where an API server may know more than we do: true iff there is another field. That is an error in a
  // manifest, and else fails closed.
  bool HasUnknown(Names known) const;
  // A map of many other fields; one that looks like a mistyped one of `known` is worth a warning.
  void CheckTypos(Names known) const;

  bool present() const { return value_ != nullptr; }
  bool is(Value::Kind kind) const { return value_ != nullptr && value_->kind == kind; }
  // A map that has this key, whatever its value.
  bool Has(std::string_view key) const { return value_ != nullptr && value_->Find(key) != nullptr; }
  // A list or map that was not read to its end.
  bool cut() const { return value_ != nullptr && value_->cut; }
  // The list's or map's length; 0 for anything else.
  std::size_t Size() const;
  std::string_view key() const { return key_; }
  // Of the whole object, so far.
  std::size_t errors() const { return findings_.errors(); }

  // Each returns nothing for an absent field, and for one of another type, which is an error.
  std::optional<std::string_view> String() const;
  // The same, but a scalar of another type, which is an error too, is returned as it was written: `8080` as "8080".
  std::optional<std::string_view> Text() const;
  std::optional<bool> Bool() const;
  std::optional<std::int64_t> Integer(std::int64_t least, std::int64_t most) const;

  void Error(std::string message) const;
  void Warning(std::string message) const;
  // What this version does not know or support: an error in a manifest, else a warning.
  void Unknown(std::string message) const;
  // A warning: what the field says is not done, so that it fails closed.
  void Closed(std::string message) const;
  // Of an entry's key, rather than its value.
  void KeyError(std::string message) const;

 private:
  static constexpr std::size_t kNoIndex = ~std::size_t{0};

  Field(const Field& holder, std::string_view key, std::size_t index, const Value* value);
  void WrongType(std::string_view wanted) const;
  bool CheckMap() const;
  std::string Path() const;

  Findings& findings_;
  const Field* holder_ = nullptr;
  std::string_view key_;
  std::size_t index_ = kNoIndex;
  const Value* value_;      // null: absent
  std::uint32_t position_;  // of the value, or of what should hold it
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MODEL_FIELD_H_
