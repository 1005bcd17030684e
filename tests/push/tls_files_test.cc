#include "certificate/tls_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "kube/process.h"
#include "push/authority.h"

namespace sluice {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::system_clock;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kOpensslPath = "/usr/bin/openssl";

std::string Text(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}
std::string Half(const std::string& file) {
  const std::string text = Text(file);
  return text.substr(0, text.size() / 2);
}

// One set of files in use, another to put in its place; the clock is the test's.
class TlsFilesTest : public testing::Test {
 protected:
  TlsFilesTest() {
    ours_.Sign("ours", {});
    other_.Sign("ours", {});
  }

  TlsNames NamesOf(const Authority& authority) const {
    return {authority.Certificate("ours"), authority.Key("ours"), authority.CaFile()};
  }
  std::string Error(const TlsNames& names) const {
    const auto read = ReadSoundTls(names);
    return std::holds_alternative<std::string>(read) ? std::get<std::string>(read) : "";
  }
  CertificateLife LifeOf(const TlsNames& names) const {
    const auto checked = CheckTls(std::get<TlsMaterial>(ReadTls(names)), names);
    EXPECT_TRUE(std::holds_alternative<CertificateLife>(checked)) << std::get<std::string>(checked);
    return std::get<CertificateLife>(checked);
  }

  // A second later.
  std::string Look(TlsFiles& files) {
    now_ += seconds(1);
    const auto news = files.Look(now_);
    if (!news) return "";
    return (news->severity == Severity::kNote ? "note: " : "warning: ") + news->text;
  }
  // What it says once the files have been at rest.
  std::string LookTwice(TlsFiles& files) {
    EXPECT_EQ(Look(files), "") << "a change may be under way";
    return Look(files);
  }
  void Copy(const std::string& from, const std::string& to) const { WriteFile(to, Text(from)); }

  TempFolder folder_;
  Authority ours_{folder_ / "ours"};
  Authority other_{folder_ / "other"};
  const TlsNames names_ = NamesOf(ours_);
  system_clock::time_point now_ = system_clock::now();
};

TEST_F(TlsFilesTest, SoundFilesOfEveryKindOfKeyAreTaken) {
  EXPECT_EQ(Error(names_), "");
  for (const std::string kind : {"rsa:2048", "ed25519"}) {
    const TlsNames own = {folder_ / "own.pem", folder_ / "own.key", ours_.CaFile()};
    ASSERT_EQ(RunCommand({kOpensslPath, "req", "-x509", "-newkey", kind, "-nodes", "-days", "2", "-subj", "/CN=own",
                          "-keyout", own.key, "-out", own.certificate}),
              0);
    EXPECT_EQ(Error(own), "") << kind;
  }
  // The curve's parameters stand before the key, and prose between the certificates.
  const TlsNames old_form = {names_.certificate, folder_ / "old.key", folder_ / "authorities.pem"};
  ASSERT_EQ(RunCommand({kOpensslPath, "ecparam", "-name", "prime256v1", "-out", folder_ / "curve"}), 0);
  ASSERT_EQ(RunCommand({kOpensslPath, "ec", "-in", names_.key, "-out", folder_ / "ec.key"}), 0);
  WriteFile(old_form.key, Text(folder_ / "curve") + Text(folder_ / "ec.key"));
  WriteFile(old_form.ca, "ours:\n" + Text(ours_.CaFile()) + "the other:\r\n" + Text(other_.CaFile()));
  EXPECT_EQ(Error(old_form), "");
}

TEST_F(TlsFilesTest, AClientOfTheViewersAuthorityMayNotPush) {
  TlsNames names = names_;
  names.viewer_ca = other_.CaFile();
  TlsFiles files(names);
  ASSERT_EQ(files.Open(), std::nullopt);
  EXPECT_EQ(Text(files.copies().ca), Text(ours_.CaFile()) + '\n' + Text(other_.CaFile())) << "both are let in";
  EXPECT_TRUE(files.MayPush(Text(ours_.Certificate("ours"))));
  EXPECT_FALSE(files.MayPush(Text(other_.Certificate("ours"))));
  EXPECT_FALSE(files.MayPush(Text(other_.Certificate("ours")) + Text(ours_.Certificate("ours")))) << "its own is first";
  EXPECT_FALSE(files.MayPush(""));
  TlsFiles without(names_);
  ASSERT_EQ(without.Open(), std::nullopt);
  EXPECT_TRUE(without.MayPush(Text(ours_.Certificate("ours"))));
}

// A viewers' authority that the other one signed, and the other way round: a client that both signed may only look.
TEST_F(TlsFilesTest, AClientOfBothAuthoritiesMayOnlyLook) {
  WriteFile(folder_ / "authority.ext", "basicConstraints=critical,CA:true\n");
  const std::string request = folder_ / "below.csr", below = folder_ / "below.pem", key = folder_ / "below.key";
  ASSERT_EQ(RunCommand({kOpensslPath, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                        "/CN=below", "-keyout", key, "-out", request}),
            0);
  ASSERT_EQ(RunCommand({kOpensslPath, "x509", "-req", "-in", request, "-CA", ours_.CaFile(), "-CAkey",
                        folder_ / "ours/ca.key", "-CAcreateserial", "-days", "2", "-extfile", folder_ / "authority.ext",
                        "-out", below}),
            0);
  ASSERT_EQ(RunCommand({kOpensslPath, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                        "/CN=client", "-keyout", folder_ / "client.key", "-out", folder_ / "client.csr"}),
            0);
  ASSERT_EQ(RunCommand({kOpensslPath, "x509", "-req", "-in", folder_ / "client.csr", "-CA", below, "-CAkey", key,
                        "-CAcreateserial", "-days", "2", "-out", folder_ / "client.pem"}),
            0);
  const std::string chain = Text(folder_ / "client.pem") + Text(below);
  for (const auto& [ca, viewer_ca] : {std::pair(ours_.CaFile(), below), std::pair(below, ours_.CaFile())}) {
    TlsNames names = names_;
    names.ca = ca;
    names.viewer_ca = viewer_ca;
    TlsFiles files(names);
    ASSERT_EQ(files.Open(), std::nullopt);
    EXPECT_FALSE(files.MayPush(chain)) << ca;
  }
  TlsNames names = names_;
  names.viewer_ca = other_.CaFile();
  TlsFiles files(names);
  ASSERT_EQ(files.Open(), std::nullopt);
  EXPECT_TRUE(files.MayPush(chain)) << "an authority below ours is ours";
}

TEST_F(TlsFilesTest, AViewersAuthorityThatChangesIsTaken) {
  TlsNames names = names_;
  names.viewer_ca = folder_ / "viewers.pem";
  Copy(other_.CaFile(), names.viewer_ca);
  TlsFiles files(names);
  ASSERT_EQ(files.Open(), std::nullopt);
  const Authority third(folder_ / "third");
  third.Sign("ours", {});
  Look(files);
  Copy(third.CaFile(), names.viewer_ca);
  EXPECT_THAT(LookTwice(files), HasSubstr("new TLS files are in use"));
  EXPECT_FALSE(files.MayPush(Text(third.Certificate("ours"))));
  EXPECT_FALSE(files.MayPush(Text(other_.Certificate("ours")))) << "of a connection that began before";
  EXPECT_TRUE(files.MayPush(Text(ours_.Certificate("ours"))));
}

TEST_F(TlsFilesTest, UnsoundViewersAuthoritiesAreRefused) {
  TlsNames names = names_;
  names.viewer_ca = folder_ / "viewers.pem";
  EXPECT_EQ(Error(names), "viewer CA '" + names.viewer_ca + "' cannot be read: No such file or directory");
  WriteFile(names.viewer_ca, "");
  EXPECT_EQ(Error(names), "viewer CA '" + names.viewer_ca + "' is empty");
  WriteFile(names.viewer_ca, Text(other_.CaFile()) + Text(ours_.CaFile()));
  EXPECT_THAT(Error(names), HasSubstr("holds an authority of CA '" + names.ca));
}

TEST_F(TlsFilesTest, UnsoundFilesAreRefusedByNameWithWhatIsWrong) {
  const std::string sound = Text(names_.certificate), key = Text(names_.key);
  const auto certificate = [&](const std::string& text) {
    WriteFile(folder_ / "bad", text);
    return Error({folder_ / "bad", names_.key, names_.ca});
  };
  const auto with_key = [&](const std::string& text) {
    WriteFile(folder_ / "bad", text);
    return Error({names_.certificate, folder_ / "bad", names_.ca});
  };
  const auto ca = [&](const std::string& text) {
    WriteFile(folder_ / "bad", text);
    return Error({names_.certificate, names_.key, folder_ / "bad"});
  };
  const std::string bad = " '" + (folder_ / "bad") + "' ";
  EXPECT_EQ(certificate(""), "certificate" + bad + "is empty");
  EXPECT_EQ(certificate("no certificate\n"), "certificate" + bad + "holds no certificate in PEM form");
  EXPECT_EQ(certificate(key), "certificate" + bad + "holds no certificate in PEM form");
  EXPECT_EQ(with_key(""), "key" + bad + "is empty");
  EXPECT_EQ(with_key("no key\n"), "key" + bad + "holds no private key in PEM form");
  EXPECT_THAT(with_key(Text(other_.Key("ours"))), AllOf(HasSubstr(names_.certificate), HasSubstr("do not belong")));
  EXPECT_EQ(ca(""), "CA" + bad + "is empty");
  EXPECT_EQ(ca(key), "CA" + bad + "holds no certificate in PEM form");
  EXPECT_EQ(ca(std::string(5 << 20, '\n')), "CA" + bad + "is larger than 4 MB");
  EXPECT_THAT(Error({folder_ / "none", names_.key, names_.ca}),
              EndsWith("/none' cannot be read: No such file or directory"));
  EXPECT_THAT(Error({names_.certificate, names_.key, folder_.path()}), EndsWith("cannot be read: Is a directory"));
  ASSERT_EQ(mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(Error({names_.certificate, folder_ / "pipe", names_.ca}), EndsWith("/pipe' is empty"));

  ASSERT_EQ(RunCommand({kOpensslPath, "pkcs8", "-topk8", "-in", names_.key, "-passout", "pass:secret", "-out",
                        folder_ / "locked.key"}),
            0);
  EXPECT_THAT(with_key(Text(folder_ / "locked.key")), HasSubstr("wants a passphrase"));
  const TlsNames weak = {folder_ / "weak.pem", folder_ / "weak.key", names_.ca};
  ASSERT_EQ(RunCommand({kOpensslPath, "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-days", "2", "-subj",
                        "/CN=weak", "-keyout", weak.key, "-out", weak.certificate}),
            0);
  EXPECT_THAT(Error(weak), HasSubstr("weak.pem' is refused: ee key too small"));
}

// Wherever a copy was cut off: in the first block, between two, in the middle of a line.
TEST_F(TlsFilesTest, FilesThatAreCutOffAnywhereAreRefused) {
  const std::string one = Text(names_.certificate);
  const std::string chain = one + Text(ours_.CaFile());
  const std::string path = folder_ / "bad";
  for (std::size_t size = 1; size + 1 < chain.size(); ++size) {
    if (size == one.size() || size + 1 == one.size()) continue;  // that is a whole file, too
    WriteFile(path, chain.substr(0, size));
    // Dashes and letters before a block are prose.
    const bool prose = size > one.size() && size < one.size() + std::string("-----BEGIN").size();
    ASSERT_EQ(Error({path, names_.key, names_.ca}).empty(), prose) << size;
    ASSERT_EQ(Error({names_.certificate, names_.key, path}).empty(), prose) << size;
  }
  const std::string key = Text(names_.key);
  for (std::size_t size = 1; size + 1 < key.size(); ++size) {
    WriteFile(path, key.substr(0, size));
    ASSERT_NE(Error({names_.certificate, path, names_.ca}), "") << size;
  }
}

TEST_F(TlsFilesTest, CopiesHoldWhatTheFilesHeldAtTheStart) {
  TlsFiles files(names_);
  ASSERT_EQ(files.Open(), std::nullopt);
  EXPECT_THAT(files.copies().key, StartsWith("/proc/self/fd/"));
  const TlsNames copies = files.copies();
  EXPECT_EQ(Error(copies), "");
  EXPECT_EQ(Text(copies.ca), Text(names_.ca));
  EXPECT_THAT(Text(copies.certificate), HasSubstr(Text(names_.certificate)));
  EXPECT_THAT(Text(copies.key), HasSubstr(Text(names_.key)));
  EXPECT_EQ(files.certificate_ends_unix_s(), LifeOf(names_).ends.time_since_epoch().count());
  std::filesystem::remove(names_.certificate);
  EXPECT_EQ(Error(copies), "");
}

TEST_F(TlsFilesTest, UnsoundFilesAreNotOpened) {
  WriteFile(names_.key, "");
  TlsFiles files(names_);
  EXPECT_EQ(files.Open(), "key '" + names_.key + "' is empty");
  EXPECT_EQ(Look(files), "");
}

TEST_F(TlsFilesTest, ANewSetTakesTheOldOnesPlaceAtOnceUnderTheSameNames) {
  TlsFiles files(names_);
  ASSERT_EQ(files.Open(), std::nullopt);
  const TlsNames copies = files.copies();
  struct stat before {
  }, after{};
  ASSERT_EQ(stat(copies.key.c_str(), &before), 0);
  const TlsNames next = NamesOf(other_);
  Copy(next.certificate, names_.certificate);
  Copy(next.key, names_.key);
  Copy(next.ca, names_.ca);
  EXPECT_THAT(LookTwice(files), AllOf(StartsWith("note: new TLS files are in use"), HasSubstr(names_.certificate)));
  EXPECT_EQ(Look(files), "");
  EXPECT_EQ(files.copies().key, copies.key);
  EXPECT_THAT(Text(copies.key), HasSubstr(Text(next.key)));
  EXPECT_THAT(Text(copies.certificate), HasSubstr(Text(next.certificate)));
  EXPECT_EQ(Text(copies.ca), Text(next.ca));
  ASSERT_EQ(stat(copies.key.c_str(), &after), 0);
  EXPECT_NE(before.st_mtim.tv_sec, after.st_mtim.tv_sec) << "by which gRPC knows a torn pair";
}

TEST_F(TlsFilesTest, AHalfOfAPairIsKeptBackUntilTheOtherIsThere) {
  TlsFiles files(names_);
  ASSERT_EQ(files.Open(), std::nullopt);
  const std::string before = Text(files.copies().key);
  Copy(other_.Certificate("ours"), names_.certificate);
  EXPECT_THAT(LookTwice(files), AllOf(StartsWith("warning: certificate '" + names_.certificate),
                                      HasSubstr("do not belong together; connections go on with")));
  EXPECT_EQ(Text(files.copies().key), before);
  Copy(other_.Key("ours"), names_.key);
  EXPECT_THAT(LookTwice(files), StartsWith("note: "));
  EXPECT_THAT(Text(files.copies().key), HasSubstr(Text(other_.Key("ours"))));
}

TEST_F(TlsFilesTest, WhatIsUnsoundIsToldOnceADayAndTheCopiesStay) {
  TlsFiles files(names_);
  ASSERT_EQ(files.Open(), std::nullopt);
  const auto ends = files.certificate_ends_unix_s();
  for (const std::string& name : {names_.certificate, names_.key, names_.ca}) {
    const std::string sound = Text(name), half = Half(name);
    for (const std::string& content : {std::string(), half, std::string("no PEM\n")}) {
      WriteFile(name, content);
      EXPECT_THAT(LookTwice(files), AllOf(StartsWith("warning: "), HasSubstr(name), EndsWith("there before")));
      EXPECT_EQ(Look(files), "");
    }
    now_ += hours(24);
    EXPECT_THAT(Look(files), AllOf(StartsWith("warning: "), HasSubstr(name)));
    now_ -= hours(24) + seconds(3);
    std::filesystem::remove(name);
    EXPECT_THAT(LookTwice(files), HasSubstr("cannot be read: No such file"));
    EXPECT_EQ(Error(files.copies()), "");
    WriteFile(name, sound);
    EXPECT_EQ(LookTwice(files), "") << "it is what is in use";
  }
  EXPECT_EQ(files.certificate_ends_unix_s(), ends);
}

TEST_F(TlsFilesTest, DescriptorsDoNotGrowAndAreNotInherited) {
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
  };
  const auto before = descriptors();
  {
    TlsFiles files(names_);
    ASSERT_EQ(files.Open(), std::nullopt);
    EXPECT_EQ(descriptors(), before + 2);
    const TlsNames sets[] = {NamesOf(other_), {folder_ / "1.pem", folder_ / "1.key", folder_ / "ca.pem"}};
    Copy(names_.certificate, sets[1].certificate);
    Copy(names_.key, sets[1].key);
    Copy(names_.ca, sets[1].ca);
    for (int i = 0; i < 10; ++i) {
      const TlsNames& next = sets[i % 2];
      Copy(next.certificate, names_.certificate);
      Look(files);
      Look(files);
      Copy(next.key, names_.key);
      Copy(next.ca, names_.ca);
      EXPECT_THAT(LookTwice(files), StartsWith("note: "));
      EXPECT_EQ(descriptors(), before + 2);
    }
    for (const std::string& copy : {files.copies().certificate, files.copies().ca}) {
      EXPECT_NE(fcntl(std::stoi(copy.substr(copy.rfind('/') + 1)), F_GETFD) & FD_CLOEXEC, 0) << copy;
    }
  }
  EXPECT_EQ(descriptors(), before);
}

TEST_F(TlsFilesTest, AChainEndsWithWhatEndsFirst) {
  EXPECT_EQ(LifeOf(names_).ends - LifeOf(names_).begins, hours(48));
  ours_.Sign("late", {.expired = true});
  const TlsNames late = {ours_.Certificate("late"), ours_.Key("late"), names_.ca};
  const TlsNames chain = {folder_ / "chain.pem", names_.key, names_.ca};
  WriteFile(chain.certificate, Text(names_.certificate) + Text(late.certificate));
  EXPECT_EQ(LifeOf(chain).ends, LifeOf(late).ends);
}

TEST_F(TlsFilesTest, WarnsFromTheLastFifthOfItsLifeOnADayApart) {
  const auto ends = LifeOf(names_).ends;
  TlsFiles files(names_);
  ASSERT_EQ(files.Open(), std::nullopt);
  const auto look = [&](system_clock::time_point at) {
    now_ = at - seconds(1);
    return Look(files);
  };
  EXPECT_EQ(look(ends - hours(10)), "");
  EXPECT_THAT(look(ends - hours(9)), AllOf(HasSubstr(names_.certificate), HasSubstr("expires in 9 hours")));
  EXPECT_EQ(look(ends - hours(8)), "");
  EXPECT_THAT(look(ends + minutes(3)), HasSubstr("expired 3 minutes ago"));
  EXPECT_EQ(look(ends + hours(24)), "");
  EXPECT_THAT(look(ends + hours(25)), HasSubstr("expired 25 hours ago"));
}

TEST_F(TlsFilesTest, OneThatIsRenewedIsFineAgain) {
  ours_.Sign("late", {.expired = true});
  TlsFiles files({ours_.Certificate("late"), ours_.Key("late"), names_.ca});
  ASSERT_EQ(files.Open(), std::nullopt);
  EXPECT_THAT(Look(files), HasSubstr("expired "));
  Copy(names_.certificate, files.names().certificate);
  Copy(names_.key, files.names().key);
  EXPECT_EQ(files.Look(now_), std::nullopt) << "it does not look all the time";
  EXPECT_THAT(LookTwice(files), StartsWith("note: "));
  EXPECT_EQ(Look(files), "");
  EXPECT_EQ(files.certificate_ends_unix_s(), LifeOf(names_).ends.time_since_epoch().count());
}

TEST_F(TlsFilesTest, WithoutFilesThereIsNothingToSay) {
  TlsFiles files({});
  EXPECT_EQ(files.Open(), std::nullopt);
  EXPECT_EQ(files.Look(), std::nullopt);
  EXPECT_EQ(files.copies().ca, "");
  EXPECT_EQ(files.certificate_ends_unix_s(), 0);
}

}  // namespace
}  // namespace sluice
