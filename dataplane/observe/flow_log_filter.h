// Which lines of a flow log somebody wants: conditions on a line's fields, as the command line and the control API have
// them. The same for lines of a file and for what a running sluiced tells.
//
// Of the same condition given twice, one must hold; of different ones, all. Of those that are negated, none may.
#ifndef SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_FILTER_H_
#define SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_FILTER_H_

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

class FlowLogFilter {
 public:
  using Json = nlohmann::ordered_json;

  struct Condition {
    std::string name;   // "from-pod": the option's
    std::string value;  // what it is called in the help
    std::string text;
  };
  // All that there are.
  static const std::vector<Condition>& Conditions();
  // Whether that condition asks an end, of which some lines know nothing. Requires a name of Conditions.
  static bool AsksAnEnd(std::string_view name);

  // Nothing, or why `value` is none of that condition. Requires a name of Conditions.
  std::optional<std::string> Add(const std::string& name, const std::string& value, bool negated);
  bool empty() const { return by_name_.empty(); }  // all match
  bool Matches(const Json& line) const;

 private:
  using Holds = std::function<bool(const Json& line)>;
  struct Alternatives {
    std::vector<Holds> wanted;
    std::vector<Holds> unwanted;
  };

  std::map<std::string, Alternatives> by_name_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_FILTER_H_
