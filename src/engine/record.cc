#include "engine/record.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <system_error>

#include "base/error.h"
#include "base/files.h"
#include "base/secret_template.h"

namespace holdall::engine {
namespace {

/// The text up to the next space or newline, taken off its front.
std::string_view word(std::string_view& rest) {
  std::size_t end = std::min(rest.find_first_of(" \n"), rest.size());
  std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(std::min(rest.size(), end + 1));
  return taken;
}

std::int64_t number(std::string_view text) {
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Error(Error::invalid, fmt::format("'{}' is no number", text));
  }
  return value;
}

Instant instant(std::string_view text) { return Instant(std::chrono::nanoseconds(number(text))); }

}  // namespace

std::set<std::string> secret_names(const Record& record) {
  std::set<std::string> names;
  for (const SecretFile& file : record.secret_files) names.insert(file.name);
  for (const auto& [variable, text] : record.secret_environment) {
    auto parts = parse_secret_template(text);
    if (!parts) throw Error(Error::invalid, fmt::format("the value of {} is no template", variable));
    for (const TemplatePart& part : *parts) {
      if (part.is_secret) names.insert(part.text);
    }
  }
  return names;
}

Json to_json(const Record& record) {
  Json environment = Json::object(), templates = Json::object(), command = Json::array(),
       files = Json::array();
  for (const auto& [name, value] : record.environment) environment[name] = value;
  for (const auto& [name, value] : record.secret_environment) templates[name] = value;
  for (const SecretFile& file : record.secret_files)
    files.add(Json::object({{"name", file.name}, {"target", file.target}, {"mode", file.mode}}));
  for (const std::string& argument : record.command) command.add(argument);
  Json groups = Json::array();
  for (const std::string& group : record.groups) groups.add(group);
  return Json::object({{"version", 1},
                       {"id", record.id.value},
                       {"group", record.group.value},
                       {"slot", record.slot},
                       {"port", static_cast<int>(record.port)},
                       {"app", record.app},
                       {"service", record.service},
                       {"command", std::move(command)},
                       {"environment", std::move(environment)},
                       {"secret_environment", std::move(templates)},
                       {"secret_files", std::move(files)},
                       {"working_dir", record.working_dir},
                       {"uid", record.uid},
                       {"cover", record.cover},
                       {"artefact", record.artefact},
                       {"home", record.home},
                       {"open_files", record.open_files},
                       {"core_bytes", record.core_bytes},
                       {"stop_signal", record.stop_signal},
                       {"stop_grace_ms", static_cast<std::int64_t>(record.stop_grace.count())},
                       {"limits", to_json(record.limits)},
                       {"control_groups", std::move(groups)},
                       {"logs", record.logs},
                       {"boot_id", record.boot_id}});
}

Record parse_record(const Json& json) {
  Record record;
  record.id = {json.at("id").string()};
  record.group = {json.at("group").string()};
  record.slot = static_cast<int>(json.at("slot").integer());
  record.port = static_cast<std::uint16_t>(json.at("port").integer());
  record.app = json.at("app").string();
  record.service = json.at("service").string();
  for (const Json& argument : json.at("command").items()) record.command.push_back(argument.string());
  for (const auto& [name, value] : json.at("environment").members())
    record.environment[name] = value.string();
  for (const auto& [name, value] : json.at("secret_environment").members())
    record.secret_environment[name] = value.string();
  for (const Json& file : json.at("secret_files").items()) {
    record.secret_files.push_back(
        {file.at("name").string(), file.at("target").string(), static_cast<int>(file.at("mode").integer())});
  }
  record.working_dir = json.at("working_dir").string();
  record.uid = static_cast<std::uint32_t>(json.at("uid").integer());
  record.cover = json.at("cover").string();
  record.artefact = json.at("artefact").string();
  record.home = json.at("home").string();
  record.open_files = static_cast<std::uint64_t>(json.at("open_files").integer());
  record.core_bytes = static_cast<std::uint64_t>(json.at("core_bytes").integer());
  record.stop_signal = static_cast<int>(json.at("stop_signal").integer());
  record.stop_grace = std::chrono::milliseconds(json.at("stop_grace_ms").integer());
  // Instances that were started before there were limits have none.
  if (const Json* limits = json.find("limits")) record.limits = parse_limits(*limits);
  if (const Json* groups = json.find("control_groups")) {
    for (const Json& group : groups->items()) record.groups.push_back(group.string());
  }
  record.logs = json.at("logs").string();
  record.boot_id = json.at("boot_id").string();
  return record;
}

std::string text(const Ending& ending) {
  std::string how = fmt::format("failed {}", ending.failure);
  if (ending.exit && ending.exit->signal == 0) how = fmt::format("code {}", ending.exit->code);
  if (ending.exit && ending.exit->signal != 0) {
    how = fmt::format("signal {}{}", ending.exit->signal, ending.exit->core_dumped ? " core" : "");
  }
  std::int64_t executed = ending.executed ? ending.executed->time_since_epoch().count() : 0;
  return fmt::format("{}\nexecuted {}\n", how, executed);
}

Ending parse_ending(std::string_view text) {
  Ending ending;
  std::string_view first = text.substr(0, text.find('\n'));
  std::string_view rest = text.substr(std::min(text.size(), first.size() + 1));
  std::string_view kind = word(first);
  if (kind == "code") {
    ending.exit = Exit{.code = static_cast<int>(number(word(first)))};
  } else if (kind == "signal") {
    ending.exit = Exit{.signal = static_cast<int>(number(word(first)))};
    ending.exit->core_dumped = first == "core";
  } else if (kind == "failed") {
    ending.failure = first;
  } else {
    throw Error(Error::invalid, fmt::format("'{}' is no ending", kind));
  }
  if (word(rest) == "executed") {
    if (Instant executed = instant(word(rest)); executed != Instant()) ending.executed = executed;
  }
  return ending;
}

Tree parse_tree(std::string_view text) {
  std::string_view kind = word(text);
  if (kind != "namespace" && kind != "session")
    throw Error(Error::invalid, fmt::format("'{}' is no tree", kind));
  Tree tree;
  tree.kind = kind == "session" ? Tree::session : Tree::pid_namespace;
  tree.number = static_cast<std::uint64_t>(number(word(text)));
  tree.started = instant(word(text));
  while (!text.empty()) tree.pipes.push_back(static_cast<std::uint64_t>(number(word(text))));
  return tree;
}

void InstanceDir::write(const Record& record) const { replace("meta", to_json(record).print()); }

void InstanceDir::write(const Ending& ending) const { replace("exit", text(ending)); }

std::optional<Record> InstanceDir::record() const {
  auto content = read_file_if_exists(path_ / "meta");
  return content ? std::optional(parse_record(Json::parse(*content))) : std::nullopt;
}

std::optional<Ending> InstanceDir::ending() const {
  auto content = read_file_if_exists(path_ / "exit");
  return content ? std::optional(parse_ending(*content)) : std::nullopt;
}

std::optional<Tree> InstanceDir::tree() const {
  auto content = read_file_if_exists(path_ / "tree");
  // Empty: written by a child that was killed before it could execute anything.
  return content && !content->empty() ? std::optional(parse_tree(*content)) : std::nullopt;
}

Fd InstanceDir::take_lock() const {
  std::string path = path_ / "lock";
  Fd lock(checked(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open " + path));
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) throw_errno(Error::conflict, "lock " + path, errno);
  return lock;
}

bool InstanceDir::is_locked() const {
  Fd lock(open((path_ / "lock").c_str(), O_RDWR | O_CLOEXEC));
  return lock && flock(lock.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

void InstanceDir::remove() const {
  std::filesystem::path hidden = path_.parent_path() / fmt::format(".{}", path_.filename().string());
  std::filesystem::remove_all(hidden);
  std::error_code error;
  std::filesystem::rename(path_, hidden, error);
  if (error && error != std::errc::no_such_file_or_directory)
    throw_errno(Error::broken, "remove " + path_.string(), error.value());
  std::filesystem::remove_all(hidden);
}

/// Atomic against our own death, without fsync: the directory means nothing after a reboot, and a start waits
/// for this.
void InstanceDir::replace(const char* name, const std::string& content) const {
  std::string path = path_ / name, beside = path + ".new";
  Fd file(checked(open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), "write " + path));
  write_all(file.get(), content);
  checked(rename(beside.c_str(), path.c_str()), "write " + path);
}

}  // namespace holdall::engine
