// The page: shows in a browser what policy does. It only reads, and asks one or many sluiced by gRPC.
//
// This host may look at it; other hosts need the token.
// Names in the Host header are refused, except "localhost": with a name, a foreign site could make a browser talk to
// an address of this host (DNS rebinding).
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

// Reads a token from a file: its first line. Otherwise returns what is wrong with it.
struct TokenError {
  std::string text;
};
std::variant<std::string, TokenError> ReadToken(const std::string& path);
// Makes a new token of 32 hexadecimal digits.
std::string MakeToken();

class PageSite final : public HttpSite {
 public:
  // Empty `token`: only this host may see the page, and everybody on it may.
  explicit PageSite(std::string token);
  ~PageSite() override;

  // Sets the dataplanes that the page shows from now on. Any thread.
  void Look(std::vector<std::shared_ptr<PageTarget>> targets);

  void Get(const HttpRequest& request, HttpReply& reply) override;
  // Stops for good: streams and waiting calls end, and no dataplane is asked any more.
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
