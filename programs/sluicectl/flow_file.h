// The flows of `sluicectl check`: JSON lines.
#ifndef SLUICE_PROGRAMS_SLUICECTL_FLOW_FILE_H_
#define SLUICE_PROGRAMS_SLUICECTL_FLOW_FILE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "reference/evaluate.h"
#include "sluicectl/input.h"

namespace sluice {

struct FlowLine {
  std::uint32_t line = 0;  // from 1
  std::string id;          // as in the JSON text: with its quotes, or a number
  reference::Flow flow;
  bool is_foreign = false;  // the packet comes by the interface of a pod that has another address
  std::optional<bool> expect_allow;
};

// Reads one `{"id","src","dst","proto","sport","dport","interface","expect"}` a line. sport, dport, interface (the pod
// by whose interface the packet comes; by default that of src) and expect may be missing; a missing port is 0. Blank
// lines are skipped. A bad line is reported with everything that is wrong with it, and skipped.
class FlowFile {
 public:
  // `pods` outlives this.
  FlowFile(std::string path, const PodDirectory& pods);
  ~FlowFile();

  // Returns false if the file cannot be read, and reports why.
  bool Open();
  // Reads the next good line. False: the end.
  bool Next(FlowLine& line);
  std::uint64_t bad_lines() const { return bad_lines_; }
  // Warns on standard error if flows so far are TCP, UDP or SCTP and have no dport.
  void WarnOfMissingPorts() const;

 private:
  struct Reader;

  std::string path_;
  const PodDirectory& pods_;
  std::unique_ptr<Reader> reader_;
  std::uint64_t bad_lines_ = 0;
  std::uint64_t without_port_ = 0;        // good lines of TCP, UDP or SCTP
  std::uint32_t first_without_port_ = 0;  // the first one's line
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_FLOW_FILE_H_
