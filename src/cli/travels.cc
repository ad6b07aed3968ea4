#include "cli/travels.h"

#include <fmt/format.h>

#include <span>

namespace holdall::cli {
namespace {

namespace fs = std::filesystem;

bool contains(const fs::path& directory, const fs::path& inner) {
  const fs::path relative = inner.lexically_relative(directory);
  return !relative.empty() && *relative.begin() != "..";
}

std::span<const Json> volumes_of(const Json& service) {
  const Json* list = service.find("volumes");
  return list && list->is_array() ? std::span<const Json>(list->items()) : std::span<const Json>();
}

fs::path context_of(const Json& service) {
  const Json* build = service.find("build");
  const std::string context = build ? build->string_or("context", "") : "";
  return context.find("://") == std::string::npos ? context : "";
}

Travelling artefact_of(const std::string& service, const fs::path& context, const app::Loaded& project) {
  Travelling artefact{Travel::artefact, service, context.lexically_proximate(project.project_dir),
                      app::place_of(fmt::format("services.{}.build.context", service), project.places)};
  for (const app::ContextFile& file : app::list_context(context)) {
    const fs::path path = context / file.path;
    std::error_code error;
    if (!fs::is_regular_file(fs::symlink_status(path, error))) continue;
    ++artefact.files;
    const std::uintmax_t size = fs::file_size(path, error);
    if (!error) artefact.bytes += size;
  }
  return artefact;
}

Travelling volume_of(const std::string& service, const Json& volume, const Json& written,
                     const fs::path& context, const Ignores& ignores) {
  const std::string source = volume.string_or("source", ""), as_written = written.string_or("source", source);
  Travelling one{
      Travel::volume,
      service,
      fmt::format("{}{}{}", as_written, as_written.empty() ? "" : ":", volume.string_or("target", "")),
      {}};
  if (volume.string_or("type", "") == "bind")
    one.how = as_written.starts_with('.') ? travel_of(source, context, ignores) : Travel::server;
  return one;
}

}  // namespace

Travel travel_of(const fs::path& source, const fs::path& context, const Ignores& ignores) {
  if (!context.empty() && contains(source.lexically_normal(), context.lexically_normal()))
    return Travel::left_out;
  std::error_code error;
  return fs::exists(source, error) && !ignores(source) ? Travel::read_only : Travel::directory;
}

std::vector<Travelling> travelling(const app::Loaded& project, const Json& written, const Ignores& ignores) {
  std::vector<Travelling> all;
  const Json* services = project.model.find("services");
  if (!services || !services->is_object()) return all;
  for (const auto& [name, service] : services->members()) {
    const fs::path context = context_of(service);
    std::error_code error;
    if (!context.empty() && fs::is_directory(context, error))
      all.push_back(artefact_of(name, context, project));
    const Json* raw = written.find("services") ? written.at("services").find(name) : nullptr;
    const std::span<const Json> volumes = volumes_of(service), as_written = raw ? volumes_of(*raw) : volumes;
    for (std::size_t i = 0; i < volumes.size(); ++i) {
      const Json& other = i < as_written.size() ? as_written[i] : volumes[i];
      all.push_back(volume_of(name, volumes[i], other, context, ignores));
      all.back().where = app::place_of(fmt::format("services.{}.volumes.{}", name, i), project.places);
    }
  }
  for (const auto& [file, where] : project.env_files) {
    const std::string shown = file.lexically_proximate(project.project_dir);
    all.push_back({ignores(file) ? Travel::ignored : Travel::env_file, "", shown, where});
  }
  return all;
}

}  // namespace holdall::cli
