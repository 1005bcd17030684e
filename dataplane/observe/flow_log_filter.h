// Chooses lines of a flow log by conditions on a line's fields, as the command line and the control API have them. The
// same conditions apply to lines of a file and to what a running sluiced sends.
//
// If a condition is given several times, one must hold. All different conditions must hold. No negated one may hold.
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
    std::string name;   // "from-pod": the option's name
    std::string value;  // the name of its value in the help
    std::string text;
  };
  // All conditions that exist.
  static const std::vector<Condition>& Conditions();
  // Whether that condition is about an end of the flow; some lines lack ends. Requires a name of Conditions.
  static bool AsksAnEnd(std::string_view name);

  // Returns nothing, or why `value` is wrong for that condition. Requires a name of Conditions.
  std::optional<std::string> Add(const std::string& name, const std::string& value, bool negated);
  bool empty() const { return by_name_.empty(); }  // then every line matches
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
