// A certificate, its private key, and whose certificates are believed: as PEM files, and as what these hold.
// Any thread.
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

// Of a chain, until its first certificate ends.
struct CertificateLife {
  std::chrono::sys_seconds begins;
  std::chrono::sys_seconds ends;
};

// Errors name the file and what is wrong with it.
std::variant<TlsMaterial, std::string> ReadTls(const TlsNames& names);

// Whether a handshake can be made of it: whole PEM blocks, a key without a passphrase that belongs to the certificate,
// at least one authority in each of their files, none of them in both. Its time of validity is not judged.
std::variant<CertificateLife, std::string> CheckTls(const TlsMaterial& material, const TlsNames& names);

// Both.
std::variant<TlsMaterial, std::string> ReadSoundTls(const TlsNames& names);

// Whether an authority of `ca` signed the first certificate of `chain`, perhaps by others of it. Both are PEM. What a
// handshake judged before (time, purpose) is not judged again. False where either cannot be read.
bool IsSignedBy(const std::string& chain, const std::string& ca);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_CERTIFICATE_TLS_MATERIAL_H_
