#include "base/seal.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace holdall {
namespace {

// An environment's variable may have 128 KiB on Linux; certificates and key files have less.
constexpr std::size_t kMostValue = std::size_t{64} << 10;

// What a box holds begins with this, then app, name and value, each after its length (32 bits, big endian): a
// box that is moved to another app or name no longer fits.
constexpr std::string_view kFormat = "holdall-secret-1";
constexpr std::size_t kLength = 4;

Secret make_plain(std::string_view app, std::string_view name, std::string_view value) {
  std::array fields{app, name, value};
  std::size_t size = kFormat.size();
  for (std::string_view field : fields) size += kLength + field.size();
  Secret plain = Secret::zeros(size);
  char* out = std::ranges::copy(kFormat, plain.data()).out;
  for (std::string_view field : fields) {
    for (int shift = 24; shift >= 0; shift -= 8) *out++ = static_cast<char>(field.size() >> shift & 0xff);
    out = std::ranges::copy(field, out).out;
  }
  return plain;
}

struct Plain {
  std::string_view app, name, value;
};

/// Nothing unless `plain` is exactly what `make_plain` makes. The result points into it.
std::optional<Plain> read_plain(std::string_view plain) {
  if (!plain.starts_with(kFormat)) return std::nullopt;
  plain.remove_prefix(kFormat.size());
  std::array<std::string_view, 3> fields;
  for (std::string_view& field : fields) {
    if (plain.size() < kLength) return std::nullopt;
    std::uint32_t size = 0;
    for (char c : plain.substr(0, kLength)) size = size << 8 | static_cast<unsigned char>(c);
    plain.remove_prefix(kLength);
    if (plain.size() < size) return std::nullopt;
    field = plain.substr(0, size);
    plain.remove_prefix(size);
  }
  if (!plain.empty()) return std::nullopt;
  return Plain{fields[0], fields[1], fields[2]};
}

}  // namespace

/// A value, or why there is none.
struct SealedFile::Opened {
  std::optional<Secret> value;
  bool denied = false;  ///< only for want of a key
  Problem problem;
};

SealedFile::Opened SealedFile::open_line(const Line& line, int number, const AppName& app,
                                         std::span<const PrivateKey> keys) const {
  auto refused = [&](std::string what, std::string hint, bool denied = false) {
    return Opened{std::nullopt, denied, {{filename_, number, 0}, std::move(what), std::move(hint)}};
  };
  // Every key on every box, not only what the file says of them: a recipient's key may stand replaced already
  // while its values are still to be sealed to the new one.
  for (const Box& box : line.boxes) {
    for (const PrivateKey& candidate : keys) {
      std::optional<Secret> plain = candidate.open_box(box.bytes);
      if (!plain) continue;
      std::optional<Plain> fields = read_plain(plain->view());
      if (!fields) {
        return refused(fmt::format("{} is sealed in a format that this version does not read", line.name),
                       "use the version that sealed it, or a newer one");
      }
      if (fields->app != app.value || fields->name != line.name) {
        return refused(fmt::format("{} was sealed for another {}, not for {} of {}", line.name,
                                   fields->app != app.value ? "app" : "name", line.name, app.value),
                       fmt::format("seal it here: holdall secrets seal {}", line.name));
      }
      return Opened{Secret(fields->value)};
    }
  }
  bool ours = std::ranges::any_of(line.boxes, [&](const Box& box) {
    std::optional<PublicKey> key = recipient(box.recipient);
    return key && std::ranges::find(keys, *key, &PrivateKey::public_key) != keys.end();
  });
  if (ours) {
    return refused(fmt::format("{} was altered after it was sealed", line.name),
                   fmt::format("restore the line, or seal it again: holdall secrets seal {}", line.name));
  }
  return refused(fmt::format("{} is sealed to none of the keys at hand", line.name),
                 "make this server a recipient: holdall secrets keygen", true);
}

std::map<std::string, Secret> SealedFile::open(const AppName& app, std::span<const PrivateKey> keys) const {
  std::map<std::string, Secret> values;
  std::vector<Problem> problems;
  bool only_denied = true;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    if (lines_[i].name.empty()) continue;
    int number = static_cast<int>(i) + 1;
    Opened opened = open_line(lines_[i], number, app, keys);
    if (!opened.value) {
      only_denied = only_denied && opened.denied;
      problems.push_back(std::move(opened.problem));
    } else if (auto found = fault(lines_[i], number)) {
      only_denied = false;
      problems.push_back(std::move(*found));
    } else {
      values.emplace(lines_[i].name, std::move(*opened.value));
    }
  }
  throw_if_any(problems, only_denied ? Error::denied : Error::invalid);
  return values;
}

void SealedFile::reseal(const AppName& app, std::span<const PrivateKey> keys) {
  std::vector<Line> sealed = lines_;
  std::vector<Problem> problems;
  bool only_denied = true;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    if (lines_[i].name.empty()) continue;
    Opened opened = open_line(lines_[i], static_cast<int>(i) + 1, app, keys);
    if (opened.value) {
      sealed[i] = make_value(app, lines_[i].name, *opened.value);
    } else {
      only_denied = only_denied && opened.denied;
      problems.push_back(std::move(opened.problem));
    }
  }
  throw_if_any(problems, only_denied ? Error::denied : Error::invalid);
  lines_ = std::move(sealed);
}

std::set<std::string> SealedFile::openable(const AppName& app, std::span<const PrivateKey> keys) const {
  std::set<std::string> names;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    int number = static_cast<int>(i) + 1;
    if (lines_[i].name.empty() || fault(lines_[i], number)) continue;
    if (open_line(lines_[i], number, app, keys).value) names.insert(lines_[i].name);
  }
  return names;
}

SealedFile::Line SealedFile::make_value(const AppName& app, const std::string& name,
                                        const Secret& value) const {
  if (!is_secret_name(name)) {
    // Not repeated: NAME=VALUE is what is given by mistake.
    throw Error(Error::invalid, "a secret is named like a variable: letters, digits and _, no digit first");
  }
  if (value.size() > kMostValue) {
    throw Error(Error::invalid,
                fmt::format("{} has {} bytes; at most {} can be sealed", name, value.size(), kMostValue));
  }
  std::vector<Recipient> to = recipients();
  if (to.empty()) {
    throw Error(Error::invalid,
                fmt::format("{} lists no recipient to seal to: holdall secrets keygen", filename_));
  }
  Secret plain = make_plain(app.value, name, value.view());
  Line line{.name = name};
  for (const Recipient& one : to) line.boxes.push_back({one.name, one.key.seal_box(plain)});
  line.check = check_of(line);
  write_value(line);
  return line;
}

}  // namespace holdall
