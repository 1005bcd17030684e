#include "kube/credentials.h"

#include <algorithm>
#include <ctime>

#include "kube/file.h"

namespace sluice {
namespace {

bool ReadPem(const PemSource& source, const char* what, std::string& pem, std::string& why) {
  if (!source.data.empty()) {
    pem = source.data;
    return true;
  }
  if (source.file.empty()) return true;
  const bool readable = ReadFile(source.file, pem);
  // An empty file is just being replaced. Without an authority, we would trust the system's.
  if (readable && !pem.empty()) return true;
  why = std::string(what) + (readable ? " is empty: " : " cannot be read any more: ") + source.file;
  return false;
}

bool HoldsControlCharacters(const std::string& text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7F; });
}

}  // namespace

bool Credentials::ExecLasts(std::int64_t margin_s) const {
  return exec_ && !refused_ && (exec_->expires_s == 0 || exec_->expires_s - margin_s > std::time(nullptr));
}

bool Credentials::AskPlugin(std::string& why) {
  constexpr std::int64_t kMargin_s = 10;  // for clocks that differ, and for the time that the request takes
  if (ExecLasts(kMargin_s)) return true;
  if (Clock::now() >= plugin_may_run_) {
    constexpr std::chrono::seconds kTimeout(30);
    plugin_why_.clear();
    auto credential = RunExecPlugin(*access_.user.exec, access_.server, kTimeout, plugin_why_);
    plugin_may_run_ = Clock::now() + plugin_rest_;
    if (credential) {
      exec_ = std::move(credential);
      refused_ = false;
    }
  }
  // While the plugin rests, a credential that was refused or has expired by our clock is presented: the server judges.
  if (plugin_why_.empty() || ExecLasts(0)) return true;
  why = plugin_why_;
  return false;
}

std::optional<Identity> Credentials::Get(std::string& why) {
  const UserAccess& user = access_.user;
  Identity identity;
  identity.username = user.username;
  identity.password = user.password;
  if (!ReadPem(access_.server.ca, "certificate-authority", identity.ca_pem, why) ||
      !ReadPem(user.certificate, "client-certificate", identity.certificate_pem, why) ||
      !ReadPem(user.key, "client-key", identity.key_pem, why)) {
    return std::nullopt;
  }
  identity.token = user.token;
  if (!user.token_file.empty()) {
    // A token file that is just being replaced may be missing for a moment. The last token that it held is still valid.
    std::string token;
    if (ReadFile(user.token_file, token) && !token.empty()) last_token_ = std::move(token);
    if (last_token_.empty() && user.token.empty()) {
      why = "tokenFile cannot be read, or is empty: " + user.token_file;
      return std::nullopt;
    }
    if (!last_token_.empty()) identity.token = last_token_;
  }
  if (user.exec) {
    if (!AskPlugin(why)) return std::nullopt;
    if (!exec_->token.empty()) identity.token = exec_->token;
    if (!exec_->key_pem.empty()) {
      identity.certificate_pem = exec_->certificate_pem;
      identity.key_pem = exec_->key_pem;
    }
  }
  if (HoldsControlCharacters(identity.token)) {
    why = "the token holds a line break or another control character: it must be one line";
    return std::nullopt;
  }
  return identity;
}

}  // namespace sluice
