// The command line of the benchmark programs: KEY=VALUE, each key with a default where it is asked for.
#ifndef SLUICE_BENCH_ARGUMENTS_H_
#define SLUICE_BENCH_ARGUMENTS_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "traffic.h"

namespace sluice {

class Arguments {
 public:
  // Ends the program where an argument has no '='.
  Arguments(std::string_view program, int argc, char** argv) : program_(program) {
    for (int i = 1; i < argc; ++i) {
      const std::string_view text = argv[i];
      const std::size_t equals = text.find('=');
      if (equals == std::string_view::npos) Refuse(text);
      values_[std::string(text.substr(0, equals))] = text.substr(equals + 1);
    }
  }

  std::uint32_t Number(const std::string& key, std::uint32_t otherwise) const {
    return static_cast<std::uint32_t>(Real(key, otherwise));
  }
  double Real(const std::string& key, double otherwise) const {
    const auto place = values_.find(key);
    if (place == values_.end()) return otherwise;
    char* end = nullptr;
    const double value = std::strtod(place->second.c_str(), &end);
    if (place->second.empty() || *end != '\0') Refuse(key + '=' + place->second);
    return value;
  }
  std::string Text(const std::string& key, const std::string& otherwise) const {
    const auto place = values_.find(key);
    return place == values_.end() ? otherwise : place->second;
  }

 private:
  [[noreturn]] void Refuse(std::string_view what) const {
    std::fprintf(stderr, "%s: cannot make sense of '%.*s'\n", program_.c_str(), static_cast<int>(what.size()),
                 what.data());
    std::exit(2);
  }

  std::string program_;
  std::map<std::string, std::string> values_;
};

inline FrameShape ShapeOf(const Arguments& arguments) {
  FrameShape shape;
  shape.family = arguments.Number("family", 4) == 6 ? Family::kIpv6 : Family::kIpv4;
  shape.protocol = arguments.Text("protocol", "udp") == "tcp" ? kProtoTcp : kProtoUdp;
  shape.bytes = static_cast<std::uint16_t>(arguments.Number("bytes", 64));
  return shape;
}

inline Traffic TrafficOf(const Arguments& arguments) {
  return Traffic(arguments.Number("rules", 1000), arguments.Number("tuples", 1), ShapeOf(arguments).protocol);
}

}  // namespace sluice

#endif  // SLUICE_BENCH_ARGUMENTS_H_
