#include "cni/attachment.h"

#include <array>
#include <nlohmann/json.hpp>
#include <optional>

namespace sluice {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 5> kCommands = {"add", "delete", "check", "collect", "status"};

Json KeyToJson(const AttachmentKey& key) { return Json::array({key.first, key.second}); }

AttachmentKey KeyFromJson(const Json& json) { return {json.at(0).get<std::string>(), json.at(1).get<std::string>()}; }

PluginRequest::Command CommandOf(const std::string& name) {
  for (std::size_t i = 0; i < kCommands.size(); ++i) {
    if (kCommands[i] == name) return static_cast<PluginRequest::Command>(i);
  }
  throw std::invalid_argument("'" + name + "' is no command");
}

PluginRequest FromJson(const Json& json) {
  PluginRequest request;
  request.command = CommandOf(json.at("command").get<std::string>());
  request.wait = std::chrono::milliseconds(json.at("waitMs").get<std::uint32_t>());
  request.attachment.key = KeyFromJson(json.at("attachment"));
  request.attachment.namespace_name = json.at("namespace").get<std::string>();
  request.attachment.name = json.at("name").get<std::string>();
  request.attachment.uid = json.at("uid").get<std::string>();
  for (const Json& text : json.at("addresses")) {
    const auto address = IpAddress::Parse(text.get<std::string>());
    if (!address) throw std::invalid_argument("'" + text.get<std::string>() + "' is no address");
    request.attachment.addresses.push_back(*address);
  }
  for (const Json& key : json.at("valid")) request.valid.insert(KeyFromJson(key));
  return request;
}

}  // namespace

std::string Encode(const PluginRequest& request) {
  Json addresses = Json::array();
  for (const IpAddress& address : request.attachment.addresses) addresses.push_back(address.ToString());
  Json valid = Json::array();
  for (const AttachmentKey& key : request.valid) valid.push_back(KeyToJson(key));
  const Json json = {{"command", kCommands[static_cast<std::size_t>(request.command)]},
                     {"waitMs", request.wait.count()},
                     {"attachment", KeyToJson(request.attachment.key)},
                     {"namespace", request.attachment.namespace_name},
                     {"name", request.attachment.name},
                     {"uid", request.attachment.uid},
                     {"addresses", addresses},
                     {"valid", valid}};
  // The environment's text may not be UTF-8.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::variant<PluginRequest, std::string> DecodeRequest(std::string_view text) {
  try {
    return FromJson(Json::parse(text));
  } catch (const std::exception& error) {
    return std::string(error.what());
  }
}

std::string EncodeAnswer(const std::string& error) {
  return Json{{"error", error}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string DecodeAnswer(std::string_view text) {
  try {
    return Json::parse(text).at("error").get<std::string>();
  } catch (const std::exception& error) {
    return std::string("it gave no answer of its kind: ") + error.what();
  }
}

}  // namespace sluice
