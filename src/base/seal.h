#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/id.h"
#include "base/keys.h"
#include "base/secret.h"

namespace holdall {

/// Somebody who can open every value of a file: a server, or who keeps the recovery key.
struct Recipient {
  std::string name;
  PublicKey key;
  bool operator==(const Recipient&) const = default;
};

/// A file of sealed values that stands in git beside the compose file (docs/formats/sealed-file.md): names
/// can be read, values only by the recipients, and whoever can read the file can add a value. What nobody
/// changes stays as it is, byte by byte: comments, blank lines, the order. Copyable; no plaintext is in it.
class SealedFile {
 public:
  /// A file without recipients and values.
  explicit SealedFile(std::string filename) : filename_(std::move(filename)) {}

  /// Throws `invalid` with every line that is not well-formed. What is well-formed and cannot be used is told
  /// by `faults` and `open`.
  static SealedFile parse(std::string_view text, const std::string& filename);

  /// The file's text: what was parsed if nothing changed.
  std::string print() const;

  std::vector<Recipient> recipients() const;                        ///< as they stand in the file
  std::optional<PublicKey> recipient(std::string_view name) const;  ///< nothing: no such recipient
  std::vector<std::string> names() const;                           ///< of the values, as they stand

  /// Lines that were altered since they were sealed, or are not sealed to exactly the recipients that the
  /// file lists (after a merge, say), as far as that can be seen without a key.
  std::vector<Problem> faults() const;

  /// Adds the value or replaces it, sealed to every recipient and bound to app and name. Throws `invalid` for
  /// a name that is no variable's, a value over 64 KiB, or a file without recipients.
  void seal(const AppName& app, const std::string& name, const Secret& value);

  /// Values are not sealed to a new recipient until `reseal`. Replaces the key of a recipient that is there.
  void set_recipient(const Recipient& recipient);

  /// What is sealed to it leaves the file too. Throws `missing` if there is no such recipient, `invalid` for
  /// the last one.
  void remove_recipient(std::string_view name);

  /// Every value of the file by its name, or none: one Error tells of all that do not open and of all
  /// `faults`. It is `denied` if nothing is wrong but that none of `keys` is a recipient's, else `invalid`.
  std::map<std::string, Secret> open(const AppName& app, std::span<const PrivateKey> keys) const;

  /// Seals every value anew to the recipients as the file lists them now, whatever `faults` says. Throws as
  /// `open` does and changes nothing if one does not open.
  void reseal(const AppName& app, std::span<const PrivateKey> keys);

  /// The names of the values that `open` would not complain of.
  std::set<std::string> openable(const AppName& app, std::span<const PrivateKey> keys) const;

 private:
  struct Box {
    std::string recipient, bytes;
  };
  struct Line {
    std::string text;  ///< as it stands, with the end of the line
    std::optional<Recipient> recipient;
    std::string name;  ///< of a value; else empty
    std::vector<Box> boxes;
    std::string check;
  };
  struct Reader;
  struct Opened;

  Opened open_line(const Line& line, int number, const AppName& app, std::span<const PrivateKey> keys) const;
  Line make_value(const AppName& app, const std::string& name, const Secret& value) const;
  std::optional<Problem> fault(const Line& line, int number) const;
  std::string check_of(const Line& line) const;
  static void write_value(Line& line);
  void insert(std::size_t at, Line line);

  std::string filename_;
  std::vector<Line> lines_;
};

/// Whether a value may have this name: that of a variable (`[A-Za-z_][A-Za-z0-9_]*`, at most 255 characters),
/// but not `recipient`, which begins another kind of line.
bool is_secret_name(std::string_view name);

}  // namespace holdall
