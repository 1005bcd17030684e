#include "api/reflection.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <set>

#include "api/limits.h"
#include "api/message_bytes.h"

namespace sluice {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;

// Adds a file after the files that it imports.
void AddFile(const FileDescriptor& file, std::set<const FileDescriptor*>& added,
             reflection::FileDescriptorResponse& response) {
  if (!added.insert(&file).second) return;
  for (int i = 0; i < file.dependency_count(); ++i) AddFile(*file.dependency(i), added, response);
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  response.add_file_descriptor_proto(proto.SerializeAsString());
}

// One stream: a question, its answer, the next question. Deletes itself when gRPC is done with it.
class Stream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit Stream(const std::vector<std::string>& services) : services_(services) { StartRead(&question_); }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    reflection::ServerReflectionRequest request;
    if (question_.Length() > kMaxAskedBytes) {
      return Finish({grpc::StatusCode::RESOURCE_EXHAUSTED,
                     "a request of more than " + std::to_string(kMaxAskedBytes >> 10) + " KB"});
    }
    if (const grpc::Status status = Unpack(question_, &request); !status.ok()) return Finish(status);
    answer_ = Pack(Answer(request));
    StartWrite(&answer_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::CANCELLED);
    StartRead(&question_);
  }
  void OnDone() override { delete this; }

 private:
  reflection::ServerReflectionResponse Answer(const reflection::ServerReflectionRequest& request) const {
    reflection::ServerReflectionResponse response;
    response.set_valid_host(request.host());
    *response.mutable_original_request() = request;
    const DescriptorPool& pool = *DescriptorPool::generated_pool();
    const FileDescriptor* file = nullptr;
    switch (request.message_request_case()) {
      case reflection::ServerReflectionRequest::kListServices:
        for (const std::string& name : services_) {
          response.mutable_list_services_response()->add_service()->set_name(name);
        }
        return response;
      case reflection::ServerReflectionRequest::kFileByFilename:
        file = pool.FindFileByName(request.file_by_filename());
        break;
      case reflection::ServerReflectionRequest::kFileContainingSymbol:
        file = pool.FindFileContainingSymbol(request.file_containing_symbol());
        break;
      default:
        response.mutable_error_response()->set_error_code(grpc::StatusCode::UNIMPLEMENTED);
        response.mutable_error_response()->set_error_message("there are no extensions here");
        return response;
    }
    if (file == nullptr) {
      response.mutable_error_response()->set_error_code(grpc::StatusCode::NOT_FOUND);
      response.mutable_error_response()->set_error_message("there is no such file or symbol");
    } else {
      std::set<const FileDescriptor*> added;
      AddFile(*file, added, *response.mutable_file_descriptor_response());
    }
    return response;
  }

  const std::vector<std::string>& services_;
  grpc::ByteBuffer question_;
  grpc::ByteBuffer answer_;
};

}  // namespace

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ReflectionService::ServerReflectionInfo(
    grpc::CallbackServerContext*) {
  return new Stream(services_);
}

}  // namespace sluice
