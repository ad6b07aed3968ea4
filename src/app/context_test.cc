#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "app/app.h"
#include "app/ignore.h"
#include "base/error.h"
#include "base/fake.h"

using namespace holdall;
using namespace holdall::app;
namespace fs = std::filesystem;

namespace {

struct Directory : TemporaryDirectory {
  void write(const fs::path& name, const std::string& content = "") const {
    fs::create_directories((path / name).parent_path());
    std::ofstream(path / name) << content;
  }
};

std::vector<std::string> paths(const fs::path& context) {
  std::vector<std::string> list;
  for (const ContextFile& file : list_context(context)) list.push_back(file.path);
  return list;
}

using Paths = std::vector<std::string>;

}  // namespace

TEST_CASE("a context is all its files, links and directories, sorted, less what .dockerignore names") {
  Directory directory;
  directory.write("app.py");
  directory.write("lib/a.py");
  directory.write("lib/a.pyc");
  directory.write("node_modules/x/index.js");
  directory.write("node_modules/keep/index.js");
  fs::create_directory(directory.path / "empty");
  fs::create_symlink("app.py", directory.path / "link");
  fs::create_directory_symlink("/", directory.path / "root");
  CHECK(paths(directory.path) == Paths{"app.py", "empty", "lib", "lib/a.py", "lib/a.pyc", "link",
                                       "node_modules", "node_modules/keep", "node_modules/keep/index.js",
                                       "node_modules/x", "node_modules/x/index.js", "root"});
  directory.write(".dockerignore",
                  "# not these\n**/*.pyc\nnode_modules\n!node_modules/keep\nroot\n.dockerignore\n");
  CHECK(paths(directory.path) == Paths{"app.py", "empty", "lib", "lib/a.py", "link", "node_modules",
                                       "node_modules/keep", "node_modules/keep/index.js"});
}

TEST_CASE("sealed files are no part of the context that they stand in") {
  Directory directory;
  directory.write("secrets.sealed");
  directory.write("secrets.production.sealed");
  directory.write("secrets.md");
  directory.write("lib/secrets.sealed");
  CHECK(paths(directory.path) == Paths{"lib", "lib/secrets.sealed", "secrets.md"});
}

TEST_CASE("the history of git is no part of a context, unless .dockerignore brings it back") {
  Directory directory;
  directory.write(".git/HEAD");
  directory.write("lib/.git");
  directory.write(".gitignore");
  CHECK(paths(directory.path) == Paths{".gitignore", "lib"});
  directory.write(".dockerignore", "!.git\n.dockerignore\n");
  CHECK(paths(directory.path) == Paths{".git", ".git/HEAD", ".gitignore", "lib"});
}

TEST_CASE("a context that is no directory is missing") {
  CHECK_THROWS_WITH_AS(list_context("/nonexistent/context"),
                       "the build context /nonexistent/context is no directory", Error);
}

TEST_CASE("patterns of .dockerignore mean what they mean to docker build") {
  auto ignores = [](std::string_view patterns, std::string_view path) {
    return Ignore(patterns).matches(path);
  };
  CHECK(ignores("a", "a"));
  CHECK(ignores("a", "a/b/c"));
  CHECK_FALSE(ignores("a", "b/a"));
  CHECK(ignores("/a/", "a/b"));
  CHECK(ignores("./a/../b", "b"));
  CHECK(ignores("*.md", "x.md"));
  CHECK_FALSE(ignores("*.md", "d/x.md"));
  CHECK(ignores("**/*.md", "x.md"));
  CHECK(ignores("**/*.md", "d/e/x.md"));
  CHECK(ignores("a/**", "a/b"));
  CHECK_FALSE(ignores("a/**", "a"));
  CHECK(ignores("a/**/z", "a/z"));
  CHECK(ignores("a/**/z", "a/b/c/z"));
  CHECK(ignores("?.c", "a.c"));
  CHECK_FALSE(ignores("?.c", "ab.c"));
  CHECK(ignores("[a-c].c", "b.c"));
  CHECK_FALSE(ignores("[^a-c].c", "b.c"));
  CHECK(ignores("\\*.c", "*.c"));
  CHECK_FALSE(ignores("\\*.c", "a.c"));
  CHECK_FALSE(ignores("*\n!keep", "keep"));
  CHECK(ignores("!keep\n*", "keep"));
  CHECK_FALSE(ignores("*\n!a/b", "a/b/c"));
  CHECK(ignores("*\n!a/b\na/b/c", "a/b/c"));
  CHECK(ignores("  a  \r\n", "a"));
  CHECK(ignores("**", "a/b"));
  CHECK_FALSE(ignores("", "a"));
  CHECK_FALSE(ignores(".", "a"));
  CHECK_FALSE(ignores("# a\n", "a"));
}

TEST_CASE("a pattern of many stars takes no time") {
  std::string name(200, 'a');
  CHECK_FALSE(Ignore(std::string("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b")).matches(name));
  CHECK_FALSE(Ignore("**/**/**/**/**/**/**/**/**/**/x").matches("a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a"));
}
