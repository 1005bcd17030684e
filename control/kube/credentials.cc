#include "kube/credentials.h"

#include <ctime>

#include "kube/file.h"

namespace sluice {
namespace {

bool ReadPem(const PemSource& source, const char* what, std::string& pem, std::string& why) {
  if (!source.data.empty()) {
    pem = source.data;
    return true;
  }
  if (source.file.empty() || ReadFile(source.file, pem)) return true;
  why = std::string(what) + " cannot be read any more: " + source.file;
  return false;
}

}  // namespace

bool Credentials::ExecIsFresh() const {
  constexpr std::int64_t kMargin_s = 10;  // for clocks that differ, and for the request's way
  return exec_ && (exec_->expires_s == 0 || exec_->expires_s - kMargin_s > std::time(nullptr));
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
    // A token file that is just being replaced may be missing for a moment; what it held last is still valid.
    if (!ReadFile(user.token_file, last_token_) && last_token_.empty() && user.token.empty()) {
      why = "tokenFile cannot be read: " + user.token_file;
      return std::nullopt;
    }
    if (!last_token_.empty()) identity.token = last_token_;
  }
  if (!user.exec) return identity;
  if (!ExecIsFresh()) {
    constexpr std::chrono::seconds kTimeout(30);
    exec_ = RunExecPlugin(*user.exec, access_.server, kTimeout, why);
    if (!exec_) return std::nullopt;
  }
  if (!exec_->token.empty()) identity.token = exec_->token;
  if (!exec_->key_pem.empty()) {
    identity.certificate_pem = exec_->certificate_pem;
    identity.key_pem = exec_->key_pem;
  }
  return identity;
}

}  // namespace sluice
