// JSON by simdjson, an object at a time.
#include <simdjson.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "manifest/file_decoder.h"
#include "manifest/json_splitter.h"
#include "manifest/parallel_decoder.h"

namespace sluice {
namespace {

namespace ondemand = simdjson::ondemand;
using PieceKind = JsonPart::Piece::Kind;

static_assert(JsonPart::kPadding >= simdjson::SIMDJSON_PADDING);

class ObjectReader {
 public:
  // Fills `tree` with the object in `text`, which begins in `line`. The tree is valid until the next call. False, with
  // `why`: it is no JSON; the tree is then partial.
  bool Read(std::string_view text, std::uint32_t line, ValueTree& tree) {
    tree.Clear(text, line);
    ondemand::document document;
    bool begun = false;  // before this, a document has no location
    try {
      document = parser_.iterate(text.data(), text.size(), text.size() + JsonPart::kPadding);
      begun = true;
      Add(ondemand::object(document.get_object()), 0, text, tree);
      if (document.current_location().error() == simdjson::SUCCESS)
        throw simdjson::simdjson_error(simdjson::TRAILING_CONTENT);
      return true;
    } catch (const simdjson::simdjson_error& error) {
      why_ = std::string("not JSON: ") + error.what();
      const char* location = nullptr;
      const bool located = begun && document.current_location().get(location) == simdjson::SUCCESS &&
                           location >= text.data() && location < text.data() + text.size();
      line_ = tree.LineOf(located ? static_cast<std::uint32_t>(location - text.data()) : 0);
      tree.Fail(why_, 0);
      return false;
    }
  }

  const std::string& why() const { return why_; }
  std::uint32_t line() const { return line_; }

 private:
  static void Add(ondemand::object object, std::uint32_t position, std::string_view text, ValueTree& tree) {
    tree.BeginMap(position);
    for (auto field : object) {
      const char* key = field.key().raw();
      const std::string_view name = field.unescaped_key();
      tree.Key(name, static_cast<std::uint32_t>(key - text.data() - 1));
      Add(ondemand::value(field.value()), text, tree);
    }
    tree.End();
  }

  // After a failure the tree takes nothing more, and Add goes no deeper than kMaxDepth.
  static void Add(ondemand::value value, std::string_view text, ValueTree& tree) {
    const std::string_view token = std::string_view(value.raw_json_token());
    const auto position = static_cast<std::uint32_t>(token.data() - text.data());
    switch (ondemand::json_type(value.type())) {
      case ondemand::json_type::object:
        if (tree.failure().empty()) Add(ondemand::object(value.get_object()), position, text, tree);
        return;
      case ondemand::json_type::array:
        if (!tree.failure().empty()) return;
        tree.BeginList(position);
        for (auto item : ondemand::array(value.get_array())) Add(ondemand::value(item.value()), text, tree);
        tree.End();
        return;
      case ondemand::json_type::string:
        tree.String(std::string_view(value.get_string()), position);
        return;
      case ondemand::json_type::number:
        return AddNumber(value, token, position, tree);
      case ondemand::json_type::boolean: {
        const bool boolean = value.get_bool();
        tree.Bool(boolean, boolean ? "true" : "false", position);
        return;
      }
      case ondemand::json_type::null:
        if (!value.is_null()) throw simdjson::simdjson_error(simdjson::N_ATOM_ERROR);
        tree.Null(position);
        return;
    }
  }

  static void AddNumber(ondemand::value value, std::string_view token, std::uint32_t position, ValueTree& tree) {
    const std::string_view written = token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
    std::int64_t integer = 0;
    if (value.get_int64().get(integer) == simdjson::SUCCESS) {
      tree.Integer(integer, written, position);
    } else {
      tree.Float(double(value.get_double()), written, position);  // throws if it is no number either
    }
  }

  ondemand::parser parser_;
  std::string why_;
  std::uint32_t line_ = 0;
};

void ReadPart(const JsonPart& part, FileDecoder& decoder) {
  ObjectReader reader;
  ValueTree tree;
  TypeMeta item_type;
  bool is_list = false;
  for (const JsonPart::Piece& piece : part.pieces) {
    const std::string_view text = part.TextOf(piece);
    if (piece.kind == PieceKind::kBroken) {
      decoder.Broken(piece.line, std::string(text));
      continue;
    }
    if (piece.kind == PieceKind::kItem && !is_list) continue;
    const bool readable = reader.Read(text, piece.line, tree);
    if (!readable && piece.kind != PieceKind::kListBegin) {
      decoder.Broken(reader.line(), reader.why());
      if (piece.kind != PieceKind::kListEnd) {
        decoder.Partial(tree, piece.kind == PieceKind::kItem ? item_type : TypeMeta{});
      }
      continue;
    }
    switch (piece.kind) {
      case PieceKind::kDocument:
        decoder.Document(tree);
        break;
      case PieceKind::kItem:
        decoder.Item(tree, item_type);
        break;
      case PieceKind::kListEnd:
        decoder.ListEnd(tree);
        break;
      case PieceKind::kListBegin: {
        // If the list is no JSON, its end reports that. Meanwhile its items are read.
        const Value* root = readable ? tree.root() : nullptr;
        is_list = root == nullptr || root->Find("kind") == nullptr || IsListKind(root->Find("kind")->text);
        item_type = root == nullptr ? TypeMeta{} : ItemTypeOf(*root);
        break;
      }
      default:
        break;
    }
  }
}

}  // namespace

void ReadJson(std::istream& in, FileDecoder& decoder, const ReadSettings& settings) {
  JsonSplitter splitter(in, settings.part_bytes);
  ParallelDecoder parallel(decoder, settings.threads);
  JsonPart part;
  while (splitter.Next(part)) {
    parallel.Add([part = std::move(part)](FileDecoder& its) { ReadPart(part, its); });
  }
  parallel.Finish();
}

}  // namespace sluice
