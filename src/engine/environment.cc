#include "engine/environment.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <array>

namespace holdall::engine {
namespace {

constexpr const char* kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string home() {
  passwd row;
  passwd* found = nullptr;
  std::array<char, 4096> buffer;
  bool known = getpwuid_r(geteuid(), &row, buffer.data(), buffer.size(), &found) == 0 && found;
  return known ? found->pw_dir : "/";
}

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

}  // namespace

std::map<std::string, std::string> environment_of(const Workload& workload, const Member& member,
                                                  const std::string& home, const std::string& secrets) {
  std::map<std::string, std::string> environment = workload.environment;
  // `emplace` leaves a declared name alone.
  if (!home.empty()) environment.emplace("HOME", home);
  if (!workload.secret_files.empty()) environment.emplace("HOLDALL_SECRETS", secrets);
  environment.merge(build_environment());
  environment.emplace("HOSTNAME", host_name());
  if (member.port != 0) environment.emplace("PORT", std::to_string(member.port));
  environment.emplace("HOLDALL_APP", workload.app);
  environment.emplace("HOLDALL_SERVICE", workload.service);
  environment.emplace("HOLDALL_INSTANCE", fmt::format("{}.{}", workload.service, member.slot));
  for (const auto& [name, text] : workload.secret_environment) environment.erase(name);
  return environment;
}

std::map<std::string, std::string> build_environment() { return {{"PATH", kPath}, {"HOME", home()}}; }

}  // namespace holdall::engine
