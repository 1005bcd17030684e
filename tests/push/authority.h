// A certificate authority in a folder, made by openssl, and what it signs.
#ifndef SLUICE_TESTS_PUSH_AUTHORITY_H_
#define SLUICE_TESTS_PUSH_AUTHORITY_H_

#include <string>

namespace sluice {

struct CertificateOptions {
  bool expired = false;  // years ago
  std::string names = "DNS:localhost,IP:127.0.0.1";
};

class Authority {
 public:
  explicit Authority(std::string folder);

  // A key and a certificate of that name; fails the test where openssl does.
  void Sign(const std::string& name, const CertificateOptions& options) const;
  // Everything there comes to be ours, file by file and each at once, as rotation does it.
  void MoveOnto(const Authority& other) const;

  std::string CaFile() const { return folder_ + "/ca.pem"; }
  std::string Certificate(const std::string& name) const { return folder_ + '/' + name + ".pem"; }
  std::string Key(const std::string& name) const { return folder_ + '/' + name + ".key"; }

 private:
  std::string folder_;
};

}  // namespace sluice

#endif  // SLUICE_TESTS_PUSH_AUTHORITY_H_
