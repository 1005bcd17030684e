// Typed access to an object's fields. A Field knows its path, so that an error names it ("spec.ingress[0].ports[1]").
//
// A Field refers to the Field that it was taken from: keep both in local variables, the outer one first. A field that
// is missing or null is absent (NP-13): functions that read it return their defaults, without an error.
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

// Where an object comes from. An API server has checked it by a schema, maybe of a newer version than ours. So an
// unknown part of a rule is no mistake there, and fails closed (CNP-08). In a manifest it is a mistake.
enum class Origin : std::uint8_t { kManifest, kApiServer };

// Collects what a decoder finds about one object.
class Findings {
 public:
  Findings(const ValueTree& tree, const std::string& file, Diagnostics& diagnostics, Origin origin = Origin::kManifest)
      : tree_(tree), file_(file), diagnostics_(diagnostics), origin_(origin) {}

  Origin origin() const { return origin_; }
  // The paths of the fields that failed closed.
  void AddClosed(std::string field) { closed_.push_back(std::move(field)); }
  std::vector<std::string> TakeClosed() { return std::move(closed_); }

  // Sets the object that later findings name.
  void SetObject(std::string object) { object_ = std::move(object); }
  void Add(Severity severity, std::uint32_t position, std::string field, std::string message);
  std::size_t errors() const { return errors_; }
  // True once further findings are no longer reported.
  bool full() const { return told_ >= kMostTold; }

 private:
  // Further findings about an object are counted, not reported.
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
  // Calls `visit` with each item of a list. An item that is null is an error; `remedy` says what to do about it. An
  // absent list has no items.
  void EachItem(const std::function<void(const Field&)>& visit, std::string_view remedy = "leave it out") const;
  // Calls `visit` with each entry of a map, null or not; the later one if a key is given twice. Absent: no entries.
  void EachEntry(const std::function<void(const Field&)>& visit) const;

  // Requires a map in which any other field is an error.
  void CheckOnly(std::span<const std::string_view> known) const;
  void CheckOnly(Names known) const { CheckOnly(std::span(known.begin(), known.end())); }
  // The same, but a field that resembles none of them is only a warning.
  void CheckMostly(Names known) const;
  // The same for fields of which an API server may know more than we do. True iff there is another field: an error in a
  // manifest; otherwise it fails closed.
  bool HasUnknown(Names known) const;
  // Requires a map with many other fields. A field that looks like a mistyped one of `known` gets a warning.
  void CheckTypos(Names known) const;

  bool present() const { return value_ != nullptr; }
  bool is(Value::Kind kind) const { return value_ != nullptr && value_->kind == kind; }
  // True for a map that has this key, whatever its value.
  bool Has(std::string_view key) const { return value_ != nullptr && value_->Find(key) != nullptr; }
  // True for a list or map that was not read to its end.
  bool cut() const { return value_ != nullptr && value_->cut; }
  // The list's or map's length; 0 for anything else.
  std::size_t Size() const;
  std::string_view key() const { return key_; }
  // Errors in the whole object so far.
  std::size_t errors() const { return findings_.errors(); }

  // Each returns nothing for an absent field. A field of another type is an error, and also returns nothing.
  std::optional<std::string_view> String() const;
  // The same, but a scalar of another type, also an error, is returned as it was written: `8080` as "8080".
  std::optional<std::string_view> Text() const;
  std::optional<bool> Bool() const;
  std::optional<std::int64_t> Integer(std::int64_t least, std::int64_t most) const;

  void Error(std::string message) const;
  void Warning(std::string message) const;
  // For what this version does not know or support: an error in a manifest, otherwise a warning.
  void Unknown(std::string message) const;
  // A warning: the field asks for something that is not done, so it fails closed.
  void Closed(std::string message) const;
  // An error in an entry's key, not in its value.
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
  std::uint32_t position_;  // of the value, or of what should contain it
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MODEL_FIELD_H_
