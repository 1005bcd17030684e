// A certificate, its private key, and the authorities to trust: as names of PEM files, and as the files' content. Any
// thread.
#ifndef SLUICE_PROGRAMS_CERTIFICATE_TLS_MATERIAL_H_
#define SLUICE_PROGRAMS_CERTIFICATE_TLS_MATERIAL_H_

#include <chrono>
#include <string>
#include <variant>

namespace sluice {

struct TlsNames {
  std::string certificate;
  std::string key;
  std::string ca;
  std::string viewer_ca{};  // may be empty
};

// The bytes of the files.
struct TlsMaterial {
  std::string certificate;
  std::string key;
  std::string ca;
  std::string viewer_ca{};

  bool operator==(const TlsMaterial&) const = default;
};

// The life of a chain, until its first certificate ends.
struct CertificateLife {
  std::chrono::sys_seconds begins;
  std::chrono::sys_seconds ends;
};

// Errors name the file and what is wrong with it.
std::variant<TlsMaterial, std::string> ReadTls(const TlsNames& names);

// Checks whether a handshake can use it: whole PEM blocks, a key without a passphrase that belongs to the certificate,
// at least one authority in each authority file, none of them in both. It does not judge the time of validity.
std::variant<CertificateLife, std::string> CheckTls(const TlsMaterial& material, const TlsNames& names);

// Reads and checks.
std::variant<TlsMaterial, std::string> ReadSoundTls(const TlsNames& names);

// Whether an authority of `ca` signed the first certificate of `chain`, perhaps through others of the chain. Both are
// PEM. What the handshake has judged (time, purpose) is not judged again. False if either cannot be read.
bool IsSignedBy(const std::string& chain, const std::string& ca);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_CERTIFICATE_TLS_MATERIAL_H_
