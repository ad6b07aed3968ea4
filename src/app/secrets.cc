#include "app/secrets.h"

#include <algorithm>
#include <charconv>
#include <set>

#include <fmt/format.h>

#include "app/template.h"
#include "base/seal.h"
#include "base/secret_template.h"

namespace holdall::app {

void read_environment(const Reader& environment, Service& service) {
  for (const auto& [name, value] : environment.members()) {
    if (name.empty() || name.find('=') != std::string::npos) value.fault("is no name of a variable");
    auto text = value.text();
    if (!text) continue;
    auto parts = parse_secret_template(*text);
    if (!parts) {
      value.fault("holds a variable that nobody has substituted", "write $$ for a dollar sign");
    } else if (std::ranges::any_of(*parts, &TemplatePart::is_secret)) {
      service.secret_environment[name] = std::move(*text);
    } else {
      service.environment[name] = unescape_dollars(*text);
    }
  }
}

std::map<std::string, std::string> sealed_names(const Reader& secrets) {
  std::map<std::string, std::string> names;
  for (const auto& [key, secret] : secrets.members()) {
    if (secret["environment"].present()) {
      names[key] = secret["environment"].text().value_or("");
    } else if (secret["file"].present()) {
      names[key] = sealed_name_of_file(key);
    } else {
      continue;
    }
    if (!is_secret_name(names[key]))
      secret["environment"].fault(fmt::format("'{}' is no name of a secret", names[key]),
                                  "write the name of a variable: letters, digits and '_'");
  }
  return names;
}

void read_secrets(const Reader& files, const std::map<std::string, std::string>& names, Service& service) {
  constexpr std::string_view kDirectory = "/run/secrets/";
  std::set<std::string> targets;
  for (const Reader& item : files.items()) {
    SecretFile file;
    std::string source = item["source"].text().value_or("");
    file.target = item["target"].text().value_or("");
    if (file.target.starts_with(kDirectory)) file.target.erase(0, kDirectory.size());
    bool plain = !file.target.empty() && file.target.find('/') == std::string::npos && file.target != "." &&
                 file.target != "..";
    if (!plain) {
      item["target"].fault(fmt::format("'{}' is no file in /run/secrets", file.target),
                           "write a name, without a directory");
    }
    if (!targets.insert(file.target).second)
      item["target"].fault(fmt::format("'{}' is there twice", file.target));
    if (auto mode = item["mode"].text()) {
      auto [end, error] = std::from_chars(mode->data(), mode->data() + mode->size(), file.mode, 8);
      if (error != std::errc() || end != mode->data() + mode->size() || file.mode < 0 || file.mode > 0777)
        item["mode"].fault(fmt::format("'{}' is no mode of a file", *mode));
    }
    auto name = names.find(source);
    if (name == names.end()) {
      item["source"].fault(fmt::format("'{}' is no secret of this file", source));
    } else {
      file.name = name->second;
    }
    service.secrets.push_back(std::move(file));
  }
}

std::string sealed_name_of_file(std::string_view secret) {
  std::string name = "_file_";
  for (char c : secret) {
    bool good = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    name += good ? c : '_';
  }
  return name;
}

std::set<std::string> Service::secret_names() const {
  std::set<std::string> names;
  for (const SecretFile& file : secrets) names.insert(file.name);
  for (const auto& [variable, text] : secret_environment) {
    for (const TemplatePart& part : parse_secret_template(text).value_or(std::vector<TemplatePart>())) {
      if (part.is_secret) names.insert(part.text);
    }
  }
  return names;
}

}  // namespace holdall::app
