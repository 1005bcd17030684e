// The page: what policy does, in a browser. Read only, and made of what one or many sluiced answer by gRPC.
//
// It may be looked at from this host, and from elsewhere by whoever has the token. Names in the Host header are
// refused, but "localhost": with a name, a foreign site could make a browser talk to an address of this host (DNS
// rebinding).
#ifndef SLUICE_PROGRAMS_PAGE_PAGE_SITE_H_
#define SLUICE_PROGRAMS_PAGE_PAGE_SITE_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "http/http_server.h"
#include "page/drop_board.h"
#include "page/target.h"

namespace sluice {

// A token from a file: its first line. Or what is wrong with it.
struct TokenError {
  std::string text;
};
std::variant<std::string, TokenError> ReadToken(const std::string& path);
// A new one, of 32 hexadecimal digits.
std::string MakeToken();

class PageSite final : public HttpSite {
 public:
  // Empty: the page is shown on this host alone, and to everybody there.
  explicit PageSite(std::string token);
  ~PageSite() override;

  // What is looked at from now on. Any thread.
  void Look(std::vector<std::shared_ptr<PageTarget>> targets);

  void Get(const HttpRequest& request, HttpReply& reply) override;
  // For good: streams and waiting calls end, and nothing is looked at any more.
  void Stop() override;

 private:
  using Targets = std::vector<std::shared_ptr<PageTarget>>;

  void Answer(const HttpRequest& request, HttpReply& reply);
  void StreamDrops(HttpReply& reply);
  Targets targets() const;

  const std::string token_;
  mutable std::mutex mutex_;
  Targets targets_;
  std::atomic<int> answering_ = 0;
  DropBoard drops_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_PAGE_PAGE_SITE_H_
