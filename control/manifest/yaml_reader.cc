// YAML by yaml-cpp's events: no tree of a whole document is ever built.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "manifest/file_decoder.h"
#include "manifest/parallel_decoder.h"
#include "manifest/yaml_documents.h"
#include "manifest/yaml_scalar.h"

namespace sluice {
namespace {

// One document's events into trees: one for the document, and one for each item if it is a list of objects.
class DocumentHandler : public YAML::EventHandler {
 public:
  DocumentHandler(YamlDocuments& documents, FileDecoder& decoder) : documents_(documents), decoder_(decoder) {}

  // Of the document that began last.
  const YAML::Mark& start() const { return start_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    Hear(mark);
    start_ = mark;
    document_.Clear();
    item_.Clear();
    tree_ = &document_;
    levels_.clear();
    anchors_.clear();
    has_anchors_ = false;
    in_items_ = false;
    streamed_ = false;
  }

  void OnDocumentEnd() override {
    Hear(heard_);
    if (streamed_) {
      decoder_.ListEnd(document_);
    } else {
      decoder_.Document(document_);
    }
  }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Hear(mark);
    if (!Enter()) return RefuseKey(Line(mark));
    Leave(tree_->Null(Line(mark)), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Hear(mark);
    const auto found = anchors_.find(anchor);
    const Value* target = found == anchors_.end() ? nullptr : found->second;
    if (!Enter()) {
      const bool is_string = target != nullptr && target->kind == Value::Kind::kString;
      return is_string ? AddKey(mark, target->text) : RefuseKey(Line(mark));
    }
    if (target == nullptr) {
      tree_->Fail("an alias of a value that holds the alias, or that was refused", Line(mark));
      return Leave(nullptr, 0);
    }
    Leave(tree_->Alias(target, Line(mark)), 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    Hear(mark);
    const bool plain = tag == "?" || tag.empty();
    if (!Enter()) return AddScalarKey(mark, plain, text);
    const bool by_form = plain || tag == "tag:yaml.org,2002:int" || tag == "tag:yaml.org,2002:float" ||
                         tag == "tag:yaml.org,2002:bool" || tag == "tag:yaml.org,2002:null";
    const PlainScalar scalar = by_form ? ResolvePlain(text) : PlainScalar{};
    const std::uint32_t line = Line(mark);
    const std::string_view kept = tree_->Keep(text);
    switch (scalar.kind) {
      case Value::Kind::kNull:
        return Leave(tree_->Null(line), anchor);
      case Value::Kind::kBool:
        return Leave(tree_->Bool(scalar.boolean, kept, line), anchor);
      case Value::Kind::kInteger:
        return Leave(tree_->Integer(scalar.integer, kept, line), anchor);
      case Value::Kind::kFloat:
        return Leave(tree_->Float(kept, line), anchor);
      default:
        return Leave(tree_->String(kept, line), anchor);
    }
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Hear(mark);
    const bool is_key = !Enter();
    const bool items = !is_key && levels_.size() == 1 && levels_[0].is_map && key_ == "items" && MayBeList();
    if (is_key) tree_->Fail("a key must be a string, is a list", Line(mark));
    tree_->BeginList(Line(mark));
    Open(false, is_key, anchor);
    if (!items) return;
    in_items_ = true;
    streamed_ = true;
    item_type_ = document_.root() == nullptr ? TypeMeta{} : ItemTypeOf(*document_.root());
  }

  void OnSequenceEnd() override { Close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Hear(mark);
    const bool is_key = !Enter();
    if (is_key) tree_->Fail("a key must be a string, is a map", Line(mark));
    tree_->BeginMap(Line(mark));
    Open(true, is_key, anchor);
  }

  void OnMapEnd() override { Close(); }

 private:
  // A map or sequence that has begun.
  struct Level {
    bool is_map;
    bool wants_key;  // of a map: the next value is a key
    bool is_key;     // it stands where a key should
    YAML::anchor_t anchor;
  };

  // Items are at level 2: the document's map, and its sequence `items`.
  static constexpr std::size_t kItemLevel = 2;

  // The first thing that each event does. Ends have no place of their own.
  void Hear(const YAML::Mark& mark) {
    heard_ = mark;
    if (documents_.Heard()) return;
    throw YAML::ParserException(mark, "more than " + std::to_string(YamlDocuments::kMostUnheardBytes >> 20) +
                                          " MiB in one {...}, [...] or scalar; JSON of this size is read where the "
                                          "file's name ends in .json");
  }

  std::uint32_t Line(const YAML::Mark& mark) const {
    return documents_.first_line() + static_cast<std::uint32_t>(mark.line);
  }

  bool MayBeList() const {
    const Value* root = document_.root();
    return root != nullptr && (root->Find("kind") == nullptr || root->Find("kind")->text.ends_with("List"));
  }

  // Prepares for a value. False: it is a map's key.
  bool Enter() {
    if (in_items_ && levels_.size() == kItemLevel) {
      tree_ = &item_;
      has_anchors_ ? item_.NextRoot() : item_.Clear();
    }
    return levels_.empty() || !levels_.back().is_map || !levels_.back().wants_key;
  }

  void AddScalarKey(const YAML::Mark& mark, bool plain, const std::string& text) {
    if (plain && text == "<<") {
      tree_->MergeKey(Line(mark));
      key_ = text;
      levels_.back().wants_key = false;
      return;
    }
    // A key is a string, whatever it looks like; YAML 1.1's other names of true and false become these.
    const PlainScalar scalar = plain ? ResolvePlain(text) : PlainScalar{};
    AddKey(mark, scalar.kind != Value::Kind::kBool ? std::string_view(text) : scalar.boolean ? "true" : "false");
  }

  void AddKey(const YAML::Mark& mark, std::string_view key) {
    key_ = key;
    tree_->Key(tree_->Keep(key), Line(mark));
    levels_.back().wants_key = false;
  }

  void RefuseKey(std::uint32_t line) {
    tree_->Fail("a key must be a string", line);
    levels_.back().wants_key = false;
  }

  void Open(bool is_map, bool is_key, YAML::anchor_t anchor) {
    if (anchor != 0) has_anchors_ = true;
    levels_.push_back({is_map, true, is_key, anchor});
  }

  void Close() {
    Hear(heard_);
    if (in_items_ && levels_.size() == kItemLevel) {
      in_items_ = false;
      tree_ = &document_;
    }
    const Level level = levels_.back();
    levels_.pop_back();
    const Value* value = tree_->End();
    if (level.is_key) {
      levels_.back().wants_key = false;
    } else {
      Leave(value, level.anchor);
    }
  }

  // After a value has ended.
  void Leave(const Value* value, YAML::anchor_t anchor) {
    if (anchor != 0) {
      has_anchors_ = true;
      if (value != nullptr) anchors_[anchor] = value;
    }
    if (in_items_ && levels_.size() == kItemLevel) decoder_.Item(item_, item_type_);
    if (!levels_.empty()) levels_.back().wants_key = true;
  }

  YamlDocuments& documents_;
  FileDecoder& decoder_;
  YAML::Mark start_;
  YAML::Mark heard_;
  ValueTree document_;
  ValueTree item_;
  ValueTree* tree_ = &document_;
  std::vector<Level> levels_;
  std::string key_;  // the latest
  std::unordered_map<YAML::anchor_t, const Value*> anchors_;
  bool has_anchors_ = false;
  bool in_items_ = false;
  bool streamed_ = false;
  TypeMeta item_type_;
};

void ReadDocuments(YamlDocuments& documents, FileDecoder& decoder) {
  DocumentHandler handler(documents, decoder);
  while (documents.Next()) {
    std::istream document(&documents);
    try {
      YAML::Parser parser(document);
      // A token that may not begin a document makes yaml-cpp report an empty one there, over and over.
      for (int last_start = -1; parser.HandleNextDocument(handler); last_start = handler.start().pos) {
        if (handler.start().pos == last_start) throw YAML::ParserException(handler.start(), "unexpected text");
      }
    } catch (const YAML::Exception& error) {
      const std::uint32_t line = error.mark.is_null() ? 0 : static_cast<std::uint32_t>(error.mark.line);
      decoder.Broken(documents.first_line() + line, "not YAML, the document is refused from here on: " + error.msg);
    } catch (const std::exception& error) {
      decoder.Broken(documents.first_line(), std::string("not YAML: ") + error.what());
    }
  }
}

}  // namespace

void ReadYaml(std::istream& in, FileDecoder& decoder, const ReadSettings& settings) {
  YamlParts parts(in, settings.part_bytes);
  YamlPart part;
  ParallelDecoder parallel(decoder, settings.threads);
  while (parts.Next(part)) {
    parallel.Add([part = std::move(part)](FileDecoder& its) mutable {
      YamlDocuments documents(std::move(part));
      ReadDocuments(documents, its);
    });
  }
  parallel.Finish();
  // A long document, which no thread holds as a whole, and what comes behind it.
  YamlDocuments documents(std::move(part), &in);
  ReadDocuments(documents, decoder);
}

}  // namespace sluice
