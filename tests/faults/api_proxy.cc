#include "faults/api_proxy.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "kube/scripted_server.h"

namespace sluice {
namespace {

using Json = nlohmann::json;

constexpr int kTick_ms = 20;
constexpr std::size_t kLittle = 700;  // of an answer that breaks off

bool Readable(int socket, int timeout_ms) {
  pollfd wait{socket, POLLIN, 0};
  return poll(&wait, 1, timeout_ms) > 0;
}

bool SendAll(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace

struct ApiProxy::Request {
  std::string method;
  std::string target;
  std::map<std::string, std::string> headers;  // the few that are passed on
  std::string body;

  bool has(std::string_view parameter) const { return target.find(parameter) != target.npos; }
  bool watch() const { return has("watch=true"); }
  bool list() const { return has("sendInitialEvents") || (!watch() && !target.ends_with("limit=1")); }
  bool of(Resource resource) const { return target.starts_with(std::string(InfoOf(resource).path) + '?'); }
};

// In chunks, so that an answer that breaks off does not look whole.
class ApiProxy::Reply {
 public:
  explicit Reply(int socket) : socket_(socket) {}

  bool Head(long status, const std::string& more = "") {
    began_ = true;
    return SendAll(socket_, "HTTP/1.1 " + std::to_string(status) +
                                " Proxied\r\nContent-Type: application/json\r\nConnection: close\r\n" + more +
                                "Transfer-Encoding: chunked\r\n\r\n");
  }
  bool Body(std::string_view bytes) {
    if (bytes.empty()) return true;
    char size[32];
    std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
    return SendAll(socket_, size) && SendAll(socket_, bytes) && SendAll(socket_, "\r\n");
  }
  bool End() { return SendAll(socket_, "0\r\n\r\n"); }

  bool began() const { return began_; }
  int socket() const { return socket_; }

 private:
  int socket_;
  bool began_ = false;
};

ApiProxy::ApiProxy(std::string server, std::string ca_file) : server_(std::move(server)), ca_file_(std::move(ca_file)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  bind(listener_, reinterpret_cast<sockaddr*>(&address), length);
  listen(listener_, 16);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

ApiProxy::~ApiProxy() {
  stopping_ = true;
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  close(listener_);
}

void ApiProxy::Plan(Resource resource, const std::vector<WrongAnswer>& answers) {
  const std::lock_guard lock(mutex_);
  plans_[static_cast<std::size_t>(resource)].assign(answers.begin(), answers.end());
}

bool ApiProxy::Done(Resource resource) {
  const std::lock_guard lock(mutex_);
  return plans_[static_cast<std::size_t>(resource)].empty();
}

void ApiProxy::Forget() {
  const std::lock_guard lock(mutex_);
  for (auto& plan : plans_) plan.clear();
  listed_ = {};
}

std::optional<WrongAnswer> ApiProxy::Next(const Request& request) {
  const std::lock_guard lock(mutex_);
  for (const Resource resource : kResources) {
    const auto index = static_cast<std::size_t>(resource);
    std::deque<WrongAnswer>& plan = plans_[index];
    if (plan.empty() || !request.of(resource)) continue;
    const WrongAnswer answer = plan.front();
    plan.pop_front();
    if (answer == WrongAnswer::kEmpty && (!request.list() || !std::exchange(listed_[index], false))) break;
    ++answered_wrongly_;
    return answer;
  }
  return std::nullopt;
}

void ApiProxy::ListedRightly(const Request& request) {
  const std::lock_guard lock(mutex_);
  for (const Resource resource : kResources) {
    if (request.list() && request.of(resource)) listed_[static_cast<std::size_t>(resource)] = true;
  }
}

void ApiProxy::Accept() {
  while (!stopping_) {
    if (!Readable(listener_, kTick_ms)) continue;
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) continue;
    threads_.emplace_back([this, socket] {
      Serve(socket);
      close(socket);
    });
  }
}

void ApiProxy::Serve(int socket) {
  std::string text;
  const auto more = [&] {
    char buffer[4096];
    while (!stopping_) {
      if (!Readable(socket, kTick_ms)) continue;
      const ssize_t size = recv(socket, buffer, sizeof buffer, 0);
      if (size > 0) text.append(buffer, static_cast<std::size_t>(size));
      return size > 0;
    }
    return false;
  };
  std::size_t end;
  while ((end = text.find("\r\n\r\n")) == text.npos) {
    if (!more()) return;
  }
  Request request;
  const std::size_t target = text.find(' ') + 1;
  request.method = text.substr(0, target - 1);
  request.target = text.substr(target, text.find(' ', target) - target);
  for (std::size_t at = text.find("\r\n") + 2; at < end;) {
    const std::size_t line_end = text.find("\r\n", at);
    const std::size_t colon = text.find(": ", at);
    if (colon < line_end) request.headers[text.substr(at, colon - at)] = text.substr(colon + 2, line_end - colon - 2);
    at = line_end + 2;
  }
  std::size_t length = 0;
  if (request.headers.contains("Content-Length")) length = std::stoul(request.headers["Content-Length"]);
  while (text.size() < end + 4 + length) {
    if (!more()) return;
  }
  request.body = text.substr(end + 4, length);
  Reply reply(socket);
  const auto wrong = request.method == "GET" ? Next(request) : std::nullopt;
  if (!wrong || !AnswerWrongly(*wrong, request, reply)) Forward(request, reply, wrong);
}

// False: it is made of the right one.
bool ApiProxy::AnswerWrongly(WrongAnswer answer, const Request& request, Reply& reply) {
  const auto send = [&](long status, const std::string& body, const std::string& headers = "") {
    reply.Head(status, headers);
    reply.Body(body + '\n');
    reply.End();
    return true;
  };
  const std::string kGoneStatus = StatusJson(410, "Expired", "too old resource version");
  switch (answer) {
    case WrongAnswer::kStatus:
      return send(200, R"({"kind":"Status","metadata":{"resourceVersion":"5"},"status":"Failure"})");
    case WrongAnswer::kMetadata:
      return send(200, R"({"metadata":{"resourceVersion":"5"}})");
    case WrongAnswer::kOtherKind:
      return send(200, R"({"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[]})");
    case WrongAnswer::kItemsAMap:
      return send(200, R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":{}})");
    case WrongAnswer::kOtherDeleted:
      return send(200, R"({"type":"DELETED","object":{"kind":"ReplicaSet","apiVersion":"apps/v1",)"
                       R"("metadata":{"name":"a","namespace":"red","resourceVersion":"5"}}})");
    case WrongAnswer::kGone:
      return request.watch() ? send(200, R"({"type":"ERROR","object":)" + kGoneStatus + '}') : send(410, kGoneStatus);
    case WrongAnswer::kFailed:
      return send(500, StatusJson(500, "InternalError", "as planned"));
    case WrongAnswer::kBusy:
      return send(429, StatusJson(429, "TooManyRequests", "as planned"), "Retry-After: 1\r\n");
    case WrongAnswer::kBroken:
    case WrongAnswer::kEnded:
    case WrongAnswer::kEmpty:
      return false;
  }
  return false;
}

void ApiProxy::Forward(const Request& request, Reply& reply, std::optional<WrongAnswer> wrong) {
  CURL* easy = curl_easy_init();
  curl_slist* headers = nullptr;
  for (const char* name : {"Authorization", "Accept", "Content-Type"}) {
    const auto found = request.headers.find(name);
    if (found != request.headers.end())
      headers = curl_slist_append(headers, (found->first + ": " + found->second).c_str());
  }
  const bool emptied = wrong == WrongAnswer::kEmpty;
  const bool cut = wrong == WrongAnswer::kBroken || wrong == WrongAnswer::kEnded;
  bool initial = emptied && request.has("sendInitialEvents");
  std::string whole;  // a list to be emptied, or the line of a watch that has begun
  std::size_t passed = 0;
  const auto begin = [&] {
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return reply.began() || reply.Head(status);
  };
  std::function<bool(std::string_view)> take = [&](std::string_view bytes) {
    if (!begin()) return false;
    if (cut) {
      bytes = bytes.substr(0, kLittle - passed);
      passed += bytes.size();
      return reply.Body(bytes) && passed < kLittle;
    }
    if (!emptied || (request.watch() && !initial)) {
      if (!wrong && request.watch() && bytes.find("initial-events-end") != bytes.npos) ListedRightly(request);
      return reply.Body(bytes);
    }
    whole += bytes;
    if (!initial) return true;
    for (std::size_t end; initial && (end = whole.find('\n')) != whole.npos; whole.erase(0, end + 1)) {
      if (whole.starts_with(R"({"type":"ADDED")")) continue;
      if (!reply.Body(std::string_view(whole).substr(0, end + 1))) return false;
      initial = whole.substr(0, end).find("initial-events-end") == whole.npos;
    }
    return initial || (reply.Body(whole) && (whole.clear(), true));
  };
  curl_easy_setopt(easy, CURLOPT_URL, (server_ + request.target).c_str());
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file_.c_str());
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  if (!request.body.empty()) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request.body.c_str());
  }
  const auto write = +[](char* data, std::size_t, std::size_t size, void* taker) -> std::size_t {
    return (*static_cast<decltype(take)*>(taker))({data, size}) ? size : 0;
  };
  const auto head = +[](char* data, std::size_t, std::size_t size, void* beginner) -> std::size_t {
    if (std::string_view(data, size) == "\r\n") (*static_cast<std::function<bool()>*>(beginner))();
    return size;
  };
  std::function<bool()> beginner = begin;
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, write);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &take);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, head);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &beginner);

  CURLM* multi = curl_multi_init();
  curl_multi_add_handle(multi, easy);
  const int cuts = cuts_;
  int running = 1;
  bool lives = true;
  while (running > 0 && lives) {
    curl_waitfd client{reply.socket(), CURL_WAIT_POLLIN, 0};
    curl_multi_perform(multi, &running);
    if (running > 0) curl_multi_poll(multi, &client, 1, kTick_ms, nullptr);
    // The client sends nothing more but its end.
    lives = !stopping_ && cuts == cuts_ && !Readable(reply.socket(), 0);
  }
  int left = 0;
  const CURLMsg* message = curl_multi_info_read(multi, &left);
  const bool complete = lives && message != nullptr && message->data.result == CURLE_OK;
  if (complete && emptied && !request.watch()) {
    Json list = Json::parse(whole, nullptr, false);
    if (list.is_object()) list["items"] = Json::array();
    reply.Body(list.dump());
  }
  if (complete && !wrong && !request.watch()) ListedRightly(request);
  if (complete || (wrong == WrongAnswer::kEnded && reply.began())) reply.End();
  curl_multi_remove_handle(multi, easy);
  curl_multi_cleanup(multi);
  curl_easy_cleanup(easy);
  curl_slist_free_all(headers);
}

}  // namespace sluice
