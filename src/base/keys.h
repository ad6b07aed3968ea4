#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/secret.h"

namespace holdall {

/// What values are sealed to (X25519). A value; not secret.
class PublicKey {
 public:
  static constexpr std::size_t kBytes = 32;

  /// 44 characters of base64. Throws `invalid` for anything else, a private key above all.
  static PublicKey parse(std::string_view text);
  explicit PublicKey(const std::array<unsigned char, kBytes>& bytes) : bytes_(bytes) {}

  std::string text() const;
  const unsigned char* data() const { return bytes_.data(); }

  /// `plain` for the holder of the private key only, by nobody in particular: libsodium's crypto_box_seal.
  std::string seal_box(const Secret& plain) const;

  auto operator<=>(const PublicKey&) const = default;

 private:
  std::array<unsigned char, kBytes> bytes_;
};

/// What opens what was sealed to its public key. It lies in memory that is locked where the system allows it,
/// left out of core files, and wiped. Move-only; using one from several threads is safe.
class PrivateKey {
 public:
  static PrivateKey generate();

  /// The text of a key file or of a recovery key: "holdall-private-key-" and 44 characters of base64. Throws
  /// `invalid`, without the text.
  static PrivateKey parse(std::string_view text);

  /// 44 characters of base64 alone, as other programs write a key. Throws `invalid`, without the text.
  static PrivateKey parse_base64(std::string_view text);

  /// What `parse` reads.
  Secret text() const;
  const PublicKey& public_key() const { return public_key_; }

  /// Nothing if `box` was not sealed to this key, or was altered.
  std::optional<Secret> open_box(std::string_view box) const;

  /// The same of an authenticated box (libsodium's crypto_box_easy, its nonce before it) between this key and
  /// `sender`: whoever holds either private key can make and open it.
  std::optional<Secret> open_box(std::string_view nonce_and_box, const PublicKey& sender) const;

 private:
  struct Free {
    void operator()(unsigned char* bytes) const;
  };
  using Bytes = std::unique_ptr<unsigned char, Free>;
  explicit PrivateKey(Bytes bytes);
  static Bytes memory();

  Bytes bytes_;
  PublicKey public_key_;
};

/// The private keys of a server, `<path>/<app>/<n>.key`, each for one app; the highest number is the newest.
/// Older ones stay because kept releases are sealed to them. Directories are made 0700 and files 0600.
/// Thread-safe, also between processes. Each call throws `invalid` for a name that is none of an app,
/// `denied` with the remedy when a key or its directory is open to others.
class KeyDirectory {
 public:
  explicit KeyDirectory(std::filesystem::path path) : path_(std::move(path)) {}

  /// Newest first; none is no error.
  std::vector<PrivateKey> keys(const AppName& app) const;

  /// Makes a new key, on the disk before this returns, and gives its public half.
  PublicKey make(const AppName& app);

  /// The newest key's public half, and the first key if there is none yet.
  PublicKey ensure(const AppName& app);

  /// Removes the keys that are older than every one that `needed` lists: the recipients of the sealed files
  /// of all kept releases. A key that is newer than one of those stays, though no release knows it yet; where
  /// nothing of ours is needed, all stay.
  void retire(const AppName& app, std::span<const PublicKey> needed);

 private:
  std::filesystem::path path_;
};

}  // namespace holdall
