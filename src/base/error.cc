#include "base/error.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <utility>

namespace holdall {
namespace {

struct KindRow {
  Error::Kind kind;
  std::string_view name;
  int exit_code;
  int http_status;
};

constexpr std::array kKinds{
    KindRow{Error::failed, "failed", 1, 422},   KindRow{Error::invalid, "invalid", 2, 400},
    KindRow{Error::missing, "missing", 3, 404}, KindRow{Error::conflict, "conflict", 4, 409},
    KindRow{Error::busy, "busy", 5, 503},       KindRow{Error::denied, "denied", 6, 403},
    KindRow{Error::broken, "broken", 70, 500},
};

const KindRow& row(Error::Kind kind) {
  for (const KindRow& row : kKinds) {
    if (row.kind == kind) return row;
  }
  return kKinds.back();
}

std::string text_of_all(const std::vector<Problem>& problems) {
  std::string all;
  for (const Problem& problem : problems) {
    if (!all.empty()) all += '\n';
    all += text(problem);
  }
  return all;
}

}  // namespace

Error Error::during(std::string_view doing) const {
  return Error(kind_, fmt::format("{}: {}", doing, what()));
}

std::string_view name(Error::Kind kind) { return row(kind).name; }

Error::Kind parse_kind(std::string_view name) {
  for (const KindRow& row : kKinds) {
    if (row.name == name) return row.kind;
  }
  return Error::broken;
}

int exit_code(Error::Kind kind) { return row(kind).exit_code; }

int http_status(Error::Kind kind) { return row(kind).http_status; }

void throw_errno(Error::Kind kind, std::string_view doing, int number) {
  throw Error(kind, fmt::format("{}: {}", doing, std::strerror(number)));
}

std::string text(const Where& where) {
  std::string out = where.file;
  if (where.line) out += fmt::format(":{}", where.line);
  if (where.line && where.column) out += fmt::format(":{}", where.column);
  return out;
}

std::string text(const Problem& problem) {
  std::string place = text(problem.where);
  std::string out = place.empty() ? problem.what : fmt::format("{}: {}", place, problem.what);
  if (!problem.hint.empty()) out += fmt::format("\n  {}", problem.hint);
  return out;
}

Problems::Problems(Kind kind, std::vector<Problem> problems, std::string directory)
    : Error(kind, text_of_all(problems)),
      problems_(std::make_shared<const std::vector<Problem>>(std::move(problems))),
      directory_(std::move(directory)) {}

void throw_if_any(const std::vector<Problem>& problems, Error::Kind kind, const std::string& directory) {
  if (!problems.empty()) throw Problems(kind, problems, directory);
}

}  // namespace holdall
