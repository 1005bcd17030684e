#include "kube/api_status.h"

#include <nlohmann/json.hpp>

#include "sluice/printable.h"

namespace sluice {

ApiStatus ReadApiStatus(long http_status, std::string_view body) {
  ApiStatus status;
  status.code = http_status;
  const nlohmann::json json = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || json.value("kind", nlohmann::json()) != "Status") {
    constexpr std::size_t kLongestLine = 200;
    status.message = Printable(body.substr(0, body.find('\n')), kLongestLine);
    return status;
  }
  status.is_status = true;
  const auto text = [](const nlohmann::json& value) {
    return value.is_string() ? Printable(value.get_ref<const std::string&>(), kPrintableBytes) : std::string();
  };
  if (json.contains("code") && json["code"].is_number_integer()) status.code = json["code"].get<long>();
  if (json.contains("reason")) status.reason = text(json["reason"]);
  if (json.contains("message")) status.message = text(json["message"]);
  if (json.contains("details") && json["details"].is_object()) {
    const nlohmann::json& details = json["details"];
    const auto seconds = details.find("retryAfterSeconds");
    if (seconds != details.end() && seconds->is_number_integer()) status.retry_after_s = seconds->get<long>();
  }
  return status;
}

}  // namespace sluice
