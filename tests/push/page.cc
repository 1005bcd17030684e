#include "push/page.h"

#include <curl/curl.h>
#include <re2/re2.h>

#include <map>
#include <set>
#include <sstream>

namespace sluice {
namespace {

std::size_t Keep(char* bytes, std::size_t size, std::size_t count, void* text) {
  static_cast<std::string*>(text)->append(bytes, size * count);
  return size * count;
}

struct Family {
  std::string help;
  std::string type;
};

// One page under the eye of the rules.
class Lint {
 public:
  std::vector<std::string> Run(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      static const RE2 kComment("# (HELP|TYPE) ([^ ]+) ?(.*)");
      static const RE2 kSample(R"(([^ {]+)(?:\{(.*)\})? ([^ ]+))");
      std::string what, name, rest;
      if (RE2::FullMatch(line, kComment, &what, &name, &rest)) {
        (what == "HELP" ? families_[name].help : families_[name].type) = rest;
      } else if (std::string labels, value; RE2::FullMatch(line, kSample, &name, &labels, &value)) {
        Sample(name, labels, value);
      } else {
        Wrong(line, "is no line of the format");
      }
    }
    if (families_.empty()) Wrong("the page", "has no metric");
    for (const auto& [name, family] : families_) Check(name, family);
    return std::move(problems_);
  }

 private:
  void Wrong(const std::string& what, const std::string& why) { problems_.push_back(what + ": " + why); }

  void Sample(const std::string& name, const std::string& labels, const std::string& value) {
    std::string family = name;
    for (const char* suffix : {"_bucket", "_sum", "_count"}) {
      const std::string base = name.ends_with(suffix) ? name.substr(0, name.size() - std::string(suffix).size()) : "";
      if (!base.empty() && families_[base].type == "histogram") family = base;
    }
    if (!families_.contains(family) || families_[family].type.empty()) Wrong(name, "has no TYPE before it");
    if (!series_.insert(name + '{' + labels + '}').second) Wrong(name + '{' + labels + '}', "is there twice");
    static const RE2 kLabels(R"re(([a-z][a-z_]*="[^"]*"(,[a-z][a-z_]*="[^"]*")*)?)re");
    if (!RE2::FullMatch(labels, kLabels)) Wrong(name, "labels {" + labels + '}');
    if (family == name && labels.find("le=\"") != std::string::npos) Wrong(name, "le is a histogram's");
    if (family != name) CheckPart(family, name, std::stod(value));
  }

  // Of a histogram: buckets behind their count, each with what is in those before it.
  void CheckPart(const std::string& family, const std::string& name, double value) {
    if (name.ends_with("_count")) {
      count_ = value;
      last_bucket_ = 0;
    } else if (name.ends_with("_bucket")) {
      if (value < last_bucket_ || value > count_) Wrong(family, "its buckets do not add up");
      last_bucket_ = value;
    }
  }

  void Check(const std::string& name, const Family& family) {
    static const RE2 kName("sluice_sync_[a-z]+(_[a-z]+)*");
    static const RE2 kWord(
        "_(counter|gauge|histogram|summary|metric|ms|us|ns|milliseconds|minutes|hours|percent)(_|$)");
    if (!RE2::FullMatch(name, kName)) Wrong(name, "wants lower case words behind sluice_sync_");
    if (RE2::PartialMatch(name, kWord)) Wrong(name, "names its type, or no base unit");
    if (family.help.size() < 5 || family.help.back() == '.') Wrong(name, "wants a HELP that says something");
    if ((family.type == "counter") != name.ends_with("_total")) Wrong(name, "_total is for counters, and all of them");
    if (family.type == "histogram" && !name.ends_with("_seconds")) Wrong(name, "wants its unit");
    for (const char* suffix : {"_bucket", "_sum", "_count"}) {
      if (name.ends_with(suffix)) Wrong(name, "ends as a histogram's parts do");
    }
  }

  std::map<std::string, Family> families_;
  std::set<std::string> series_;
  double count_ = 0;
  double last_bucket_ = 0;
  std::vector<std::string> problems_;
};

}  // namespace

Page GetPage(const std::string& url) {
  Page page;
  CURL* curl = curl_easy_init();
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, Keep);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &page.text);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, 5L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  if (curl_easy_perform(curl) == CURLE_OK) curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &page.status);
  curl_easy_cleanup(curl);
  return page;
}

std::vector<std::string> LintMetrics(const std::string& text) { return Lint().Run(text); }

}  // namespace sluice
