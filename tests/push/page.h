// What sluice-sync serves over HTTP.
#ifndef SLUICE_TESTS_PUSH_PAGE_H_
#define SLUICE_TESTS_PUSH_PAGE_H_

#include <string>
#include <vector>

namespace sluice {

struct Page {
  long status = 0;  // 0: nobody answers
  std::string text;
};

Page GetPage(const std::string& url);

// What is wrong with the metrics of a page by Prometheus' own rules of naming and of its text format.
std::vector<std::string> LintMetrics(const std::string& text);

}  // namespace sluice

#endif  // SLUICE_TESTS_PUSH_PAGE_H_
