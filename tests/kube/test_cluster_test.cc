// Which programs the tests' cluster is made of.
#include "kube/test_cluster.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string>

#include "kube/process.h"

namespace sluice {
namespace {

class EtcdOnPath : public testing::Test {
 protected:
  EtcdOnPath() {
    setenv("PATH", folder_.path().c_str(), 1);
    unsetenv("SLUICE_ETCD");
  }
  ~EtcdOnPath() override {
    setenv("PATH", path_.c_str(), 1);
    if (!etcd_.empty()) setenv("SLUICE_ETCD", etcd_.c_str(), 1);
  }
  // An etcd on the PATH that says it has this version.
  std::string Put(const std::string& version) const {
    const std::string program = folder_ / "etcd";
    WriteFile(program, "#!/bin/sh\necho 'etcd Version: " + version + "'\necho 'Git SHA: none'\n");
    chmod(program.c_str(), 0700);
    return program;
  }

 private:
  static std::string Variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  }
  TempFolder folder_;
  std::string path_ = Variable("PATH");
  std::string etcd_ = Variable("SLUICE_ETCD");
};

TEST_F(EtcdOnPath, OfDebian12IsNotTaken) {
  const std::string program = Put("3.4.23");
  EXPECT_NE(program, TestCluster::EtcdProgram());
}

TEST_F(EtcdOnPath, OfDebian13IsTaken) {
  const std::string program = Put("3.5.16");
  EXPECT_EQ(program, TestCluster::EtcdProgram());
}

TEST_F(EtcdOnPath, OfAnUnknownVersionIsNotTaken) {
  const std::string program = Put("of today");
  EXPECT_NE(program, TestCluster::EtcdProgram());
}

}  // namespace
}  // namespace sluice
