#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/handlers.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/files.h"
#include "wire/wire.h"

namespace holdall::api {
namespace {

using namespace std::chrono_literals;

// x-holdall.build compiles whole programs; what takes longer hangs.
constexpr auto kBuildTimeout = 30min;

/// The argv of the query's `build`, and its canonical text: what the table is keyed by.
struct Build {
  std::vector<std::string> argv;
  std::string text;
};

Build parse_build(const net::Request& request) {
  const Json json = Json::parse(request.parameter("build").value_or("[]"));
  Build build{.argv = {}, .text = json.print()};
  for (const Json& word : json.items()) build.argv.push_back(word.string());
  return build;
}

/// A directory for one upload, gone at the end unless the engine took it.
class Upload {
 public:
  explicit Upload(const std::filesystem::path& state) : path_(state / "uploads" / random_id()) {
    std::filesystem::create_directories(path_);
    std::filesystem::permissions(path_.parent_path(), std::filesystem::perms::owner_all);
  }
  ~Upload() {
    std::error_code ignored;  // what stays is removed when control starts again
    std::filesystem::remove_all(path_, ignored);
  }
  Upload(const Upload&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

net::Response answer(const Digest& artefact) {
  return net::json_response(Json::object({{"artefact", artefact.value}}));
}

}  // namespace

std::optional<Digest> Handlers::artefact_of(const Digest& source, const std::string& build) const {
  std::optional<Digest> artefact;
  parts_.database.read([&](store::Transaction& t) {
    t.query("select artefact from sources where digest = ? and build = ?", {source.value, build},
            [&](const store::Row& row) { artefact = Digest{row.text(0)}; });
  });
  // The engine forgets artefacts that no kept release needs.
  if (artefact && !parts_.engine.has(*artefact)) artefact.reset();
  return artefact;
}

bool Handlers::was_sent_for(const std::string& app, const Digest& artefact) const {
  bool found = false;
  parts_.database.read([&](store::Transaction& t) {
    t.query("select 1 from app_artefacts where app_id = ? and artefact = ?", {app, artefact.value},
            [&](const store::Row&) { found = true; });
  });
  return found;
}

/// The app that a source is sent or asked for. Who has some apps only says for which, and has the right.
std::string Handlers::app_of_source(const net::Request& request) const {
  std::string app = request.parameter("app").value_or("");
  Caller caller = access_.caller(request);
  if (caller.has_all_apps() || caller.may(Right::read, app)) return app;
  throw Error(Error::denied, fmt::format("{} may use {} only: a source is sent for one of them, by ?app=NAME",
                                         caller.name, fmt::join(caller.apps, ", ")));
}

/// An artefact holds all files of a service. Who has the right to one app only could otherwise release what
/// was sent for another, whose digest a list of releases shows, and read it.
void Handlers::check_artefacts(const net::Request& request,
                               const std::map<std::string, Digest>& artefacts) const {
  if (access_.caller(request).has_all_apps()) return;
  const std::string& app = request.parameters.at(0);
  for (const auto& [service, artefact] : artefacts) {
    if (was_sent_for(app, artefact)) continue;
    throw Error(Error::denied,
                fmt::format("the artefact {} of {} was not sent for {}", artefact.value, service, app));
  }
}

net::Response Handlers::find_source(net::Request& request) {
  Digest source = parse_digest(request.parameters.at(0));
  std::string app = app_of_source(request);
  std::optional<Digest> artefact = artefact_of(source, parse_build(request).text);
  // That another app has the same is not told.
  bool told = artefact && (access_.caller(request).has_all_apps() || was_sent_for(app, *artefact));
  if (!told) throw Error(Error::missing, "the source " + source.value + " is not here; send it");
  return answer(*artefact);
}

net::Response Handlers::put_source(net::Request& request) {
  Digest source = parse_digest(request.parameters.at(0));
  Build build = parse_build(request);
  std::string app = app_of_source(request);
  auto sent = [&](const Digest& artefact) {
    parts_.database.write([&](store::Transaction& t) {
      t.execute("insert into app_artefacts (app_id, artefact) values (?, ?) on conflict do nothing",
                {app, artefact.value});
    });
    return answer(artefact);
  };
  if (auto known = artefact_of(source, build.text); known && access_.caller(request).has_all_apps())
    return sent(*known);
  Fd archive =
      request.body_file ? std::move(request.body_file) : sealed_memfd("holdall-source", request.body);
  Upload upload(options_.state);
  wire::unpack_tree(archive, upload.path(), source);
  Digest artefact = parts_.engine.prepare(upload.path(), build.argv, Deadline::after(kBuildTimeout));
  parts_.database.write([&](store::Transaction& t) {
    t.execute(
        "insert into sources (digest, build, artefact) values (?, ?, ?) "
        "on conflict (digest, build) do update set artefact = excluded.artefact",
        {source.value, build.text, artefact.value});
  });
  return sent(artefact);
}

}  // namespace holdall::api
