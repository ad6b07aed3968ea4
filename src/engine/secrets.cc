#include "engine/secrets.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/secret_template.h"
#include "engine/strings.h"

namespace holdall::engine {
namespace {

// All of it must fit at once, as nobody reads before the shim does. Root may have pipes so large; others too,
// unless the machine's limit says otherwise.
constexpr int kPipeBytes = 1 << 20;

using Values = std::map<std::string, Secret>;

const Secret& value_of(const Values& values, const std::string& name) {
  auto value = values.find(name);
  if (value == values.end()) throw Error(Error::missing, fmt::format("{} is not sealed", name));
  return value->second;
}

/// NAME=value, each secret in its place.
Secret expand(const std::string& variable, const std::string& text, const Values& values) {
  const std::vector<TemplatePart> parts = *parse_secret_template(text);
  std::size_t size = variable.size() + 1;
  for (const TemplatePart& part : parts)
    size += part.is_secret ? value_of(values, part.text).size() : part.text.size();
  Secret expanded = Secret::zeros(size);
  char* at = expanded.data();
  auto append = [&](std::string_view piece) { at += piece.copy(at, piece.size()); };
  append(variable);
  append("=");
  for (const TemplatePart& part : parts)
    append(part.is_secret ? value_of(values, part.text).view() : std::string_view(part.text));
  if (expanded.view().find('\0') != std::string_view::npos) {
    throw Error(
        Error::invalid,
        fmt::format("the secret in {} holds a NUL byte, which no variable can; give it as a file", variable));
  }
  return expanded;
}

/// The bytes in `strings` are in no other place: they are wiped at the end.
class Message {
 public:
  ~Message() { wipe(strings.bytes()); }
  Strings strings;
};

}  // namespace

Fd open_secrets(const Record& record, SecretSource& source, bool with_files) {
  std::set<std::string> names = secret_names(record);
  if (names.empty() || (!with_files && record.secret_environment.empty())) return make_pipe(0).read;
  Values values = source.open(record.group, names);

  Message message;
  message.strings.reserve(kPipeBytes);
  message.strings.add(with_files ? record.secret_files.size() : 0);
  for (const SecretFile& file : record.secret_files) {
    if (!with_files) break;
    message.strings.add(file.target);
    message.strings.add(static_cast<std::uint64_t>(file.mode));
    message.strings.add(value_of(values, file.name).view());
  }
  message.strings.add(record.secret_environment.size());
  for (const auto& [variable, text] : record.secret_environment)
    message.strings.add(expand(variable, text, values).view());

  const std::string& bytes = message.strings.bytes();
  Pipe pipe = make_pipe(0);
  fcntl(pipe.write.get(), F_SETPIPE_SZ, kPipeBytes);
  fcntl(pipe.write.get(), F_SETFL, O_NONBLOCK);
  ssize_t written = write(pipe.write.get(), bytes.data(), bytes.size());
  if (written != static_cast<ssize_t>(bytes.size())) {
    throw Error(Error::invalid, fmt::format("the secrets of {} have {} bytes together, more than {}",
                                            record.service, bytes.size(), written < 0 ? 0 : written));
  }
  return std::move(pipe.read);
}

}  // namespace holdall::engine
