// Who is shown the page, and who is not.
#include "page/page_site.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "support/places.h"

namespace sluice {
namespace {

constexpr char kToken[] = "0123456789abcdef0123456789abcdef";

class SavedReply final : public HttpReply {
 public:
  void Send(int status, std::string_view type, std::string_view text) override {
    status_ = status;
    type_ = type;
    text_ = text;
  }
  void BeginStream(std::string_view type) override { Send(200, type, ""); }
  bool Write(std::string_view) override { return false; }

  int status_ = 0;
  std::string type_;
  std::string text_;
};

HttpRequest From(bool loopback, std::string path, std::string host = "127.0.0.1:9465") {
  HttpRequest request;
  request.path = std::move(path);
  request.host = std::move(host);
  request.from_loopback = loopback;
  return request;
}

int StatusOf(PageSite& site, const HttpRequest& request) {
  SavedReply reply;
  site.Get(request, reply);
  return reply.status_;
}

TEST(PageSite, WithoutATokenThisHostAloneSeesIt) {
  PageSite site("");
  EXPECT_EQ(StatusOf(site, From(true, "/")), 200);
  EXPECT_EQ(StatusOf(site, From(true, "/api/dataplanes")), 200);
  EXPECT_EQ(StatusOf(site, From(false, "/", "192.0.2.1:9465")), 403);
  EXPECT_EQ(StatusOf(site, From(false, "/api/dataplanes", "192.0.2.1:9465")), 403);
}

TEST(PageSite, WithATokenWhoeverHasItAndNobodyElse) {
  PageSite site(kToken);
  EXPECT_EQ(StatusOf(site, From(false, "/", "192.0.2.1:9465")), 200) << "what holds no secret";
  for (const bool loopback : {false, true}) {
    HttpRequest request = From(loopback, "/api/dataplanes");
    EXPECT_EQ(StatusOf(site, request), 401);
    for (const char* wrong : {"Bearer ", "Bearer 0123456789abcdef0123456789abcdee", "0123456789abcdef0123456789abcdef",
                              "Basic 0123456789abcdef0123456789abcdef", "Bearer 0123456789abcdef0123456789abcdef "}) {
      request.authorization = wrong;
      EXPECT_EQ(StatusOf(site, request), 401) << wrong;
    }
    request.authorization = std::string("Bearer ") + kToken;
    EXPECT_EQ(StatusOf(site, request), 200);
  }
}

TEST(PageSite, ANameOfAForeignSiteIsNoHost) {
  PageSite site("");
  for (const char* host : {"evil.example", "evil.example:9465", "localhost.evil.example", "127.0.0.1.evil.example", "",
                           "127.0.0.1:9465:1", "[::1", "localhost:"}) {
    EXPECT_EQ(StatusOf(site, From(true, "/", host)), 403) << host;
    EXPECT_EQ(StatusOf(site, From(true, "/api/map", host)), 403) << host;
  }
  for (const char* host : {"localhost", "localhost:9465", "127.0.0.1", "[::1]", "[::1]:9465", "192.0.2.7:80"}) {
    EXPECT_EQ(StatusOf(site, From(true, "/", host)), 200) << host;
  }
}

TEST(PageSite, RequestsOfOtherSitesAreRefused) {
  PageSite site("");
  HttpRequest request = From(true, "/api/dataplanes");
  for (const char* other : {"cross-site", "same-site", "nonsense"}) {
    request.fetch_site = other;
    EXPECT_EQ(StatusOf(site, request), 403) << other;
  }
  for (const char* own : {"same-origin", "none", ""}) {
    request.fetch_site = own;
    EXPECT_EQ(StatusOf(site, request), 200) << own;
  }
}

TEST(PageSite, WhatIsNotThereIsNotFound) {
  PageSite site("");
  for (const char* path : {"/x", "/index.html", "/api/", "/api/flows", "/../etc/passwd", "//", ""}) {
    EXPECT_EQ(StatusOf(site, From(true, path)), 404) << path;
  }
}

TEST(PageSite, ItsFilesAreWholeAndTyped) {
  PageSite site("");
  const std::pair<const char*, const char*> files[] = {{"/", "text/html; charset=utf-8"},
                                                       {"/page.js", "text/javascript; charset=utf-8"},
                                                       {"/page.css", "text/css; charset=utf-8"}};
  for (const auto& [path, type] : files) {
    SavedReply reply;
    site.Get(From(true, path), reply);
    EXPECT_EQ(reply.type_, type);
    const std::string name = std::string(path) == "/" ? "/index.html" : path;
    EXPECT_EQ(reply.text_.size(), std::filesystem::file_size(SourcePath("page/built" + name)));
  }
}

TEST(PageSite, ABadQuestionIsAnsweredWithItsField) {
  PageSite site("");
  HttpRequest request = From(true, "/api/explain");
  SavedReply reply;
  site.Get(request, reply);
  EXPECT_EQ(reply.text_, R"({"error":"there is no such dataplane"})");
}

TEST(PageSite, BytesThatAreNoNameAreNoPod) {
  PageSite site("");
  const auto channel = grpc::CreateChannel("unix:/nonexistent/sluice.sock", grpc::InsecureChannelCredentials());
  site.Look({std::make_shared<PageTarget>("gw1", channel)});
  for (const char* end : {"src", "dst"}) {
    HttpRequest request = From(true, "/api/explain");
    request.query = {{"proto", "tcp"}, {end, "shop/\xff"}};
    SavedReply reply;
    site.Get(request, reply);
    EXPECT_EQ(reply.text_, R"({"error":"src and dst: each must be an address, or a pod as namespace/name"})");
  }
}

TEST(PageSite, AfterItsStopStreamsAreRefused) {
  PageSite site("");
  EXPECT_EQ(StatusOf(site, From(true, "/api/drops")), 200);
  site.Stop();
  EXPECT_EQ(StatusOf(site, From(true, "/api/drops")), 503);
}

TEST(Token, IsTheFirstLineOfAFileOrSaysWhatIsWrong) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / ("sluice-token-" + MakeToken());
  const auto read = [&](const char* content) {
    std::ofstream(path) << content;
    return ReadToken(path);
  };
  EXPECT_EQ(std::get<std::string>(read("0123456789abcdef\nx\n")), "0123456789abcdef");
  for (const char* wrong :
       {"", "\n", "short\n", "0123456789 abcdef\n", "0123456789abcdef\r\n", "0123456789abcd\xc3\xa9\n"}) {
    EXPECT_TRUE(std::holds_alternative<TokenError>(read(wrong))) << wrong;
  }
  std::filesystem::remove(path);
  EXPECT_TRUE(std::holds_alternative<TokenError>(ReadToken(path)));
}

TEST(Token, IsAnotherOneEachTime) {
  const std::string token = MakeToken();
  EXPECT_EQ(token.size(), 32u);
  EXPECT_NE(token, MakeToken());
}

}  // namespace
}  // namespace sluice
