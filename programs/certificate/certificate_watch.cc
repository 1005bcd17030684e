#include "certificate/certificate_watch.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <utility>

namespace sluice {
namespace {

using std::chrono::sys_seconds;
using std::chrono::system_clock;

constexpr std::chrono::seconds kLookInterval(5);
constexpr std::chrono::hours kSayInterval(24);
constexpr std::chrono::hours kDueAtMost(14 * 24);
constexpr int kDueShare = 5;

std::optional<sys_seconds> ToTime(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  return sys_seconds(std::chrono::seconds(timegm(&parts)));
}

std::string DateText(sys_seconds time) {
  const std::time_t seconds = time.time_since_epoch().count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string SpanText(std::chrono::seconds span) {
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(span).count();
  if (hours >= 48) return std::to_string(hours / 24) + " days";
  if (hours >= 2) return std::to_string(hours) + " hours";
  return std::to_string(std::chrono::duration_cast<std::chrono::minutes>(span).count()) + " minutes";
}

}  // namespace

std::variant<CertificateLife, std::string> ReadCertificateLife(const std::string& file) {
  const std::string what = "certificate '" + file + "': ";
  const std::unique_ptr<BIO, int (*)(BIO*)> bio(BIO_new_file(file.c_str(), "r"), BIO_free);
  if (bio == nullptr) {
    const int why = errno;
    ERR_clear_error();
    return what + "cannot be read: " + std::strerror(why);
  }
  std::optional<CertificateLife> life;
  while (true) {
    const std::unique_ptr<X509, void (*)(X509*)> one(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr),
                                                     X509_free);
    if (one == nullptr) break;
    const auto begins = ToTime(X509_get0_notBefore(one.get()));
    const auto ends = ToTime(X509_get0_notAfter(one.get()));
    if (!begins || !ends) return what + "its time of validity cannot be read";
    if (!life || *ends < life->ends) life = CertificateLife{*begins, *ends};
  }
  ERR_clear_error();
  if (!life) return what + "holds no certificate in PEM form";
  return *life;
}

std::optional<std::string> CertificateWatch::Look(system_clock::time_point now) {
  // A clock that was set back does not end the looking.
  if (file_.empty() || (looked_ && now >= *looked_ && now - *looked_ < kLookInterval)) return std::nullopt;
  looked_ = now;
  const auto read = ReadCertificateLife(file_);
  std::string wrong, line;
  if (const auto* error = std::get_if<std::string>(&read)) {
    wrong = *error;
    line = *error + "; connections go on with the one before";
  } else {
    const auto& life = std::get<CertificateLife>(read);
    ends_unix_s_ = life.ends.time_since_epoch().count();
    const auto left = std::chrono::duration_cast<std::chrono::seconds>(life.ends - now);
    const auto due = std::min<std::chrono::seconds>((life.ends - life.begins) / kDueShare, kDueAtMost);
    if (left < due) {
      const bool over = left <= std::chrono::seconds(0);
      wrong = (over ? "over " : "due ") + DateText(life.ends);
      line = "certificate '" + file_ + (over ? "' expired " : "' expires in ") + SpanText(over ? -left : left) +
             (over ? " ago, at " : ", at ") + DateText(life.ends) +
             (over ? ": new connections with it are refused" : "") + "; rename a new one over it";
    }
  }
  if (wrong.empty() || (wrong == saying_ && now >= said_ && now - said_ < kSayInterval)) {
    saying_ = std::move(wrong);
    return std::nullopt;
  }
  saying_ = std::move(wrong);
  said_ = now;
  return line;
}

}  // namespace sluice
