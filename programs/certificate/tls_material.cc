#include "certificate/tls_material.h"

#include <fcntl.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
namespace {

using std::chrono::sys_seconds;

constexpr std::size_t kMaxFileBytes = std::size_t{4} << 20;

// Frees only the stack: others own its pointers.
void FreeStack(STACK_OF(X509) * stack) { sk_X509_free(stack); }

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Store = std::unique_ptr<X509_STORE, Freed<X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, Freed<X509_STORE_CTX_free>>;
using Stack = std::unique_ptr<STACK_OF(X509), Freed<FreeStack>>;

Bio Memory(std::string_view text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

// Returns OpenSSL's words for the newest error, and clears all errors.
std::string TakeError() {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return reason == nullptr ? "unknown error" : reason;
}

// Reads the content, or returns why it cannot be read.
std::optional<std::string> ReadInto(const std::string& file, std::string& content) {
  // O_NONBLOCK: a pipe without a writer must not block us.
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return std::string("cannot be read: ") + std::strerror(errno);
  char part[16384];
  ssize_t bytes = 0;
  content.clear();
  while (content.size() <= kMaxFileBytes && (bytes = read(fd, part, sizeof part)) > 0) {
    content.append(part, static_cast<std::size_t>(bytes));
  }
  const int why = errno;
  close(fd);
  if (bytes < 0) return std::string("cannot be read: ") + std::strerror(why);
  if (content.size() > kMaxFileBytes) return "is larger than 4 MB";
  if (content.empty()) return "is empty";
  return std::nullopt;
}

std::optional<sys_seconds> ToTime(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  return sys_seconds(std::chrono::seconds(timegm(&parts)));
}

std::size_t Count(std::string_view text, std::string_view words) {
  std::size_t count = 0;
  for (std::size_t at = text.find(words); at != text.npos; at = text.find(words, at + words.size())) ++count;
  return count;
}

// Returns every certificate of the file, or what is wrong with it.
std::variant<std::vector<Certificate>, std::string> ReadCertificates(std::string_view text) {
  const Bio bio = Memory(text);
  std::vector<Certificate> certificates;
  while (Certificate one{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    certificates.push_back(std::move(one));
  }
  const bool to_the_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!to_the_end || Count(text, "-----BEGIN") != Count(text, "-----END")) return "is cut off or damaged";
  if (certificates.empty()) return "holds no certificate in PEM form";
  return certificates;
}

int RefuseToAsk(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

std::variant<Key, std::string> ReadKey(std::string_view text) {
  bool asked = false;
  Key key(PEM_read_bio_PrivateKey(Memory(text).get(), nullptr, RefuseToAsk, &asked));
  ERR_clear_error();
  if (key != nullptr) return key;
  if (asked) return "wants a passphrase; nobody is there to give it: store it without one";
  return text.find("-----BEGIN") == text.npos ? "holds no private key in PEM form" : "is cut off or damaged";
}

std::variant<CertificateLife, std::string> LifeOf(const std::vector<Certificate>& chain) {
  std::optional<CertificateLife> life;
  for (const Certificate& one : chain) {
    const auto begins = ToTime(X509_get0_notBefore(one.get()));
    const auto ends = ToTime(X509_get0_notAfter(one.get()));
    if (!begins || !ends) return "has a time of validity that cannot be read";
    if (!life || *ends < life->ends) life = CertificateLife{*begins, *ends};
  }
  return *life;
}

bool ShareOne(const std::vector<Certificate>& some, const std::vector<Certificate>& others) {
  return std::any_of(some.begin(), some.end(), [&](const Certificate& one) {
    return std::any_of(others.begin(), others.end(),
                       [&](const Certificate& other) { return X509_cmp(one.get(), other.get()) == 0; });
  });
}

}  // namespace

std::variant<TlsMaterial, std::string> ReadTls(const TlsNames& names) {
  TlsMaterial material;
  if (auto error = ReadInto(names.certificate, material.certificate)) {
    return "certificate '" + names.certificate + "' " + *error;
  }
  if (auto error = ReadInto(names.key, material.key)) return "key '" + names.key + "' " + *error;
  if (auto error = ReadInto(names.ca, material.ca)) return "CA '" + names.ca + "' " + *error;
  if (names.viewer_ca.empty()) return material;
  if (auto error = ReadInto(names.viewer_ca, material.viewer_ca)) {
    return "viewer CA '" + names.viewer_ca + "' " + *error;
  }
  return material;
}

std::variant<CertificateLife, std::string> CheckTls(const TlsMaterial& material, const TlsNames& names) {
  const std::string certificate = "certificate '" + names.certificate + "' ";
  const auto read_chain = ReadCertificates(material.certificate);
  if (const auto* error = std::get_if<std::string>(&read_chain)) return certificate + *error;
  const auto& chain = std::get<std::vector<Certificate>>(read_chain);
  auto life = LifeOf(chain);
  if (const auto* error = std::get_if<std::string>(&life)) return certificate + *error;
  const auto read_key = ReadKey(material.key);
  if (const auto* error = std::get_if<std::string>(&read_key)) return "key '" + names.key + "' " + *error;
  EVP_PKEY* const key = std::get<Key>(read_key).get();
  const auto authorities = ReadCertificates(material.ca);
  if (const auto* error = std::get_if<std::string>(&authorities)) return "CA '" + names.ca + "' " + *error;
  if (!names.viewer_ca.empty()) {
    const std::string viewer_ca = "viewer CA '" + names.viewer_ca + "' ";
    const auto viewers = ReadCertificates(material.viewer_ca);
    if (const auto* error = std::get_if<std::string>(&viewers)) return viewer_ca + *error;
    if (ShareOne(std::get<0>(authorities), std::get<0>(viewers))) {
      return viewer_ca + "holds an authority of CA '" + names.ca + "', whose clients could not push then; " +
             "viewers want an authority of their own";
    }
  }

  if (X509_check_private_key(chain.front().get(), key) != 1) {
    ERR_clear_error();
    return certificate + "and key '" + names.key + "' do not belong together";
  }
  // Checks what the library requires beyond that, such as a key's length.
  const Context context(SSL_CTX_new(TLS_method()));
  if (context == nullptr) return "TLS: " + TakeError();
  if (SSL_CTX_use_certificate(context.get(), chain.front().get()) != 1)
    return certificate + "is refused: " + TakeError();
  if (SSL_CTX_use_PrivateKey(context.get(), key) != 1) return "key '" + names.key + "' is refused: " + TakeError();
  return life;
}

std::variant<TlsMaterial, std::string> ReadSoundTls(const TlsNames& names) {
  auto read = ReadTls(names);
  if (const auto* material = std::get_if<TlsMaterial>(&read)) {
    auto checked = CheckTls(*material, names);
    if (auto* error = std::get_if<std::string>(&checked)) return std::move(*error);
  }
  return read;
}

bool IsSignedBy(const std::string& chain, const std::string& ca) {
  const auto read_chain = ReadCertificates(chain);
  const auto read_ca = ReadCertificates(ca);
  if (read_chain.index() != 0 || read_ca.index() != 0) return false;
  const auto& certificates = std::get<0>(read_chain);
  const Store store(X509_STORE_new());
  const StoreContext context(X509_STORE_CTX_new());
  const Stack others(sk_X509_new_null());
  if (store == nullptr || context == nullptr || others == nullptr) return false;
  for (const Certificate& one : std::get<0>(read_ca)) X509_STORE_add_cert(store.get(), one.get());
  for (const Certificate& one : certificates) sk_X509_push(others.get(), one.get());
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME);
  const bool signed_by =
      X509_STORE_CTX_init(context.get(), store.get(), certificates.front().get(), others.get()) == 1 &&
      X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  return signed_by;
}

}  // namespace sluice
