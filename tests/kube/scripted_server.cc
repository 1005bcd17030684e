#include "kube/scripted_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "kube/resource.h"

namespace sluice {
namespace {

constexpr int kTick_ms = 20;
const std::string kPolicies = "policy.networking.k8s.io/v1alpha2";
constexpr char kWrongAnswer[] = R"({"kind":"Status","metadata":{"resourceVersion":"5"},"status":"Failure"})";

// The whole streaming list of a resource that has no objects.
std::string EmptyStream(const std::string& target) {
  for (const ResourceInfo& info : kResourceInfos) {
    if (!target.starts_with(info.path)) continue;
    return EventLine("BOOKMARK", R"({"kind":")" + std::string(info.kind) + R"(","apiVersion":")" +
                                     std::string(info.api_version) +
                                     R"(","metadata":{"resourceVersion":"1","annotations":)"
                                     R"({"k8s.io/initial-events-end":"true"}}})");
  }
  return "";
}

bool Readable(int socket) {
  pollfd wait{socket, POLLIN, 0};
  return poll(&wait, 1, kTick_ms) > 0;
}

}  // namespace

void ScriptedServer::Reply::Head(int status, const std::string& headers) {
  Body("HTTP/1.1 " + std::to_string(status) + " Scripted\r\nConnection: close\r\nContent-Type: application/json\r\n" +
       headers + "\r\n");
}

bool ScriptedServer::Reply::Body(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void ScriptedServer::Reply::Hold() {
  while (!stopping_ && !Readable(socket_)) continue;  // the client sends nothing more but its end
}

ScriptedServer::ScriptedServer(std::vector<Step> steps) : steps_(std::move(steps)) {
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

ScriptedServer::~ScriptedServer() {
  stopping_ = true;
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  close(listener_);
}

KubeAccess ScriptedServer::Access() const {
  KubeAccess access;
  access.origin = "the scripted server";
  access.server.url = "http://127.0.0.1:" + std::to_string(port_);
  return access;
}

std::vector<std::string> ScriptedServer::targets() {
  const std::lock_guard lock(mutex_);
  return targets_;
}

void ScriptedServer::Accept() {
  while (!stopping_) {
    if (!Readable(listener_)) continue;
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket >= 0) threads_.emplace_back([this, socket] { Serve(socket); });
  }
}

void ScriptedServer::Serve(int socket) {
  std::string request;
  while (!stopping_ && request.find("\r\n\r\n") == request.npos) {
    char buffer[4096];
    if (!Readable(socket)) continue;
    const ssize_t size = recv(socket, buffer, sizeof buffer, 0);
    if (size <= 0) break;
    request.append(buffer, static_cast<std::size_t>(size));
  }
  Reply reply(socket, stopping_);
  const std::size_t start = request.find(' ') + 1;
  const std::string target = request.substr(start, request.find(' ', start) - start);
  if (target.starts_with("/api/v1/pods") && target.ends_with("limit=1")) {
    ++version_questions;
    Send(present_version < 0 ? kWrongAnswer : PodList({}, std::to_string(present_version), ""))(reply);
  } else if (target.starts_with("/api/v1/pods")) {
    std::size_t index;
    {
      const std::lock_guard lock(mutex_);
      index = std::min(targets_.size(), steps_.size() - 1);
      targets_.push_back(target);
    }
    steps_[index](reply);
  } else if (target == "/apis") {
    const std::string group =
        R"({"name":"policy.networking.k8s.io","versions":[{"groupVersion":")" + kPolicies + "\"}]}";
    Send(R"({"kind":"APIGroupList","apiVersion":"v1","groups":[)" + (names_policies ? group : "") + "]}")(reply);
  } else if (target == "/apis/" + kPolicies) {
    ++policies_questions;
    reply.Head(404);
    reply.Body("404 page not found\n");
  } else {
    SendAndHold(EmptyStream(target))(reply);
  }
  shutdown(socket, SHUT_RDWR);
  close(socket);
}

std::string PodJson(const std::string& name, const std::string& version) {
  return R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":")" + name +
         R"(","namespace":"default","resourceVersion":")" + version +
         R"("},"spec":{"nodeName":"n"},"status":{"phase":"Running","podIP":"10.0.0.1","podIPs":[{"ip":"10.0.0.1"}]}})";
}

std::string EventLine(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}\n";
}

std::string BookmarkLine(const std::string& version, bool ends_initial_list) {
  const std::string annotations = ends_initial_list ? R"(,"annotations":{"k8s.io/initial-events-end":"true"})" : "";
  return EventLine("BOOKMARK", R"({"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":")" + version + '"' +
                                   annotations + R"(},"spec":{"containers":null},"status":{}})");
}

std::string StatusJson(int code, const std::string& reason, const std::string& message) {
  return R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":")" + message +
         R"(","reason":")" + reason + R"(","code":)" + std::to_string(code) + '}';
}

std::string PodList(const std::vector<std::string>& pods, const std::string& version,
                    const std::string& continue_token) {
  std::string list = R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":")" + version + '"';
  if (!continue_token.empty()) list += R"(,"continue":")" + continue_token + '"';
  list += R"(},"items":[)";
  for (std::size_t pod = 0; pod < pods.size(); ++pod) list += (pod == 0 ? "" : ",") + pods[pod];
  return list + "]}\n";
}

ScriptedServer::Step Refuse(int code, const std::string& reason, const std::string& message) {
  return [=](ScriptedServer::Reply& reply) {
    reply.Head(code);
    reply.Body(StatusJson(code, reason, message));
  };
}

ScriptedServer::Step Send(const std::string& body) {
  return [=](ScriptedServer::Reply& reply) {
    reply.Head(200);
    reply.Body(body);
  };
}

ScriptedServer::Step SendAndHold(const std::string& body) {
  return [=](ScriptedServer::Reply& reply) {
    reply.Head(200);
    reply.Body(body);
    reply.Hold();
  };
}

}  // namespace sluice
