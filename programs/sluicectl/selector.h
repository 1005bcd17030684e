// A label selector in the notation of kubectl.
#ifndef SLUICE_PROGRAMS_SLUICECTL_SELECTOR_H_
#define SLUICE_PROGRAMS_SLUICECTL_SELECTOR_H_

#include <optional>
#include <string_view>

#include "model/label_selector.h"

namespace sluice {

class Selector {
 public:
  static constexpr std::string_view kForms =
      "wants requirements with commas between, each like app=web, app!=web, app in (web,api), app notin (web), app or "
      "!app";

  // Returns nothing if the text is no selector. An empty text selects everything.
  static std::optional<Selector> Parse(std::string_view text);

  // Requires labels sorted by key. As in Kubernetes, != and notin hold if the key is absent.
  bool Matches(const Labels& labels) const;

 private:
  LabelSelector selector_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_SELECTOR_H_
