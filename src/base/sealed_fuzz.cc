#include <cstdlib>

#include "base/seal.h"

// Whatever text comes: it is refused, or it prints as it stood, and what is added to it can be opened again
// by whom it was sealed to, with nothing else changed.
namespace {

using namespace holdall;

const AppName kApp{"fuzz"};

void expect(bool right) {
  if (!right) std::abort();
}

void edit(SealedFile file, std::string_view text, std::span<const PrivateKey> keys) {
  auto before = file.names();
  bool sound = file.faults().empty();
  for (const Recipient& one : file.recipients()) {
    if (one.name == "fuzzer") return;
  }
  // A value for this key that stands under another recipient's name: it would open once nobody has the key.
  if (!file.openable(kApp, keys).empty()) return;
  file.set_recipient({"fuzzer", keys.front().public_key()});
  expect(file.openable(kApp, keys).empty());
  try {
    file.seal(kApp, "FUZZ", Secret(text.substr(0, 100)));
  } catch (const Error&) {
    return;  // one of the recipients' keys is a point of low order
  }
  SealedFile read = SealedFile::parse(file.print(), "fuzz");
  expect(read.print() == file.print());
  expect(read.openable(kApp, keys).contains("FUZZ"));
  bool opens = before.empty() || (before.size() == 1 && before.front() == "FUZZ");
  try {
    expect(read.open(kApp, keys).at("FUZZ").view() == text.substr(0, 100) && opens);
  } catch (const Error&) {
    expect(!opens);
  }
  if (read.recipients().size() == 1) return;
  read.remove_recipient("fuzzer");
  SealedFile left = SealedFile::parse(read.print(), "fuzz");
  expect(left.openable(kApp, keys).empty());
  if (sound) expect(left.faults().empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  static const std::vector<PrivateKey> keys = [] {
    std::vector<PrivateKey> made;
    made.push_back(PrivateKey::parse_base64("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="));
    return made;
  }();
  std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    SealedFile file = SealedFile::parse(text, "fuzz");
    expect(file.print() == text);
    edit(file, text, keys);
  } catch (const Error&) {
  }
  return 0;
}
