#include "kube/api_client.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include "kube/credentials.h"

namespace sluice {
namespace {

struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

// Notices within half a minute if a peer vanished without a word, also while data is on the way.
int WatchOverConnection(void*, curl_socket_t socket, curlsocktype) {
  const unsigned timeout_ms = 30'000;
  setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
  return CURL_SOCKOPT_OK;
}

std::string UrlPart(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

// One request in progress.
class Transfer {
 public:
  Transfer(ApiHandler& handler, bool& heard) : handler_(handler), heard_(heard), easy_(curl_easy_init()) {
    if (easy_ == nullptr) throw std::runtime_error("libcurl: out of memory");
  }

  void Prepare(const ApiRequest& request, const ServerAccess& server, const Identity& identity) {
    Set(CURLOPT_NOSIGNAL, 1L);
    Set(CURLOPT_PROTOCOLS_STR, "http,https");
    // Each watch gets a connection of its own: one that stalls must not hold up the others.
    Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    Set(CURLOPT_BUFFERSIZE, 128L * 1024);
    Set(CURLOPT_CONNECTTIMEOUT, 10L);
    Set(CURLOPT_TCP_KEEPALIVE, 1L);
    Set(CURLOPT_TCP_KEEPIDLE, 15L);
    Set(CURLOPT_TCP_KEEPINTVL, 5L);
    Set(CURLOPT_SOCKOPTFUNCTION, &WatchOverConnection);
    Set(CURLOPT_ERRORBUFFER, error_);
    Set(CURLOPT_PRIVATE, this);
    Set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    Set(CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
    Set(CURLOPT_HEADERDATA, this);
    Set(CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
    Set(CURLOPT_WRITEDATA, this);
    AddHeader("Accept: application/json");
    AddHeader("User-Agent: sluice-sync");
    SetTarget(request, server);
    SetTls(server, identity);
    if (!identity.token.empty()) AddHeader("Authorization: Bearer " + identity.token);
    if (!identity.username.empty()) {
      Set(CURLOPT_USERNAME, identity.username.c_str());
      Set(CURLOPT_PASSWORD, identity.password.c_str());
    }
    if (request.new_connection) Set(CURLOPT_FRESH_CONNECT, 1L);
    if (request.method != ApiRequest::Method::kGet) {
      if (request.method == ApiRequest::Method::kPut) Set(CURLOPT_CUSTOMREQUEST, "PUT");
      const bool applies = request.method == ApiRequest::Method::kApply;
      if (applies) Set(CURLOPT_CUSTOMREQUEST, "PATCH");
      // JSON is YAML.
      AddHeader(applies ? "Content-Type: application/apply-patch+yaml" : "Content-Type: application/json");
      Set(CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
      Set(CURLOPT_COPYPOSTFIELDS, request.body.c_str());
    }
    Set(CURLOPT_HTTPHEADER, headers_.get());
  }

  ApiResult ResultOf(CURLcode code) const {
    ApiResult result;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &result.status);
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RETRY_AFTER, &retry_after_s);
    if (retry_after_s > 0) result.retry_after_s = static_cast<long>(retry_after_s);
    if (code != CURLE_OK && !enough_) result.error = error_[0] != '\0' ? error_ : curl_easy_strerror(code);
    return result;
  }

  ApiHandler& handler() const { return handler_; }
  CURL* easy() const { return easy_.get(); }

 private:
  template <typename T>
  void Set(CURLoption option, T value) {
    curl_easy_setopt(easy_.get(), option, value);
  }

  void AddHeader(const std::string& line) {
    curl_slist* longer = curl_slist_append(headers_.get(), line.c_str());
    if (longer == nullptr) throw std::runtime_error("libcurl: out of memory");
    static_cast<void>(headers_.release());  // a longer list begins with the list that it had
    headers_.reset(longer);
  }

  void SetTarget(const ApiRequest& request, const ServerAccess& server) {
    std::string base = server.url;
    if (!server.tls_server_name.empty()) {
      // libcurl checks the certificate against the URL's host, so the URL gets the certificate's name, and the
      // connection is directed to the real host.
      const std::unique_ptr<CURLU, FreeUrl> url(curl_url());
      curl_url_set(url.get(), CURLUPART_URL, server.url.c_str(), 0);
      const std::string host = UrlPart(url.get(), CURLUPART_HOST);
      const std::string port = UrlPart(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
      AddHeader("Host: " + host + ':' + port);
      const std::string redirect = server.tls_server_name + ':' + port + ':' + host + ':' + port;
      connect_to_.reset(curl_slist_append(nullptr, redirect.c_str()));
      Set(CURLOPT_CONNECT_TO, connect_to_.get());
      curl_url_set(url.get(), CURLUPART_HOST, server.tls_server_name.c_str(), 0);
      base = UrlPart(url.get(), CURLUPART_URL);
      while (base.ends_with('/')) base.pop_back();
    }
    Set(CURLOPT_URL, (base + request.path).c_str());
    if (!server.proxy_url.empty()) Set(CURLOPT_PROXY, server.proxy_url.c_str());
  }

  void SetTls(const ServerAccess& server, const Identity& identity) {
    if (server.skip_tls_verify) {
      Set(CURLOPT_SSL_VERIFYPEER, 0L);
      Set(CURLOPT_SSL_VERIFYHOST, 0L);
    }
    SetBlob(CURLOPT_CAINFO_BLOB, identity.ca_pem);
    SetBlob(CURLOPT_SSLCERT_BLOB, identity.certificate_pem);
    SetBlob(CURLOPT_SSLKEY_BLOB, identity.key_pem);
  }

  void SetBlob(CURLoption option, const std::string& pem) {
    if (pem.empty()) return;
    curl_blob blob{const_cast<char*>(pem.data()), pem.size(), CURL_BLOB_COPY};
    Set(option, &blob);
  }

  static std::size_t OnHeader(char* data, std::size_t, std::size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    if (std::string_view(data, size) == "\r\n") {
      long status = 0;
      curl_easy_getinfo(transfer.easy_.get(), CURLINFO_RESPONSE_CODE, &status);
      transfer.heard_ = true;
      if (status >= 200) transfer.handler_.OnHeaders(status);
    }
    return size;
  }

  static std::size_t OnBody(char* data, std::size_t, std::size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.heard_ = true;
    transfer.enough_ = !transfer.handler_.OnBody({data, size});
    return transfer.enough_ ? 0 : size;
  }

  ApiHandler& handler_;
  bool& heard_;  // the peer sent something
  std::unique_ptr<curl_slist, FreeList> headers_;
  std::unique_ptr<curl_slist, FreeList> connect_to_;
  char error_[CURL_ERROR_SIZE] = {};
  bool enough_ = false;                   // the handler wants no more
  std::unique_ptr<CURL, FreeEasy> easy_;  // destroyed before the lists that it refers to
};

}  // namespace

class ApiClient::State {
 public:
  explicit State(KubeAccess access) : access_(access), credentials_(std::move(access)) {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    multi_.reset(curl_multi_init());
    if (multi_ == nullptr) throw std::runtime_error("libcurl: out of memory");
  }

  ~State() {
    for (const auto& transfer : transfers_) curl_multi_remove_handle(multi_.get(), transfer->easy());
  }

  void Start(const ApiRequest& request, ApiHandler& handler) {
    std::string why;
    const std::optional<Identity> identity = credentials_.Get(why);
    if (!identity) {
      unstarted_.emplace_back(&handler, access_.origin + ": " + why);
      return;
    }
    auto transfer = std::make_unique<Transfer>(handler, heard_);
    transfer->Prepare(request, access_.server, *identity);
    curl_multi_add_handle(multi_.get(), transfer->easy());
    transfers_.push_back(std::move(transfer));
  }

  void Cancel(ApiHandler& handler) {
    std::erase_if(unstarted_, [&handler](const auto& entry) { return entry.first == &handler; });
    std::erase_if(transfers_, [this, &handler](const std::unique_ptr<Transfer>& transfer) {
      if (&transfer->handler() != &handler) return false;
      curl_multi_remove_handle(multi_.get(), transfer->easy());
      return true;
    });
  }

  void Poll(std::chrono::milliseconds timeout) {
    int running = 0;
    heard_ = false;
    curl_multi_perform(multi_.get(), &running);
    if (!Finish() && !heard_ && unstarted_.empty()) {
      curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(timeout.count()), nullptr);
      curl_multi_perform(multi_.get(), &running);
      Finish();
    }
    for (const auto& [handler, why] : std::exchange(unstarted_, {})) handler->OnDone({0, why, std::nullopt});
  }

  Credentials& credentials() { return credentials_; }
  const KubeAccess& access() const { return access_; }
  CURLM* multi() { return multi_.get(); }

 private:
  // Tells the handlers whose requests have ended. False: none has.
  bool Finish() {
    bool any = false;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      any = true;
      const CURLcode code = message->data.result;
      const auto found = std::find_if(transfers_.begin(), transfers_.end(), [message](const auto& transfer) {
        return transfer->easy() == message->easy_handle;
      });
      const std::unique_ptr<Transfer> ended = std::move(*found);
      transfers_.erase(found);
      curl_multi_remove_handle(multi_.get(), ended->easy());
      ended->handler().OnDone(ended->ResultOf(code));
    }
    return any;
  }

  KubeAccess access_;
  Credentials credentials_;
  std::unique_ptr<CURLM, FreeMulti> multi_;
  bool heard_ = false;
  std::vector<std::unique_ptr<Transfer>> transfers_;
  std::vector<std::pair<ApiHandler*, std::string>> unstarted_;  // with the reasons
};

ApiClient::ApiClient(KubeAccess access) : state_(std::make_unique<State>(std::move(access))) {}
ApiClient::~ApiClient() = default;

void ApiClient::Start(const ApiRequest& request, ApiHandler& handler) { state_->Start(request, handler); }
void ApiClient::Cancel(ApiHandler& handler) { state_->Cancel(handler); }
void ApiClient::RejectCredentials() { state_->credentials().Reject(); }
void ApiClient::Poll(std::chrono::milliseconds timeout) { state_->Poll(timeout); }
void ApiClient::Wake() { curl_multi_wakeup(state_->multi()); }
const KubeAccess& ApiClient::access() const { return state_->access(); }

std::string EncodeQuery(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (std::isalnum(byte) || character == '-' || character == '.' || character == '_' || character == '~') {
      encoded += character;
    } else {
      encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return encoded;
}

}  // namespace sluice
