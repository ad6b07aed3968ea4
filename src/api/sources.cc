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

net::Response Handlers::find_source(net::Request& request) {
  Digest source = parse_digest(request.parameters.at(0));
  std::optional<Digest> artefact = artefact_of(source, parse_build(request).text);
  if (!artefact) throw Error(Error::missing, "the source " + source.value + " is not here; send it");
  return answer(*artefact);
}

net::Response Handlers::put_source(net::Request& request) {
  Digest source = parse_digest(request.parameters.at(0));
  Build build = parse_build(request);
  if (auto known = artefact_of(source, build.text)) return answer(*known);
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
  return answer(artefact);
}

}  // namespace holdall::api
