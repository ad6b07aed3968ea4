#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "app/app.h"
#include "app/discover.h"
#include "app/findings.h"
#include "app/interpolate.h"
#include "app/node.h"

namespace holdall::app {

/// A file, and the documents in it.
struct Source {
  std::filesystem::path file;
  std::vector<Node> documents;
};

/// What the documents of one project share while they become one.
struct DocumentOptions {
  const ReadFile& read;
  const std::filesystem::path& project_dir;  ///< for the names of files in messages
  const std::string& home;
  const std::set<std::string>& secrets;
  bool interpolate = true;
  bool resolve_paths = true;
  bool release = false;  ///< no `.env` of an included project, either
  Unset& unset;
  VariableUse& use;
};

/// The documents of a file; problems, and those that there are, where it is no YAML. Throws `missing` where
/// there is no such file.
Source read_source(const std::filesystem::path& file, const std::filesystem::path& project_dir, bool release,
                   const ReadFile& read, Findings& findings);

/// Merges the documents of a project into one in the specification's order: for each document variables,
/// `extends`, `include`, the merge onto those before it, the schema, long forms; at the end defaults, the
/// rules between keys, and paths, from `directory`.
Node merge_documents(std::vector<Source> sources, const std::filesystem::path& directory,
                     const std::map<std::string, std::string>& variables, const DocumentOptions& options,
                     Findings& findings);

}  // namespace holdall::app
