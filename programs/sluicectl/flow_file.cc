#include "sluicectl/flow_file.h"

#include <simdjson.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "sluicectl/output.h"

namespace sluice {
namespace {

namespace dom = simdjson::dom;

// The fields of one line, as they were found.
struct Fields {
  std::string_view source;
  std::string_view destination;
  std::string_view interface;
  std::uint32_t seen = 0;
};

constexpr std::string_view kKeys[] = {"id", "src", "dst", "proto", "sport", "dport", "interface", "expect"};
enum Key : std::uint32_t {
  kId,
  kSource,
  kDestination,
  kProtocol,
  kSourcePort,
  kDestinationPort,
  kInterface,
  kExpect,
  kKeyCount
};
constexpr std::uint32_t kRequired = 1u << kId | 1u << kSource | 1u << kDestination | 1u << kProtocol;

std::uint32_t FindKey(std::string_view name) {
  return static_cast<std::uint32_t>(std::find(std::begin(kKeys), std::end(kKeys), name) - std::begin(kKeys));
}

// Each returns what is wrong with the value, or "".
std::string ReadId(const dom::element& value, std::string& id) {
  if (std::int64_t number; value.get(number) == simdjson::SUCCESS) {
    id = std::to_string(number);
    return "";
  }
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return "must be a string or a whole number";
  id = JsonText(text);
  return "";
}

std::string ReadPort(const dom::element& value, std::uint16_t& port) {
  std::uint64_t number = 0;
  if (value.get(number) != simdjson::SUCCESS || number > 65535) return "must be a number from 0 to 65535";
  port = static_cast<std::uint16_t>(number);
  return "";
}

std::string ReadProtocol(const dom::element& value, std::uint8_t& protocol) {
  std::optional<std::uint8_t> parsed;
  std::string_view text;
  std::uint64_t number = 0;
  if (value.get(text) == simdjson::SUCCESS) {
    parsed = ParseProtocol(text);
  } else if (value.get(number) == simdjson::SUCCESS && number <= 255) {
    parsed = static_cast<std::uint8_t>(number);
  }
  if (!parsed) return "must be " + std::string(kProtocolForms);
  protocol = *parsed;
  return "";
}

std::string ReadExpect(const dom::element& value, std::optional<bool>& expect_allow) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS || (text != "allow" && text != "deny")) {
    return R"(must be "allow" or "deny")";
  }
  expect_allow = text == "allow";
  return "";
}

std::string ReadText(const dom::element& value, std::string_view& text) {
  return value.get(text) == simdjson::SUCCESS ? "" : "must be a string: an address or namespace/pod";
}

std::string ReadInterface(const dom::element& value, std::string_view& pod) {
  return value.get(pod) == simdjson::SUCCESS ? "" : "must be a string: the namespace/pod by whose interface it comes";
}

std::string ReadField(std::uint32_t key, const dom::element& value, Fields& fields, FlowLine& line) {
  switch (key) {
    case kId:
      return ReadId(value, line.id);
    case kSource:
      return ReadText(value, fields.source);
    case kDestination:
      return ReadText(value, fields.destination);
    case kProtocol:
      return ReadProtocol(value, line.flow.protocol);
    case kSourcePort:
      return ReadPort(value, line.flow.source_port);
    case kDestinationPort:
      return ReadPort(value, line.flow.destination_port);
    case kInterface:
      return ReadInterface(value, fields.interface);
    default:
      return ReadExpect(value, line.expect_allow);
  }
}

}  // namespace

struct FlowFile::Reader {
  simdjson::padded_string content;
  dom::parser parser;
  std::size_t position = 0;
  std::uint32_t line = 0;
  Diagnostics errors;     // for the present line
  bool has_port = false;  // the present line has a dport

  void Error(const FlowLine& flow, std::string_view field, std::string message) {
    Diagnostic error;
    error.line = flow.line;
    if (!flow.id.empty()) error.object = "flow " + flow.id;
    error.field = field;
    error.message = std::move(message);
    errors.push_back(std::move(error));
  }

  void Read(std::size_t begin, std::size_t length, const PodDirectory& pods, FlowLine& flow);
};

void FlowFile::Reader::Read(std::size_t begin, std::size_t length, const PodDirectory& pods, FlowLine& flow) {
  dom::element document;
  // The rest of `content` after the line serves as the padding that simdjson reads beyond the line's end.
  if (const auto error = parser.parse(content.data() + begin, length, false).get(document); error) {
    return Error(flow, "", std::string("not JSON: ") + simdjson::error_message(error));
  }
  dom::object object;
  if (document.get(object) != simdjson::SUCCESS) return Error(flow, "", "not a JSON object");
  Fields fields;
  std::uint32_t good = 0;
  for (const auto& [name, value] : object) {
    const std::uint32_t key = FindKey(name);
    if (key == kKeyCount) {
      Error(flow, name, "no such key; known are id, src, dst, proto, sport, dport, interface and expect");
    } else if ((fields.seen & 1u << key) != 0) {
      Error(flow, name, "given twice");
    } else if (std::string wrong = ReadField(key, value, fields, flow); !wrong.empty()) {
      Error(flow, name, std::move(wrong));
    } else {
      good |= 1u << key;
    }
    if (key != kKeyCount) fields.seen |= 1u << key;
  }
  for (std::uint32_t key = 0; key < kKeyCount; ++key) {
    if ((kRequired & ~fields.seen & 1u << key) != 0) Error(flow, kKeys[key], "missing");
  }
  has_port = (fields.seen & 1u << kDestinationPort) != 0;
  constexpr std::uint32_t kEnds = 1u << kSource | 1u << kDestination;
  if ((good & kEnds) != kEnds) return;
  const auto ends = ParseEnds(fields.source, fields.destination, pods);
  if (const auto* error = std::get_if<EndError>(&ends)) {
    return Error(flow, error->is_source ? "src" : "dst", error->message);
  }
  flow.flow.source = std::get<Ends>(ends).source;
  flow.flow.destination = std::get<Ends>(ends).destination;
  if ((good & 1u << kInterface) == 0) return;
  const auto foreign = IsForeign(flow.flow.source, fields.interface, pods);
  if (const auto* error = std::get_if<std::string>(&foreign)) return Error(flow, "interface", *error);
  flow.is_foreign = std::get<bool>(foreign);
}

FlowFile::FlowFile(std::string path, const PodDirectory& pods)
    : path_(std::move(path)), pods_(pods), reader_(std::make_unique<Reader>()) {}
FlowFile::~FlowFile() = default;

bool FlowFile::Open() {
  errno = 0;
  if (simdjson::padded_string::load(path_).get(reader_->content) == simdjson::SUCCESS) return true;
  Diagnostic error;
  error.file = path_;
  error.message = std::string("cannot be read: ") + (errno != 0 ? std::strerror(errno) : "no readable file");
  Report(error);
  return false;
}

void FlowFile::WarnOfMissingPorts() const {
  if (without_port_ == 0) return;
  Diagnostic warning;
  warning.severity = Severity::kWarning;
  warning.file = path_;
  warning.line = first_without_port_;
  warning.field = "dport";
  warning.message = "missing in " + std::to_string(without_port_) +
                    (without_port_ == 1 ? " flow" : " flows, first here,") +
                    " of TCP, UDP or SCTP: judged as to port 0, which no rule names";
  Report(warning);
}

bool FlowFile::Next(FlowLine& line) {
  Reader& reader = *reader_;
  const std::string_view content(reader.content.data(), reader.content.size());
  while (reader.position < content.size()) {
    const std::size_t begin = reader.position;
    std::size_t end = content.find('\n', begin);
    if (end == content.npos) end = content.size();
    reader.position = end + 1;
    ++reader.line;
    if (content.substr(begin, end - begin).find_first_not_of(" \t\r") == content.npos) continue;
    line = {};
    line.line = reader.line;
    reader.Read(begin, end - begin, pods_, line);
    if (reader.errors.empty()) {
      if (!reader.has_port && HasPorts(line.flow.protocol) && without_port_++ == 0) first_without_port_ = line.line;
      return true;
    }
    ++bad_lines_;
    for (Diagnostic& error : reader.errors) {
      error.file = path_;
      Report(error);
    }
    reader.errors.clear();
  }
  return false;
}

}  // namespace sluice
