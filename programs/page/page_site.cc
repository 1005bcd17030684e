#include "page/page_site.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <random>
#include <utility>

#include "codec/codec.h"
#include "page/map_picture.h"
#include "page/page_files.h"
#include "page/page_json.h"
#include "page/staged_list.h"
#include "sluice/address.h"
#include "sluice/host_port.h"
#include "sluice/printable.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

constexpr int kMostAnswering = 8;  // at the same time; further clients are told to come again
constexpr std::size_t kMinTokenBytes = 16;
constexpr std::size_t kMaxTokenBytes = 1024;
constexpr std::size_t kPodsShown = 20;
constexpr std::chrono::milliseconds kHeartbeat(2000);  // for a stream without news
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kText = "text/plain; charset=utf-8";

// The comparison takes the same time wherever the texts differ.
bool IsSame(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char differs = 0;
  for (std::size_t i = 0; i < a.size(); ++i) differs |= static_cast<unsigned char>(a[i] ^ b[i]);
  return differs == 0;
}

// Accepts an address, or "localhost", with or without a port.
bool IsHostAllowed(const std::string& host) {
  if (const auto with_port = ParseHostPort(host)) {
    return with_port->host == "localhost" || IpAddress::Parse(with_port->host);
  }
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  return host == "localhost" || IpAddress::Parse(bracketed ? host.substr(1, host.size() - 2) : host);
}

class Query {
 public:
  explicit Query(const HttpRequest& request) : request_(request) {}
  std::string Of(std::string_view name) const {
    const std::vector<std::string> all = AllOf(name);
    return all.empty() ? "" : all.front();
  }
  std::vector<std::string> AllOf(std::string_view name) const {
    std::vector<std::string> values;
    for (const auto& [key, value] : request_.query) {
      if (key == name) values.push_back(value);
    }
    return values;
  }
  // Returns `missing` if the parameter is absent; nothing if it is no number up to `most`.
  std::optional<std::uint32_t> Number(std::string_view name, std::uint32_t missing, std::uint32_t most) const {
    const std::string text = Of(name);
    if (text.empty()) return missing;
    std::uint32_t number = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (wrong != std::errc() || end != text.data() + text.size() || number > most) return std::nullopt;
    return number;
  }

 private:
  const HttpRequest& request_;
};

std::optional<std::uint8_t> ParseProtocolName(const std::string& text) {
  for (std::uint32_t number = 0; number < 256; ++number) {
    const auto protocol = static_cast<std::uint8_t>(number);
    if (ToolNameOf(protocol) == text || std::to_string(number) == text) return protocol;
  }
  return std::nullopt;
}

PageJson ErrorJson(std::string text) { return {{"error", std::move(text)}}; }

using TargetList = std::vector<std::shared_ptr<PageTarget>>;

PageJson Dataplanes(const TargetList& targets) {
  PageJson list = PageJson::array();
  for (const auto& target : targets) {
    const auto answer = target->Status();
    PageJson& one = list.emplace_back(answer->error.empty() ? ToPage(answer->status) : ErrorJson(answer->error));
    one["name"] = target->name();
  }
  return {{"dataplanes", std::move(list)}};
}

// Adds a line for a dataplane whose answer is incomplete.
void AddProblem(const PageTarget& target, const std::string& what, PageJson& problems) {
  if (!what.empty()) problems.push_back(target.name() + ": " + what);
}

PageJson Map(const TargetList& targets, const Query& query) {
  MapPicture picture(query.AllOf("open"), query.AllOf("hide"));
  PageJson problems = PageJson::array();
  std::uint64_t not_told = 0;
  for (const auto& target : targets) {
    const auto answer = target->Map();
    AddProblem(*target, answer->error, problems);
    AddProblem(*target, answer->denials_error.empty() ? "" : "denials are not known: " + answer->denials_error,
               problems);
    not_told += answer->not_told;
    picture.Add(answer->edges);
  }
  PageJson json = picture.Shown();
  json["not_told"] = not_told;
  json["problems"] = std::move(problems);
  return json;
}

PageJson Policies(const TargetList& targets, const Query& query) {
  PolicyList list;
  PageJson problems = PageJson::array();
  for (const auto& target : targets) {
    const auto answer = target->Policies();
    AddProblem(*target, answer->error, problems);
    list.Add(*answer);
  }
  const std::string show = query.Of("show");
  PageJson json = list.Shown(query.Of("q"), show == "unused"    ? PolicyList::Show::kUnused
                                            : show == "covered" ? PolicyList::Show::kCovered
                                            : show == "hit"     ? PolicyList::Show::kHit
                                                                : PolicyList::Show::kAll);
  json["problems"] = std::move(problems);
  return json;
}

PageJson Staged(const TargetList& targets, const Query& query) {
  StagedList list;
  PageJson problems = PageJson::array();
  for (const auto& target : targets) {
    const auto answer = target->Staged();
    AddProblem(*target, answer->error, problems);
    list.Add(*target, *answer);
  }
  PageJson json = list.Shown(query.Of("q"));
  json["problems"] = std::move(problems);
  return json;
}

// Pods whose names begin with the text come before those that contain it.
PageJson Pods(const TargetList& targets, const Query& query) {
  const std::string text = query.Of("q");
  std::set<std::pair<bool, std::string>> found;
  for (const auto& target : targets) {
    for (const auto& [name, end] : target->Pods()->ends) {
      const std::size_t at = name.find(text);
      if (at != name.npos) found.emplace(at != 0, name);
    }
  }
  PageJson pods = PageJson::array();
  for (const auto& [contains, name] : found) {
    if (pods.size() == kPodsShown) break;
    pods.push_back(name);
  }
  return {{"pods", std::move(pods)}};
}

PageJson Explain(const TargetList& targets, const Query& query) {
  const auto dataplane = query.Number("dataplane", 0, 1'000'000);
  if (!dataplane || *dataplane >= targets.size()) return ErrorJson("there is no such dataplane");
  const auto protocol = ParseProtocolName(query.Of("proto"));
  if (!protocol) return ErrorJson("proto: must be tcp, udp, sctp, icmp, icmpv6 or a number up to 255");
  const auto port = query.Number("port", 0, 65535);
  if (!port) return ErrorJson("port: must be a number up to 65535");
  v1::ExplainRequest request;
  const auto set_end = [&](const char* name, std::string* address, std::string* pod) {
    const std::string text = query.Of(name);
    const auto parsed = IpAddress::Parse(text);
    *(parsed ? address : pod) = parsed ? EncodeAddress(*parsed) : text;
    return Printable(text) == text;
  };
  for (const bool is_name : {set_end("src", request.mutable_source(), request.mutable_source_pod()),
                             set_end("dst", request.mutable_destination(), request.mutable_destination_pod())}) {
    if (!is_name) return ErrorJson("src and dst: each must be an address, or a pod as namespace/name");
  }
  request.set_protocol(*protocol);
  request.set_destination_port(*port);
  v1::Explanation explanation;
  const std::string why = targets[*dataplane]->Explain(request, &explanation);
  return why.empty() ? ToPage(explanation) : ErrorJson(why);
}

}  // namespace

std::variant<std::string, TokenError> ReadToken(const std::string& path) {
  std::ifstream file(path);
  std::string token;
  if (!file || !std::getline(file, token)) return TokenError{"'" + path + "' cannot be read, or is empty"};
  const bool is_plain = std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (token.size() < kMinTokenBytes || token.size() > kMaxTokenBytes || !is_plain) {
    return TokenError{"'" + path +
                      "': its first line must be a token of 16 to 1024 ASCII characters without spaces, as "
                      "`openssl rand -hex 32` makes one"};
  }
  return token;
}

std::string MakeToken() {
  std::random_device device;
  std::array<char, 9> part{};
  std::string token;
  for (int i = 0; i < 4; ++i) {
    std::snprintf(part.data(), part.size(), "%08x", device());
    token += part.data();
  }
  return token;
}

PageSite::PageSite(std::string token) : token_(std::move(token)) {}
PageSite::~PageSite() { Stop(); }

void PageSite::Look(Targets targets) {
  const std::lock_guard lock(mutex_);
  targets_ = std::move(targets);
}

PageSite::Targets PageSite::targets() const {
  const std::lock_guard lock(mutex_);
  return targets_;
}

void PageSite::Stop() {
  Targets stopped;
  {
    const std::lock_guard lock(mutex_);
    stopped.swap(targets_);
  }
  for (const auto& target : stopped) target->Stop();
  drops_.Stop();
}

void PageSite::Get(const HttpRequest& request, HttpReply& reply) {
  if (token_.empty() && !request.from_loopback) {
    return reply.Send(
        403, kText,
        "the page is shown on this host alone; the key http_page_token shows it elsewhere, to whoever has "
        "the token\n");
  }
  if (!IsHostAllowed(request.host)) {
    return reply.Send(403, kText, "ask by address, or as localhost: other names are refused\n");
  }
  if (!request.path.starts_with("/api/")) {
    const PageFile file = FindPageFile(request.path);
    if (file.type.empty()) return reply.Send(404, kText, "there is no such page\n");
    return reply.Send(200, file.type, file.content);
  }
  if (!request.fetch_site.empty() && request.fetch_site != "same-origin" && request.fetch_site != "none") {
    return reply.Send(403, kText, "not for other sites\n");
  }
  if (!token_.empty() && !IsSame(request.authorization, "Bearer " + token_)) {
    return reply.Send(401, kText, "wants the token: Authorization: Bearer TOKEN\n");
  }
  if (request.path == "/api/drops") return StreamDrops(reply);
  if (answering_.fetch_add(1) < kMostAnswering) {
    Answer(request, reply);
  } else {
    reply.Send(503, kText, "too many ask at once; come again\n");
  }
  answering_.fetch_sub(1);
}

void PageSite::Answer(const HttpRequest& request, HttpReply& reply) {
  const Targets targets = this->targets();
  const Query query(request);
  const auto send = [&](const PageJson& json) { reply.Send(200, kJson, ToText(json)); };
  if (request.path == "/api/dataplanes") return send(Dataplanes(targets));
  if (request.path == "/api/map") return send(Map(targets, query));
  if (request.path == "/api/policies") return send(Policies(targets, query));
  if (request.path == "/api/staged") return send(Staged(targets, query));
  if (request.path == "/api/pods") return send(Pods(targets, query));
  if (request.path == "/api/explain") return send(Explain(targets, query));
  reply.Send(404, kText, "there is nothing of that name\n");
}

void PageSite::StreamDrops(HttpReply& reply) {
  if (!drops_.Enter(targets())) {
    return reply.Send(503, kText, std::to_string(DropBoard::kMaxWatchers) + " watch already; close one\n");
  }
  reply.BeginStream("text/event-stream");
  std::uint64_t next = 0;
  std::vector<std::string> lines;
  bool is_read = reply.Write(": drops\n\n");
  while (is_read && drops_.Take(&next, kHeartbeat, &lines)) {
    std::string piece = lines.empty() ? ":\n\n" : "";  // shows whether the client still reads
    for (const std::string& line : lines) piece += "data: " + line + "\n\n";
    is_read = reply.Write(piece);
  }
  drops_.Leave();
}

}  // namespace sluice
