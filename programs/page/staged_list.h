// What staged policies would change in all dataplanes, added up by workloads, port and rules. Used by one thread.
#ifndef SLUICE_PROGRAMS_PAGE_STAGED_LIST_H_
#define SLUICE_PROGRAMS_PAGE_STAGED_LIST_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "page/page_json.h"
#include "page/target.h"

namespace sluice {

class StagedList {
 public:
  static constexpr std::size_t kShown = 200;
  static constexpr std::size_t kSilentShown = 50;
  using EndOf = std::function<MapEnd(const v1::StagedPod&)>;

  void Add(PageTarget& target, const PageTarget::StagedAnswer& answer);
  void Add(const EndOf& end_of, const PageTarget::StagedAnswer& answer);
  // Returns the rows with `text` in the name of an end or a policy: first those that would be denied, then those with
  // most packets. The first kShown, and how many there are.
  PageJson Shown(std::string_view text) const;

 private:
  struct Row {
    PageJson shown;  // the row's ends, port and rules
    bool would_allow = false;
    std::uint64_t connections = 0;
    std::uint64_t packets = 0;
    std::uint64_t first_unix_ns = 0;
    std::uint64_t last_unix_ns = 0;
  };

  std::uint64_t since_unix_ns_ = 0;  // the earliest
  std::uint64_t judged_ = 0;
  std::uint64_t not_kept_ = 0;
  std::uint64_t pods_ = 0;
  std::map<std::string, bool> policies_;  // whether each is deleted
  std::set<std::string> refused_;
  std::set<std::string> silent_;
  std::map<std::string, Row> rows_;  // by the text of `shown`
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_PAGE_STAGED_LIST_H_
