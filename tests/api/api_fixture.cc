#include "api/api_fixture.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <utility>
#include <variant>

#include "api/policy_records.h"
#include "codec/codec.h"

namespace sluice {

TempFolder::TempFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "sluice-api-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) std::abort();
  path_ = pattern;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Sender::Sender(const std::shared_ptr<grpc::Channel>& channel, const std::string& name)
    : stub_(v1::PolicyService::NewStub(channel)) {
  context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  stream_ = stub_->Push(&context_);
  v1::PushRequest begin;
  begin.mutable_begin()->set_sender(name);
  stream_->Write(begin);
  v1::PushResponse response;
  if (stream_->Read(&response)) hello_ = response.hello();
}

Sender::~Sender() {
  if (!finished_) context_.TryCancel();
  if (!finished_) stream_->Finish();
}

v1::BatchResult Sender::Result() {
  v1::PushResponse response;
  EXPECT_TRUE(stream_->Read(&response)) << "the stream ended without an answer";
  EXPECT_TRUE(response.has_result());
  return response.result();
}

v1::BatchResult Sender::SendFullState(const ResolvedPolicy& policy, std::uint64_t state_id, std::uint64_t batch,
                                      std::size_t chunk_bytes) {
  EncodeFullState(policy, state_id, batch, chunk_bytes, [&](const v1::FullStateChunk& chunk) {
    v1::PushRequest request;
    *request.mutable_full_state() = chunk;
    return Write(request);
  });
  return Result();
}

v1::BatchResult Sender::SendUpdate(const v1::Update& update) {
  v1::PushRequest request;
  *request.mutable_update() = update;
  Write(request);
  return Result();
}

grpc::Status Sender::Finish() {
  stream_->WritesDone();
  return WaitForEnd();
}

grpc::Status Sender::WaitForEnd() {
  v1::PushResponse response;
  while (stream_->Read(&response)) {
  }
  finished_ = true;
  return stream_->Finish();
}

void ApiFixture::Say(std::string_view line) {
  const std::lock_guard lock(mutex_);
  said_.emplace_back(line);
}

std::vector<std::string> ApiFixture::said() const {
  const std::lock_guard lock(mutex_);
  return said_;
}

void ApiFixture::StartServer(const std::string& state_folder, const std::string& push_refusal) {
  const auto say = [this](std::string_view line) { Say(line); };
  std::unique_ptr<StateFile> file;
  if (!state_folder.empty()) {
    StateSettings settings = PolicyStateSettings(state_folder, RunFolder());
    settings.patience = std::chrono::minutes(1);
    auto opened = StateFile::Open(std::move(settings), say);
    ASSERT_FALSE(std::holds_alternative<std::string>(opened)) << std::get<std::string>(opened);
    file = std::get<std::unique_ptr<StateFile>>(std::move(opened));
  }
  intake_ = std::make_unique<PolicyIntake>(
      limits_, [this](const auto& table) { learnt_names_.Follow(*table); }, std::move(file), say, last_generation_);
  load_error_ = LoadState(*intake_).value_or("");
  policy_ = std::make_unique<PolicyService>(*intake_, push_refusal, say);
  ApiSettings settings;
  settings.listen = {"unix:" + Socket()};
  const NamesView names{&learnt_names_, [this] { return names_now_; }};
  names_service_ = std::make_unique<NamesService>(names, *policy_);
  std::vector<grpc::Service*> services = {policy_.get(), names_service_.get()};
  if (view_ != nullptr) {
    observe_ =
        std::make_unique<ObserveService>(*intake_, *view_, PipelineConfig{}, read_limits_, nullptr, nullptr, names);
    services.push_back(observe_.get());
  }
  auto started = ApiServer::Start(settings, services, say);
  ASSERT_FALSE(std::holds_alternative<std::string>(started)) << std::get<std::string>(started);
  server_ = std::get<std::unique_ptr<ApiServer>>(std::move(started));
}

void ApiFixture::StopServer() {
  policy_->Stop();
  server_.reset();
  observe_.reset();
  names_service_.reset();
  policy_.reset();
  intake_.reset();
}

std::shared_ptr<grpc::Channel> ApiFixture::Connect() const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
  return grpc::CreateCustomChannel("unix:" + Socket(), grpc::InsecureChannelCredentials(), arguments);
}

std::string ApiFixture::PolicyDump() const {
  return intake_->store().Read([](const ResolvedPolicy& policy, const Table&) { return policy.Dump(); });
}

bool ApiFixture::Allows(std::string_view destination) const {
  return Classify(*intake_->store().table(), "192.0.2.1", std::string(destination), kProtoTcp, 80).allow;
}

ResolvedPolicy WebIsolated() {
  PolicyBuilder builder;
  const GroupId web = builder.Group("web");
  builder.Endpoint("e0", {Ip("10.0.0.1")}, {web});
  builder.Section("default/web", Direction::kIngress, web, {});
  return std::move(builder.policy());
}

v1::Update PodComes(std::uint64_t state_id, std::uint64_t batch, std::uint32_t id, const std::string& address) {
  PolicyUpdate update;
  update.endpoints.push_back(
      {id, {"default", "e" + std::to_string(id), "", {}, {Ip(address)}, kNoNode, kEmptyIdSet}, "", {0}});
  return EncodeUpdate(update, state_id, batch);
}

}  // namespace sluice
