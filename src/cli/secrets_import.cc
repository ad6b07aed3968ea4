#include <fmt/format.h>

#include <algorithm>

#include "app/app.h"
#include "base/base64.h"
#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "cli/options.h"
#include "cli/secret_input.h"
#include "cli/secrets.h"
#include "cli/terminal.h"

namespace holdall::cli {
namespace {

using Values = std::map<std::string, Secret>;

// More is no file of settings.
constexpr std::size_t kMostFile = std::size_t{16} << 20;

Values read_env_file(const std::string& text, const std::string& filename) {
  Values values;
  for (auto& [name, value] : app::parse_env_file(text, filename)) {
    values.emplace(name, Secret::taken_from(value));
  }
  return values;
}

/// The private key of BoredBot's recipient: from a file, or from the variable that its configuration names,
/// as BoredBot has it.
PrivateKey boredbot_key(const Json& config, const std::optional<std::string>& key_file) {
  std::string variable = config.string_or("envVar", "SECRET_KEY");
  Secret text;
  if (key_file) {
    text = read_key_text(*key_file);
  } else if (auto taken = take_from_environment(variable)) {
    text = std::move(*taken);
  } else {
    throw Error(
        Error::invalid,
        fmt::format("BoredBot's private key is missing: --key-file FILE, or the variable {}", variable));
  }
  try {
    return PrivateKey::parse_base64(text.view());
  } catch (const Error& error) {
    throw error.during(key_file ? *key_file : variable);
  }
}

/// docs/secrets.md shows the shape. All values open, or none is taken.
Values read_boredbot(const std::string& text, const std::string& filename,
                     const std::optional<std::string>& key_file) {
  const Json config = Json::parse(text);
  PrivateKey key = boredbot_key(config, key_file);
  if (key.public_key() != PublicKey::parse(config.at("publicKey").string())) {
    throw Error(Error::invalid, fmt::format("{}: the private key is not that of publicKey", filename));
  }
  PublicKey sender = PrivateKey::parse_base64(config.at("signingKey").string()).public_key();
  Values values;
  std::vector<Problem> problems;
  for (const auto& [name, value] : config.at("encSecrets").members()) {
    std::optional<std::string> box = base64_decode(value.string());
    std::optional<Secret> opened = box ? key.open_box(*box, sender) : std::nullopt;
    if (opened) {
      values.emplace(name, std::move(*opened));
    } else {
      problems.push_back(
          {{filename, 0, 0}, fmt::format("the value {} does not open with these keys", name), ""});
    }
  }
  throw_if_any(problems);
  return values;
}

void check_names(const Values& values, const std::string& filename) {
  std::vector<Problem> problems;
  for (const auto& [name, value] : values) {
    if (!is_secret_name(name)) {
      problems.push_back({{filename, 0, 0},
                          "a name is none of a variable: letters, digits and _, no digit first",
                          "seal it by hand under another one: holdall secrets seal NAME"});
    } else if (value.empty()) {
      problems.push_back({{filename, 0, 0}, fmt::format("{} has no value", name), "remove the line"});
    }
  }
  if (values.empty()) problems.push_back({{filename, 0, 0}, "holds no value", ""});
  throw_if_any(problems);
}

}  // namespace

int secrets_import(Invocation& call) {
  std::optional<std::string> file, key_file;
  std::string format = "auto";
  Options options(call,
                  "  holdall secrets import .env.production\n"
                  "  holdall secrets import boredbot.json --key-file secret.key");
  options.argument("FILE", file, "an env file, or BoredBot's configuration as JSON", true);
  options.choice("--format", format, {"auto", "env", "boredbot"},
                 "what the file is; auto: BoredBot's if it ends in .json");
  options.value("--key-file", key_file, "FILE",
                "BoredBot's private key, else in the variable SECRET_KEY (- is stdin)");
  if (!options.parse()) return 0;
  SealedProject project(call.globals);
  project.require();
  bool boredbot = format == "boredbot" || (format == "auto" && file->ends_with(".json"));
  std::string text = read_file(*file, kMostFile);
  Values values = boredbot ? read_boredbot(text, *file, key_file) : read_env_file(text, *file);
  wipe(text);
  check_names(values, *file);

  Terminal out(1, call.globals.ansi), errors(2, call.globals.ansi);
  std::vector<std::string> there = project.file.names();
  std::string done;
  for (const auto& [name, value] : values) {
    bool replaced = std::ranges::find(there, name) != there.end();
    project.file.seal(project.app(), name, value);
    done += fmt::format("{} {}\n", replaced ? "replaced" : "sealed  ", name);
  }
  project.save();
  done.pop_back();
  out.line(done);
  std::string warning =
      boredbot ? "change each of these values where it was issued, then seal the new one: BoredBot's signing "
                 "key is "
                 "public, and with it and the public key anybody who has the old file can open them"
               : fmt::format("{} still holds the values in clear: remove it, and never commit it", *file);
  errors.line(errors.paint(Colour::yellow, "warning: ") + warning);
  return 0;
}

}  // namespace holdall::cli
