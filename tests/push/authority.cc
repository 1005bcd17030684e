#include "push/authority.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <utility>

#include "kube/process.h"

namespace sluice {
namespace {

constexpr const char* kOpenssl = "/usr/bin/openssl";

// What `openssl ca` wants to know; it alone sets both ends of a certificate's time.
std::string Config(const std::string& folder) {
  return "[ca]\ndefault_ca=d\n[d]\ndatabase=" + folder + "/index\nnew_certs_dir=" + folder +
         "\nrand_serial=yes\nunique_subject=no\ndefault_md=sha256\npolicy=p\ncertificate=" + folder +
         "/ca.pem\nprivate_key=" + folder + "/ca.key\n[p]\ncommonName=supplied\n";
}

}  // namespace

Authority::Authority(std::string folder) : folder_(std::move(folder)) {
  std::filesystem::create_directory(folder_);
  WriteFile(folder_ + "/index", "");
  WriteFile(folder_ + "/config", Config(folder_));
  EXPECT_EQ(RunCommand({kOpenssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=authority of " + folder_.substr(folder_.rfind('/') + 1), "-keyout",
                        folder_ + "/ca.key", "-out", CaFile()}),
            0);
}

void Authority::Sign(const std::string& name, const CertificateOptions& options) const {
  const std::string request = folder_ + '/' + name + ".csr";
  const std::string names = folder_ + '/' + name + ".names";
  WriteFile(names, "subjectAltName=" + options.names + '\n');
  EXPECT_EQ(RunCommand({kOpenssl, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                        "/CN=" + name, "-keyout", Key(name), "-out", request}),
            0);
  std::vector<std::string> sign = {kOpenssl, "ca",    "-batch", "-notext",         "-config",  folder_ + "/config",
                                   "-in",    request, "-out",   Certificate(name), "-extfile", names};
  if (options.expired) {
    sign.insert(sign.end(), {"-startdate", "20200101000000Z", "-enddate", "20200201000000Z"});
  } else {
    sign.insert(sign.end(), {"-days", "2"});
  }
  EXPECT_EQ(RunCommand(sign), 0);
}

void Authority::MoveOnto(const Authority& other) const {
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    std::filesystem::rename(entry.path(), std::filesystem::path(other.folder_) / entry.path().filename());
  }
}

}  // namespace sluice
