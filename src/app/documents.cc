#include "app/documents.h"

#include <algorithm>

#include <fmt/format.h>

#include "app/defaults.h"
#include "app/did_you_mean.h"
#include "app/dotenv.h"
#include "app/fig.h"
#include "app/long_form.h"
#include "app/merge.h"
#include "app/paths.h"
#include "app/procfile.h"
#include "app/scalars.h"
#include "app/schema.h"
#include "app/validate.h"
#include "app/volumes.h"
#include "app/yaml.h"

namespace holdall::app {
namespace {

namespace fs = std::filesystem;
using Kind = Node::Kind;

// Of files that include files, and of services that extend services: each level is some frames of the stack.
constexpr std::size_t kDeepest = 100;
// What reading one more file is worth in values, however little is in it.
constexpr std::size_t kFile = 100;

/// A service in a file, on the way from one that extends it.
struct Extended {
  fs::path file;
  std::string service;
  bool operator==(const Extended&) const = default;
};

/// Makes one document of the files of a project, or of an included one.
class Project {
 public:
  Project(fs::path directory, const std::map<std::string, std::string>& variables,
          const DocumentOptions& options, std::vector<fs::path> included, Findings& findings)
      : directory_(std::move(directory)),
        variables_(variables),
        options_(options),
        included_(std::move(included)),
        findings_(findings) {}

  Node merge_all(std::vector<Source> sources) {
    Node root = Node::empty(Kind::mapping,
                            {sources.empty() ? "" : shown(sources[0].file, options_.project_dir), 0, 0});
    for (Source& source : sources) {
      included_.push_back(source.file);
      for (Node& document : source.documents) add(root, std::move(document), source.file);
      included_.pop_back();
    }
    set_defaults(root);
    check_rules(root, findings_);
    if (options_.resolve_paths) resolve_paths(root, directory_, options_.home, findings_);
    resolve_names(root, variables_, options_.secrets, options_.use);
    return root;
  }

 private:
  void add(Node& root, Node document, const fs::path& file) {
    // Each is merged onto all before it, and all of them are looked at anew.
    if (!root.members.empty())
      findings_.grow(count_nodes(root), document.where, shown(file, options_.project_dir));
    substitute(document);
    extend_all(document, file);
    include_all(document);
    merge(root, std::move(document), findings_);
    remove_duplicates(root);
    validate(root, findings_);
    drop_version(root);
    make_long(root, !options_.interpolate, findings_);
    remove_duplicates(root);
  }

  void substitute(Node& document) {
    if (!options_.interpolate) return;
    const Lookup lookup = [&](const std::string& name) -> std::optional<std::string> {
      auto found = variables_.find(name);
      return found == variables_.end() ? std::nullopt : std::optional(found->second);
    };
    interpolate(document, lookup, options_.secrets, options_.unset, options_.use, findings_);
    make_typed(document, findings_);
  }

  void drop_version(Node& root) {
    const Node* version = root.find("version");
    if (!version) return;
    findings_.warn(version->where, "version is obsolete and without effect", "remove it");
    root.erase("version");
  }

  // --- extends

  void extend_all(Node& document, const fs::path& file) {
    Node* services = document.find("services");
    if (!services || !services->is(Kind::mapping)) return;
    for (std::size_t i = 0; i < services->members.size(); ++i) {
      std::vector<Extended> way;
      extend(services->members[i], *services, file, way);
    }
  }

  /// Lays the service over what it extends, which is settled first.
  void extend(Node::Member& service, Node& services, const fs::path& file, std::vector<Extended>& way) {
    const Node* written = service.value.find("extends");
    if (!written) return;
    const Node extends = *written;
    service.value.erase("extends");
    const Node* name = extends.is(Kind::mapping) ? extends.find("service") : &extends;
    const std::string path = fmt::format("services.{}.extends", service.key);
    if (!name || !name->is(Kind::string)) {
      findings_.misshape(extends.where, fmt::format("{} names no service", path), "write 'service: NAME'");
      return;
    }
    for (const Node::Member& member : extends.members) {
      if (member.key == "service" || (member.key == "file" && member.value.is(Kind::string))) continue;
      findings_.misshape(member.where, fmt::format("{}.{}: there is no such key", path, member.key),
                         "it has service, and file where the service is in another one");
    }
    if (way.size() == kDeepest) {
      findings_.misshape(extends.where, fmt::format("{}: more than {} levels of extends", path, kDeepest));
      return;
    }
    way.push_back({file, service.key});
    const Node* other = extends.find("file");
    const fs::path from = other && other->is(Kind::string) ? located(other->text, directory_) : file;
    Node* among = from == file ? &services : services_of(from, *other, path);
    if (among) lay_over(service, *among, from, extends, path, way);
    way.pop_back();
  }

  void lay_over(Node::Member& service, Node& among, const fs::path& from, const Node& extends,
                const std::string& path, std::vector<Extended>& way) {
    const Node& name = extends.is(Kind::mapping) ? *extends.find("service") : extends;
    auto base = std::ranges::find(among.members, name.text, &Node::Member::key);
    if (base == among.members.end()) {
      std::vector<std::string_view> names;
      for (const Node::Member& member : among.members) names.push_back(member.key);
      findings_.misshape(name.where,
                         fmt::format("{}: there is no service '{}' in {}", path, name.text,
                                     shown(from, options_.project_dir)),
                         did_you_mean(names, name.text, ""));
      return;
    }
    if (std::ranges::find(way, Extended{from, name.text}) != way.end()) {
      std::string round;
      for (const Extended& each : way) round += each.service + " -> ";
      findings_.misshape(name.where, fmt::format("{} goes round: {}{}", path, round, name.text),
                         "remove one of these extends");
      return;
    }
    const auto position = base - among.members.begin();
    extend(*base, among, from, way);
    const Node& settled = among.members[static_cast<std::size_t>(position)].value;
    findings_.grow(count_nodes(settled), name.where, path);
    Node merged = settled;
    if (!merged.is(Kind::mapping)) {
      service.value.set("extends", extends);  // of nothing; as the reference has it, the key stays
      return;
    }
    merge_service(merged, std::move(service.value), findings_);
    service.value = std::move(merged);
  }

  /// The services of a file that something extends, in long form and with paths from there; nullptr where
  /// there are none. Read once.
  Node* services_of(const fs::path& file, const Node& written, const std::string& path) {
    auto known = extended_.find(file);
    if (known == extended_.end()) {
      Node root = Node::empty(Kind::mapping, written.where);
      if (options_.read(file)) {
        findings_.grow(kFile, written.where, path);
        Source source = read_source(file, options_.project_dir, options_.release, options_.read, findings_);
        for (Node& document : source.documents) {
          substitute(document);
          merge(root, std::move(document), findings_, Tags::keep);
          remove_duplicates(root);
          make_long(root, !options_.interpolate, findings_);
          remove_duplicates(root);
        }
        resolve_paths(root, file.parent_path(), options_.home, findings_);
        if (!root.find("services"))
          findings_.misshape(written.where,
                             fmt::format("{}: {} has no services", path, shown(file, options_.project_dir)));
      } else {
        findings_.misshape(written.where, fmt::format("{}: there is no file {}", path, file.string()));
      }
      known = extended_.emplace(file, std::move(root)).first;
    }
    Node* services = known->second.find("services");
    return services && services->is(Kind::mapping) ? services : nullptr;
  }

  // --- include

  void include_all(Node& document) {
    const Node* written = document.find("include");
    if (!written) return;
    const Node include = *written;
    if (!include.is(Kind::sequence) && !include.is(Kind::null)) return;  // the schema has a word on that
    document.erase("include");
    for (std::size_t i = 0; i < include.items.size(); ++i) {
      const Node& entry = include.items[i];
      const std::string path = fmt::format("include.{}", i);
      const Node* files = entry.is(Kind::mapping) ? entry.find("path") : &entry;
      if (!well_formed(entry, path)) continue;
      std::vector<Node> paths;
      if (files) paths = files->is(Kind::sequence) ? files->items : std::vector<Node>{*files};
      if (!paths.empty()) include_one(document, entry, paths, path);
    }
  }

  /// As the schema says of it, before there is a merged document to be held against.
  bool well_formed(const Node& entry, const std::string& path) {
    Node alone = Node::empty(Kind::mapping, entry.where), list = Node::empty(Kind::sequence, entry.where);
    list.items.push_back(entry);
    alone.set("include", std::move(list));
    Findings found;
    validate(alone, found);
    for (Problem& problem : found.problems) {
      problem.what.replace(0, std::min(problem.what.find_first_of(" :", 9), std::size_t{9}), path);
      findings_.misshape(problem.where, std::move(problem.what), std::move(problem.hint));
    }
    return found.problems.empty();
  }

  void include_one(Node& document, const Node& entry, const std::vector<Node>& paths,
                   const std::string& path) {
    if (included_.size() > kDeepest) {
      findings_.misshape(entry.where, fmt::format("{}: more than {} levels of include", path, kDeepest));
      return;
    }
    std::vector<Source> sources;
    for (const Node& each : paths) {
      const fs::path file = located(each.text, directory_);
      if (std::ranges::find(included_, file) != included_.end()) {
        findings_.misshape(each.where, fmt::format("{} goes round: {} includes itself", path, each.text));
        return;
      }
      if (!options_.read(file)) {
        findings_.misshape(each.where, fmt::format("{}: there is no file {}", path, file.string()));
        return;
      }
      findings_.grow(kFile, each.where, path);
      sources.push_back(read_source(file, options_.project_dir, options_.release, options_.read, findings_));
    }
    const Node* written = entry.find("project_directory");
    const fs::path directory = written && !written->text.empty() ? located(written->text, directory_)
                                                                 : sources.front().file.parent_path();
    const std::map<std::string, std::string> variables = variables_of(entry, directory, path);
    Node imported =
        Project(directory, variables, options_, included_, findings_).merge_all(std::move(sources));
    findings_.grow(count_nodes(imported), entry.where, path);
    for (std::string_view kind : {"services", "volumes", "networks", "secrets", "configs", "models"})
      import(imported, document, kind);
  }

  /// What the project has, and for names that it has not, what the included one's own env file says.
  std::map<std::string, std::string> variables_of(const Node& entry, const fs::path& directory,
                                                  const std::string& path) {
    std::vector<std::pair<fs::path, const Node*>> files;
    if (const Node* written = entry.find("env_file");
        written && !(written->is(Kind::string) && written->text.empty())) {
      for (const Node& each : written->is(Kind::sequence) ? written->items : std::vector<Node>{*written})
        files.emplace_back(located(each.text, directory_), written);
    } else if (!options_.release && options_.read(directory / ".env")) {
      files.emplace_back(directory / ".env", nullptr);
    }
    const Lookup outside = [&](const std::string& name) -> std::optional<std::string> {
      auto found = variables_.find(name);
      return found == variables_.end() ? std::nullopt : std::optional(found->second);
    };
    std::map<std::string, std::string> own;
    for (const auto& [file, place] : files) {
      if (auto bytes = options_.read(file)) {
        parse_dotenv(*bytes, DotenvFormat::compose, shown(file, options_.project_dir), outside, own,
                     findings_);
      } else {
        findings_.misshape(place ? place->where : entry.where,
                           fmt::format("{}.env_file: there is no file {}", path, file.string()));
      }
    }
    own.insert(variables_.begin(), variables_.end());
    for (const auto& [name, value] : variables_) own[name] = value;
    return own;
  }

  void import(Node& from, Node& document, std::string_view kind) {
    Node* imported = from.find(kind);
    if (!imported || !imported->is(Kind::mapping)) return;
    if (!document.find(kind)) document.set(kind, Node::empty(Kind::mapping, imported->where));
    Node& own = *document.find(kind);
    if (!own.is(Kind::mapping)) return;  // the schema has a word on that
    for (Node::Member& member : imported->members) {
      if (const Node* there = own.find(member.key)) {
        if (same_value(*there, member.value)) continue;
        findings_.misshape(
            there->where,
            fmt::format("{}.{} is in an included file too, at {}", kind, member.key, text(member.where)),
            "give one of them another name, or merge the files with -f");
      } else {
        own.members.push_back(std::move(member));
      }
    }
  }

  static fs::path located(const std::string& written, const fs::path& directory) {
    return written.starts_with('/') ? fs::path(clean_path(written))
                                    : fs::path(clean_path(directory.string() + "/" + written));
  }

  const fs::path directory_;
  const std::map<std::string, std::string>& variables_;
  const DocumentOptions& options_;
  std::vector<fs::path> included_;  ///< the files on the way here
  std::map<fs::path, Node> extended_;
  Findings& findings_;
};

}  // namespace

Source read_source(const fs::path& file, const fs::path& project_dir, bool release, const ReadFile& read,
                   Findings& findings) {
  Source source{file, {}};
  const std::string name = shown(file, project_dir);
  auto bytes = read(file);
  if (!bytes) throw Error(Error::missing, fmt::format("there is no file {}", file.string()));
  if (is_procfile(file)) {
    source.documents.push_back(read_procfile(*bytes, name, release, findings));
    return source;
  }
  std::vector<Node> found = parse_yaml(*bytes, name, findings);
  for (Node& node : found) {
    if (node.is(Kind::mapping)) {
      // What follows a document of services after `---` is laid over it, and is none of Fig's.
      if (source.documents.empty() && is_fig(node)) make_compose_of_fig(node, findings);
      source.documents.push_back(std::move(node));
    } else {
      findings.misshape(node.where,
                        fmt::format("a compose file is a mapping, and this is {}", describe(node.kind)));
    }
  }
  return source;
}

Node merge_documents(std::vector<Source> sources, const fs::path& directory,
                     const std::map<std::string, std::string>& variables, const DocumentOptions& options,
                     Findings& findings) {
  return Project(directory, variables, options, {}, findings).merge_all(std::move(sources));
}

}  // namespace holdall::app
