#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "cli/options.h"
#include "cli/secret_input.h"
#include "cli/secrets.h"
#include "cli/server.h"
#include "cli/terminal.h"
#include "wire/wire.h"

namespace holdall::cli {
namespace {

constexpr const char* kRecovery = "recovery";

std::string path_of(const SealedProject& project, std::string_view call) {
  return fmt::format("/v1/apps/{}/{}", wire::percent_encode(project.app().value), call);
}

/// The answer to a call with the project's file; the server's words name the file as we do.
SealedFile resealed_by_server(const SealedProject& project, bool rotate, const Globals& globals) {
  Json body =
      Json::object({{"file", project.filename()}, {"sealed", project.file.print()}, {"rotate", rotate}});
  Json answer = server_of(globals).post(path_of(project, "sealed/reseal"), body);
  SealedFile sealed = SealedFile::parse(answer.at("sealed").string(), project.filename());
  if (sealed.names() != project.file.names() || !sealed.faults().empty()) {
    throw Error(Error::broken, "the server answered with another file than it was asked for");
  }
  return sealed;
}

/// The only time that this key is shown: alone on stdout, so that it can be sent into a file.
void show_recovery_key(const PrivateKey& key, const Terminal& errors) {
  errors.line("");
  errors.line(errors.paint(Colour::yellow, "The recovery key, shown only now.") +
              " It opens every value when the server is lost: keep it offline,");
  errors.line("not in this repository and not on the server. Whoever has it can read every value.");
  std::fflush(stderr);
  Secret text = key.text();
  std::fwrite(text.view().data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
}

}  // namespace

void reseal(SealedProject& project, const std::optional<PrivateKey>& key, const Globals& globals) {
  if (project.file.names().empty()) return;
  if (key) {
    project.file.reseal(project.app(), std::span(&*key, 1));
  } else {
    project.file = resealed_by_server(project, false, globals);
  }
}

int secrets_keygen(Invocation& call) {
  std::optional<std::string> key_file, name;
  Options options(call,
                  "  holdall secrets keygen\n"
                  "  holdall secrets keygen > recovery.key     with the recovery key alone in the file\n"
                  "  holdall secrets keygen --name second --key-file recovery.key     for another server");
  options.value("--name", name, "NAME", "what the file calls this server; server if left out");
  options.value("--key-file", key_file, "FILE",
                "seal what is there to the new key too, opened with this private key (- is stdin)");
  if (!options.parse()) return 0;
  SealedProject project(call.globals);
  std::optional<PrivateKey> own = private_key(call, key_file);
  Json answer = server_of(call.globals).post(path_of(project, "keys"), Json::object());
  Recipient server{name.value_or("server"), PublicKey::parse(answer.at("public_key").string())};

  Terminal errors(2, call.globals.ansi);
  std::vector<Recipient> before = project.file.recipients();
  if (std::ranges::find(before, server.key, &Recipient::key) != before.end()) {
    errors.line(
        fmt::format("the server's key for {} is a recipient of {} already; holdall secrets rotate makes "
                    "a new one",
                    project.app().value, project.filename()));
    return 0;
  }
  if (project.file.recipient(server.name)) {
    throw Error(Error::conflict,
                fmt::format("recipient {} of {} is another server, or this one before it lost its keys\n"
                            "  add this one beside it: holdall secrets keygen --name NAME, with "
                            "--key-file FILE for the values that are there",
                            server.name, project.filename()));
  }
  if (!project.file.names().empty() && !own) {
    throw Error(
        Error::conflict,
        fmt::format(
            "{} holds values that this server cannot open; its public key is {}\n  let them be sealed to it "
            "by who can: holdall secrets recipients add {} KEY on a server that can open them, or "
            "holdall secrets keygen --key-file FILE with the recovery key",
            project.filename(), server.key.text(), server.name));
  }
  project.file.set_recipient(server);
  std::optional<PrivateKey> recovery;
  if (before.empty()) {
    recovery = PrivateKey::generate();
    project.file.set_recipient({kRecovery, recovery->public_key()});
  }
  reseal(project, own, call.globals);
  project.save();
  errors.line(fmt::format("{} can be sealed in {} now: holdall secrets seal NAME; commit the file",
                          before.empty() ? "values" : "values for this server", project.filename()));
  if (recovery) show_recovery_key(*recovery, errors);
  return 0;
}

int secrets_rotate(Invocation& call) {
  bool new_recovery = false;
  Options options(call, "  holdall secrets rotate\n  holdall secrets rotate --recovery > recovery.key");
  options.flag("--recovery", new_recovery, "make a new recovery key too, shown only now");
  if (!options.parse()) return 0;
  SealedProject project(call.globals);
  project.require();
  std::optional<PrivateKey> recovery;
  if (new_recovery) {
    recovery = PrivateKey::generate();
    project.file.set_recipient({kRecovery, recovery->public_key()});
  }
  project.file = resealed_by_server(project, true, call.globals);
  project.save();
  Terminal errors(2, call.globals.ansi);
  errors.line(
      fmt::format("every value of {} is sealed to a new key of the server. Commit the file: releases use "
                  "that key from now on. "
                  "The old key stays as long as a release needs it. If it was lost to somebody, change the "
                  "values themselves: "
                  "it opens every earlier version of the file",
                  project.filename()));
  if (recovery) show_recovery_key(*recovery, errors);
  return 0;
}

}  // namespace holdall::cli
