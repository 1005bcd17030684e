// HTTPS to one API server, by libcurl: a few requests at once, all in the caller's thread.
#ifndef SLUICE_CONTROL_KUBE_API_CLIENT_H_
#define SLUICE_CONTROL_KUBE_API_CLIENT_H_

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kube/access.h"

namespace sluice {

struct ApiRequest {
  // kApply: a server-side apply, which is a PATCH.
  enum class Method { kGet, kPost, kPut, kApply };

  Method method = Method::kGet;
  std::string path;             // with its query: "/api/v1/pods?limit=500"
  std::string body;             // JSON; empty for a GET
  bool new_connection = false;  // a balancer may lead a new one to another API server
};

// How a request ended.
struct ApiResult {
  long status = 0;                    // HTTP; 0: there was no answer
  std::string error;                  // why the connection broke or was not made; empty: it was fine
  std::optional<long> retry_after_s;  // the header Retry-After
};

// Handles one request. ApiClient::Poll calls its functions.
class ApiHandler {
 public:
  virtual ~ApiHandler() = default;
  // The answer begins.
  virtual void OnHeaders(long status) = 0;
  // The next bytes of the body. Returns false if they are enough: OnDone then follows.
  virtual bool OnBody(std::string_view bytes) = 0;
  // The request has ended. The handler may start another one.
  virtual void OnDone(const ApiResult& result) = 0;
};

// All functions except Wake are for one thread.
class ApiClient {
 public:
  // Gives up a connection that is not made within 10 s, or whose peer does not acknowledge for half a minute. The
  // handler judges how long an answer may take, and cancels if it takes too long.
  explicit ApiClient(KubeAccess access);
  ~ApiClient();
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;

  // The handler must live until OnDone or Cancel, and has one request at a time. Not within OnHeaders and OnBody.
  // Blocks if the credentials do (credentials.h).
  void Start(const ApiRequest& request, ApiHandler& handler);
  // Ends the handler's request, if there is one, without OnDone. Not within OnHeaders and OnBody.
  void Cancel(ApiHandler& handler);
  // To be called if the API server answered 401: gets fresh credentials for the next request.
  void RejectCredentials();

  // Waits at most `timeout` for something to happen, and calls handlers.
  void Poll(std::chrono::milliseconds timeout);
  // Ends a Poll that waits, or else the next one. Any thread.
  void Wake();

  const KubeAccess& access() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

// Percent-encodes a query parameter's value (RFC 3986, 2.3).
std::string EncodeQuery(std::string_view text);

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_API_CLIENT_H_
