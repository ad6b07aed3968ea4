#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/base64.h"
#include "base/digest.h"
#include "base/seal.h"

namespace holdall {
namespace {

constexpr std::string_view kRecipient = "recipient";
constexpr std::string_view kCheck = "sha256";
constexpr std::string_view kBlanks = " \t";
constexpr std::size_t kMostName = 255;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// A mail address is one.
bool is_recipient_name(std::string_view name) {
  auto is_inner = [](char c) {
    return is_letter(c) || is_digit(c) || std::string_view("._@+-").find(c) != std::string_view::npos;
  };
  return !name.empty() && name.size() <= kMostName && (is_letter(name.front()) || is_digit(name.front())) &&
         std::ranges::all_of(name, is_inner) && name != kCheck;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> words;
  for (;;) {
    std::size_t begin = text.find_first_not_of(separators);
    if (begin == text.npos) return words;
    text.remove_prefix(begin);
    std::size_t end = std::min(text.find_first_of(separators), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

bool is_conflict_marker(std::string_view word) {
  return word == "<<<<<<<" || word == "=======" || word == ">>>>>>>" || word == "|||||||";
}

}  // namespace

bool is_secret_name(std::string_view name) {
  return !name.empty() && name.size() <= kMostName && !is_digit(name.front()) && name != kRecipient &&
         std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
}

/// Reads a text line by line. What stands in a line that is not well-formed may be a plain value, so no
/// problem repeats it.
struct SealedFile::Reader {
  SealedFile& file;
  std::vector<Problem> problems = {};
  std::map<std::string, int> names = {}, recipients = {}, keys = {};  ///< with the line they stand in

  int number() const { return static_cast<int>(file.lines_.size()) + 1; }

  void refuse(std::string what, std::string hint = "") {
    problems.push_back({{file.filename_, number(), 0}, std::move(what), std::move(hint)});
  }

  void once(std::map<std::string, int>& seen, const std::string& what, std::string_view kind) {
    auto [first, is_new] = seen.try_emplace(what, number());
    if (!is_new) {
      refuse(fmt::format("{} {} stands in line {} already", kind, what, first->second),
             "keep one of the two lines");
    }
  }

  void read(std::string_view text) {
    while (!text.empty()) {
      std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
      Line line{.text = std::string(text.substr(0, end))};
      std::string_view content = text.substr(0, end);
      if (content.ends_with('\n')) content.remove_suffix(1);
      if (content.ends_with('\r')) content.remove_suffix(1);
      read_line(split(content, kBlanks), line);
      file.lines_.push_back(std::move(line));
      text.remove_prefix(end);
    }
  }

  void read_line(const std::vector<std::string_view>& words, Line& line) {
    if (words.empty() || words.front().starts_with('#')) return;
    if (is_conflict_marker(words.front())) return refuse("a merge is not resolved here");
    if (words.front() == kRecipient) return read_recipient(words, line);
    if (!is_secret_name(words.front()) || words.size() != 2) {
      return refuse("this is neither `recipient NAME PUBLICKEY` nor `NAME VALUE`",
                    "if it is a plain value, remove it here and use: holdall secrets seal NAME");
    }
    line.name = words.front();
    once(names, line.name, "the value");
    if (!read_value(words.back(), line)) {
      refuse(fmt::format("what stands for {} is no sealed value", line.name),
             fmt::format("remove the line, then: holdall secrets seal {}", line.name));
    }
  }

  void read_recipient(const std::vector<std::string_view>& words, Line& line) {
    if (words.size() != 3 || !is_recipient_name(words[1])) {
      return refuse("a recipient is written `recipient NAME PUBLICKEY`");
    }
    try {
      line.recipient = Recipient{std::string(words[1]), PublicKey::parse(words[2])};
      once(recipients, line.recipient->name, "recipient");
      once(keys, line.recipient->key.text(), "the key");
    } catch (const Error& error) {
      refuse(fmt::format("recipient {}: {}", words[1], error.what()));
    }
  }

  static bool read_value(std::string_view value, Line& line) {
    for (std::string_view part : split(value, ",")) {
      std::size_t colon = part.find(':');
      if (colon == part.npos || !line.check.empty()) return false;
      std::string label(part.substr(0, colon));
      if (label == kCheck) {
        line.check = part;
        continue;
      }
      auto box = base64_decode(part.substr(colon + 1));
      bool is_new = std::ranges::find(line.boxes, label, &Box::recipient) == line.boxes.end();
      if (!box || !is_new || !is_recipient_name(label)) return false;
      line.boxes.push_back({std::move(label), std::move(*box)});
    }
    return !line.check.empty() && !line.boxes.empty();
  }
};

SealedFile SealedFile::parse(std::string_view text, const std::string& filename) {
  SealedFile file(filename);
  Reader reader{file};
  reader.read(text);
  throw_if_any(reader.problems);
  return file;
}

std::string SealedFile::print() const {
  std::string text;
  for (const Line& line : lines_) text += line.text;
  return text;
}

std::vector<Recipient> SealedFile::recipients() const {
  std::vector<Recipient> all;
  for (const Line& line : lines_) {
    if (line.recipient) all.push_back(*line.recipient);
  }
  return all;
}

std::optional<PublicKey> SealedFile::recipient(std::string_view name) const {
  for (const Line& line : lines_) {
    if (line.recipient && line.recipient->name == name) return line.recipient->key;
  }
  return std::nullopt;
}

std::vector<std::string> SealedFile::names() const {
  std::vector<std::string> all;
  for (const Line& line : lines_) {
    if (!line.name.empty()) all.push_back(line.name);
  }
  return all;
}

/// Whatever is altered in the line, or in the key of one of its recipients, changes this.
std::string SealedFile::check_of(const Line& line) const {
  std::string sealed = line.name + "\n";
  for (const Box& box : line.boxes) {
    std::optional<PublicKey> key = recipient(box.recipient);
    sealed += fmt::format("{} {} {}\n", box.recipient, key ? key->text() : "", base64(box.bytes));
  }
  // 64 bits tell accidents; who means to replace a value seals another one.
  constexpr std::size_t kDigits = 16;
  return std::string(kCheck) + ":" + sha256(sealed).value.substr(kCheck.size() + 1, kDigits);
}

void SealedFile::write_value(Line& line) {
  line.text = line.name + " ";
  for (const Box& box : line.boxes) line.text += fmt::format("{}:{},", box.recipient, base64(box.bytes));
  line.text += line.check + "\n";
}

std::optional<Problem> SealedFile::fault(const Line& line, int number) const {
  auto found = [&](std::string what) {
    return Problem{{filename_, number, 0},
                   std::move(what),
                   fmt::format("seal it again: holdall secrets seal {}; or every value by a server that can "
                               "open it: holdall secrets rotate",
                               line.name)};
  };
  std::vector<Recipient> listed = recipients();
  for (const Recipient& one : listed) {
    if (std::ranges::find(line.boxes, one.name, &Box::recipient) == line.boxes.end())
      return found(fmt::format("{} is not sealed to recipient {}", line.name, one.name));
  }
  for (const Box& box : line.boxes) {
    if (std::ranges::find(listed, box.recipient, &Recipient::name) == listed.end())
      return found(fmt::format("{} is sealed to {}, who is no recipient here", line.name, box.recipient));
  }
  if (line.check == check_of(line)) return std::nullopt;
  return found(fmt::format("{} was altered after it was sealed, or the key of a recipient was", line.name));
}

std::vector<Problem> SealedFile::faults() const {
  std::vector<Problem> all;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    if (lines_[i].name.empty()) continue;
    if (auto one = fault(lines_[i], static_cast<int>(i) + 1)) all.push_back(std::move(*one));
  }
  return all;
}

void SealedFile::insert(std::size_t at, Line line) {
  if (at > 0 && !lines_[at - 1].text.ends_with('\n')) lines_[at - 1].text += '\n';
  lines_.insert(lines_.begin() + static_cast<std::ptrdiff_t>(at), std::move(line));
}

void SealedFile::seal(const AppName& app, const std::string& name, const Secret& value) {
  Line sealed = make_value(app, name, value);
  for (Line& line : lines_) {
    if (line.name != name) continue;
    line = std::move(sealed);
    return;
  }
  // Before the first that sorts after it: two people's new values seldom meet in a merge.
  auto after = std::ranges::find_if(lines_, [&](const Line& line) { return line.name > name; });
  insert(static_cast<std::size_t>(after - lines_.begin()), std::move(sealed));
}

void SealedFile::set_recipient(const Recipient& recipient) {
  if (!is_recipient_name(recipient.name)) {
    throw Error(Error::invalid, "a recipient's name is made of letters, digits and . _ @ + -");
  }
  Line line{.text = fmt::format("{} {} {}\n", kRecipient, recipient.name, recipient.key.text()),
            .recipient = recipient};
  std::size_t after_last = 0;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const std::optional<Recipient>& other = lines_[i].recipient;
    if (!other) continue;
    if (other->name == recipient.name) {
      lines_[i] = std::move(line);
      return;
    }
    if (other->key == recipient.key)
      throw Error(Error::conflict, fmt::format("recipient {} has this key already", other->name));
    after_last = i + 1;
  }
  if (after_last == 0) {
    auto value = std::ranges::find_if(lines_, [](const Line& other) { return !other.name.empty(); });
    after_last = static_cast<std::size_t>(value - lines_.begin());
  }
  insert(after_last, std::move(line));
}

void SealedFile::remove_recipient(std::string_view name) {
  if (!recipient(name)) throw Error(Error::missing, fmt::format("{}: no recipient {}", filename_, name));
  if (recipients().size() == 1) {
    throw Error(Error::invalid, fmt::format("{} is the last recipient: nobody could open a value", name));
  }
  std::vector<bool> intact;
  for (const Line& line : lines_) intact.push_back(line.check == check_of(line));
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    Line& line = lines_[i];
    if (line.name.empty()) continue;
    std::erase_if(line.boxes, [&](const Box& box) { return box.recipient == name; });
    if (intact[i]) line.check = check_of(line);  // what was altered must not look sound
    write_value(line);
  }
  std::erase_if(lines_, [&](const Line& line) { return line.recipient && line.recipient->name == name; });
}

}  // namespace holdall
