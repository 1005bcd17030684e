#include "manifest/yaml_reader.h"

#include <simdjson.h>
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

// Makes trees of one document's events: one tree for the document, and one for each item if it is a list of objects.
class DocumentHandler : public YAML::EventHandler {
 public:
  DocumentHandler(YamlDocuments& documents, TreeSink& sink) : documents_(documents), sink_(sink) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    Hear(mark);
    // yaml-cpp takes text that cannot belong to a document for the beginning of the next one.
    if (state_ == State::kEnded)
      throw YAML::ParserException(mark, "text that belongs nowhere; is it indented as it should be?");
    document_.Clear();
    item_.Clear();
    keys_.Clear();
    tree_ = &document_;
    levels_.clear();
    anchors_.clear();
    has_anchors_ = false;
    in_items_ = false;
    streamed_ = false;
    merging_ = false;
    key_end_ = key_start_ = kNoPlace;
    state_ = State::kBegun;
  }

  void OnDocumentEnd() override {
    Hear(heard_);
    state_ = State::kEnded;
  }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Hear(mark);
    if (!Enter()) return AddKey({.kind = Value::Kind::kNull}, "", Line(mark));
    if (mark.pos == key_end_ + 1) {
      tree_->Refuse('"' + key_ + ":\" is a key to kubectl, which wants a space behind the colon", Line(mark));
    } else if (mark.pos == key_start_ && !levels_.back().is_flow) {
      tree_->Refuse("a colon is missing behind \"" + key_ + '"', Line(mark));
    }
    Leave(tree_->Null(Line(mark)), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Hear(mark);
    const auto found = anchors_.find(anchor);
    const Value* target = found == anchors_.end() ? nullptr : found->second;
    if (!Enter()) return AddAliasKey(mark, target);
    if (target == nullptr) {
      tree_->Fail("an alias of a value that holds the alias, or that was refused", Line(mark));
      return Leave(nullptr, 0);
    }
    if (merging_ && levels_.back().is_map && target->kind == Value::Kind::kList) {
      tree_->Refuse("the merge key << takes no alias of a list; write [*one, *two]", Line(mark));
    }
    Leave(tree_->Alias(target, Line(mark)), 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& written) override {
    Hear(mark);
    // Text that is sent on must be UTF-8.
    const bool is_text = simdjson::validate_utf8(written);
    const std::string& text = is_text ? written : kNoText;
    const bool is_key = !Enter();
    if (is_key && text == "<<" && (tag == "?" || tag.empty() || tag == "tag:yaml.org,2002:merge")) {
      return AddMergeKey(Line(mark));
    }
    const YamlScalar scalar = ResolveScalar(tag, text);
    const std::uint32_t line = Line(mark);
    if (!is_text) tree_->Refuse("bytes that are no UTF-8", line);
    // In the end a key is text, also if JSON has no number like it.
    const bool refused = !scalar.refusal.empty() && !(is_key && scalar.kind == Value::Kind::kFloat);
    if (refused) tree_->Refuse('"' + text.substr(0, 80) + "\" " + std::string(scalar.refusal), line);
    if (is_key) {
      if (anchor != 0) anchors_[anchor] = NoteKey(scalar, text, line);
      AddKey(scalar, text, line);
      const bool plain = (tag == "?" || tag.empty()) && anchor == 0;
      if (plain) key_end_ = mark.pos + static_cast<int>(text.size());
      key_start_ = mark.pos;
      return;
    }
    Leave(AddValue(*tree_, scalar, tree_->Keep(text), line), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    Hear(mark);
    const bool is_key = !Enter();
    const bool items = !is_key && levels_.size() == 1 && levels_[0].is_map && key_ == "items" && MayBeList();
    if (is_key) tree_->Fail("a key must be a string, is a list", Line(mark));
    tree_->BeginList(Line(mark));
    Open(false, style == YAML::EmitterStyle::Flow, is_key, anchor);
    if (!items) return;
    in_items_ = true;
    streamed_ = true;
    item_type_ = document_.root() == nullptr ? TypeMeta{} : ItemTypeOf(*document_.root());
  }

  void OnSequenceEnd() override { Close(); }

  // The document's text has ended, and nothing else came.
  void Finish() {
    if (state_ != State::kEnded) return;
    state_ = State::kNone;
    if (streamed_) {
      sink_.ListEnd(document_);
    } else {
      sink_.Document(document_);
    }
  }

  // The text breaks off, or seems to for the parser: nothing more of this document comes.
  void CutShort() {
    const bool begun = state_ != State::kNone;
    state_ = State::kNone;
    if (!begun || (in_items_ && levels_.size() <= kItemLevel)) return;  // the latter: between two items
    tree_->Fail("the text breaks off", 0);
    if (in_items_) {
      sink_.Partial(item_, item_type_);
    } else if (!streamed_) {
      sink_.Partial(document_, {});
    }
  }

  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    Hear(mark);
    const bool is_key = !Enter();
    if (is_key) tree_->Fail("a key must be a string, is a map", Line(mark));
    tree_->BeginMap(Line(mark));
    Open(true, style == YAML::EmitterStyle::Flow, is_key, anchor);
  }

  void OnMapEnd() override { Close(); }

 private:
  // The state of the document.
  enum class State { kNone, kBegun, kEnded };

  // A map or sequence that has begun.
  struct Level {
    bool is_map;
    bool is_flow;    // {...} or [...]
    bool wants_key;  // in a map: the next value is a key
    bool is_key;     // it is in the place of a key
    YAML::anchor_t anchor;
  };

  static constexpr int kNoPlace = -10;
  const std::string kNoText = "?";

  // Items are at level 2: the document's map, and its sequence `items`.
  static constexpr std::size_t kItemLevel = 2;

  // Each event calls this first. Events that end something have no place of their own.
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
    return root != nullptr && (root->Find("kind") == nullptr || IsListKind(root->Find("kind")->text));
  }

  // Prepares for a value. False: the value is a map's key.
  bool Enter() {
    if (in_items_ && levels_.size() == kItemLevel) {
      tree_ = &item_;
      has_anchors_ ? item_.NextRoot() : item_.Clear();
    }
    return levels_.empty() || !levels_.back().is_map || !levels_.back().wants_key;
  }

  static const Value* AddValue(ValueTree& tree, const YamlScalar& scalar, std::string_view text, std::uint32_t line) {
    switch (scalar.kind) {
      case Value::Kind::kNull:
        return tree.Null(line);
      case Value::Kind::kBool:
        return tree.Bool(scalar.boolean, text, line);
      case Value::Kind::kInteger:
        return tree.Integer(scalar.integer, text, line);
      case Value::Kind::kFloat:
        return tree.Float(scalar.real, text, line);
      default:
        return tree.String(text, line);
    }
  }

  void AddMergeKey(std::uint32_t line) {
    tree_->MergeKey(line);
    key_ = "<<";
    key_end_ = key_start_ = kNoPlace;
    merging_ = true;
    levels_.back().wants_key = false;
  }

  void AddKey(const YamlScalar& scalar, std::string_view text, std::uint32_t line) {
    const std::string_view refusal = KeyText(scalar, text, &key_);
    if (!refusal.empty()) tree_->Refuse('"' + std::string(text.substr(0, 80)) + "\" " + std::string(refusal), line);
    merging_ = false;
    key_end_ = key_start_ = kNoPlace;
    tree_->Key(tree_->Keep(key_), line);
    levels_.back().wants_key = false;
  }

  void AddAliasKey(const YAML::Mark& mark, const Value* target) {
    if (target == nullptr || !target->scalar()) return RefuseKey(Line(mark));
    AddKey(target->kind == Value::Kind::kString ? YamlScalar{} : ResolveScalar("?", target->text), target->text,
           Line(mark));
  }

  // Keeps a key that has an anchor as a value, for its aliases.
  const Value* NoteKey(const YamlScalar& scalar, std::string_view text, std::uint32_t line) {
    has_anchors_ = true;
    keys_.NextRoot();
    return AddValue(keys_, scalar, keys_.Keep(text), line);
  }

  void RefuseKey(std::uint32_t line) {
    tree_->Fail("a key must be a string", line);
    levels_.back().wants_key = false;
  }

  void Open(bool is_map, bool is_flow, bool is_key, YAML::anchor_t anchor) {
    if (anchor != 0) has_anchors_ = true;
    levels_.push_back({is_map, is_flow, true, is_key, anchor});
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

  // To be called after a value has ended.
  void Leave(const Value* value, YAML::anchor_t anchor) {
    if (anchor != 0) {
      has_anchors_ = true;
      if (value != nullptr) anchors_[anchor] = value;
    }
    if (in_items_ && levels_.size() == kItemLevel) sink_.Item(item_, item_type_);
    if (levels_.empty()) return;
    levels_.back().wants_key = true;
    if (levels_.back().is_map) merging_ = false;
  }

  YamlDocuments& documents_;
  TreeSink& sink_;
  YAML::Mark heard_;
  ValueTree document_;
  ValueTree item_;
  ValueTree keys_;  // keys that have anchors
  ValueTree* tree_ = &document_;
  std::vector<Level> levels_;
  std::string key_;           // the latest key
  int key_start_ = kNoPlace;  // where it begins
  int key_end_ = kNoPlace;    // where its characters end, if it is plain
  std::unordered_map<YAML::anchor_t, const Value*> anchors_;
  bool has_anchors_ = false;
  bool merging_ = false;  // the latest key is <<
  State state_ = State::kNone;
  bool in_items_ = false;
  bool streamed_ = false;
  TypeMeta item_type_;
};

// True iff there is another document. Reports mistyped markers before it.
bool NextDocument(YamlDocuments& documents, TreeSink& sink) {
  const bool found = documents.Next();
  for (const std::uint32_t line : documents.TakeMistypedMarkers()) {
    sink.Mistaken(line, "more than three dashes, taken for the marker between documents; write ---");
  }
  return found;
}

}  // namespace

void ReadYamlDocuments(YamlDocuments& documents, TreeSink& sink) {
  DocumentHandler handler(documents, sink);
  while (NextDocument(documents, sink)) {
    std::istream document(&documents);
    try {
      YAML::Parser parser(document);
      while (parser.HandleNextDocument(handler)) continue;
      handler.Finish();
    } catch (const YAML::Exception& error) {
      const std::uint32_t line =
          documents.first_line() + (error.mark.is_null() ? 0 : static_cast<std::uint32_t>(error.mark.line));
      // The parser's own message is about what it cannot see because of a tab.
      const bool tab = documents.IsIndentedByTab(line);
      sink.Broken(line, "not YAML, the document is refused from here on: " +
                            (tab ? "a tab indents this line; YAML takes only spaces there" : error.msg));
      handler.CutShort();
    } catch (const std::exception& error) {
      sink.Broken(documents.first_line(), std::string("not YAML: ") + error.what());
      handler.CutShort();
    }
  }
}

void ReadYaml(std::istream& in, FileDecoder& decoder, const ReadSettings& settings) {
  YamlParts parts(in, settings.part_bytes);
  YamlPart part;
  ParallelDecoder parallel(decoder, settings.threads);
  while (parts.Next(part)) {
    parallel.Add([part = std::move(part)](FileDecoder& its) mutable {
      YamlDocuments documents(std::move(part));
      ReadYamlDocuments(documents, its);
    });
  }
  parallel.Finish();
  // A long document, which no thread holds as a whole, and what comes after it.
  YamlDocuments documents(std::move(part), &in);
  ReadYamlDocuments(documents, decoder);
}

}  // namespace sluice
