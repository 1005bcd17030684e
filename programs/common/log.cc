#include "common/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/log_text.h"
#include "sluice/printable.h"

namespace sluice {
namespace {

// The text of a message. Names in it come from senders, peers and files; all of them pass through here.
class PrintableText : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& line) override {
    const std::string text = Printable({message.payload.data(), message.payload.size()}, 4 * kPrintableBytes);
    line.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<PrintableText>(); }
};

spdlog::level::level_enum LevelOf(Severity severity, spdlog::level::level_enum of_a_note) {
  switch (severity) {
    case Severity::kError:
      return spdlog::level::err;
    case Severity::kWarning:
      return spdlog::level::warn;
    case Severity::kNote:
      break;
  }
  return of_a_note;
}

}  // namespace

void SetUpLog(spdlog::level::level_enum level) {
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<PrintableText>('*').set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %*");
  spdlog::set_formatter(std::move(formatter));
  spdlog::set_level(level);
  spdlog::flush_on(spdlog::level::trace);
}

void Log(const Diagnostic& diagnostic) {
  spdlog::log(LevelOf(diagnostic.severity, spdlog::level::debug), "{}", LogText(diagnostic));
}

void Log(const Diagnostics& diagnostics) {
  for (const Diagnostic& diagnostic : diagnostics) Log(diagnostic);
}

void LogNews(Severity severity, std::string_view text) {
  spdlog::log(LevelOf(severity, spdlog::level::info), "{}", text);
}

}  // namespace sluice
