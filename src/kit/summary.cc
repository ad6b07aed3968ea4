#include "base/log.h"
#include "kit/kit.h"

namespace holdall::kit {

void log_request(const net::RequestRecord& record) {
  constexpr int kServerErrors = 500, kNoAnswer = 499;
  bool failed = record.status >= kServerErrors;
  int number = failed ? record.status : record.status == 0 ? kNoAnswer : 0;
  auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(record.took).count();
  Json fields = Json::object({{"errno", number},
                              {"method", record.method},
                              {"path", record.path},
                              {"agent", record.agent},
                              {"lang", record.language},
                              {"uid", ""},
                              {"rid", record.id},
                              {"t", ms}});
  if (record.status) fields["code"] = record.status;
  if (!record.addresses.empty()) {
    Json chain = Json::array();
    for (const std::string& address : record.addresses) chain.add(address);
    fields["remoteAddressChain"] = std::move(chain);
  }
  // A handler knows who asked; what the request itself was is not its to say.
  if (record.fields.is_object()) {
    for (const auto& [name, value] : record.fields.members()) {
      bool free = name == "uid" ? value.is_string() : !fields.find(name);
      if (free) fields[name] = value;
    }
  }
  std::string_view message = record.fault;
  if (record.status == 0) message = "the connection ended before there was an answer";
  log::write(failed ? log::Severity::error : log::Severity::info, "request.summary", message, fields);
}

}  // namespace holdall::kit
