#include "sluice/diagnostic.h"

#include <gtest/gtest.h>

#include "sluice/log_text.h"

namespace sluice {
namespace {

TEST(Diagnostic, NamesFileLineObjectFieldAndReason) {
  const Diagnostic diagnostic{Severity::kError,  "web.yaml", 12, "NetworkPolicy default/web",
                              "spec.ingress[0]", "is bad"};
  EXPECT_EQ(diagnostic.ToString(), "web.yaml:12: error: NetworkPolicy default/web: spec.ingress[0]: is bad");
}

TEST(Diagnostic, LeavesOutWhatIsNotKnown) {
  EXPECT_EQ((Diagnostic{Severity::kNote, "", 0, "", "", "hello"}.ToString()), "note: hello");
  EXPECT_EQ((Diagnostic{Severity::kWarning, "a.yaml", 0, "", "", "empty"}.ToString()), "a.yaml: warning: empty");
}

TEST(Diagnostic, ALogHasItsOwnSeverity) {
  const Diagnostic whole{Severity::kError, "web.yaml", 12, "NetworkPolicy default/web", "spec", "is bad"};
  EXPECT_EQ(LogText(whole), "web.yaml:12: NetworkPolicy default/web: spec: is bad");
  EXPECT_EQ(LogText({Severity::kError, "", 0, "Pod a/b", "", "is bad"}), "Pod a/b: is bad");
}

TEST(Diagnostic, OnlyErrorsCountAsErrors) {
  EXPECT_FALSE(HasErrors({{Severity::kNote, "", 0, "", "", "x"}, {Severity::kWarning, "", 0, "", "", "x"}}));
  EXPECT_TRUE(HasErrors({{Severity::kNote, "", 0, "", "", "x"}, {Severity::kError, "", 0, "", "", "x"}}));
}

}  // namespace
}  // namespace sluice
