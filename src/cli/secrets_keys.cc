#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <deque>

#include "base/error.h"
#include "cli/options.h"
#include "cli/secret_input.h"
#include "cli/secrets.h"
#include "cli/server.h"
#include "cli/target.h"
#include "cli/terminal.h"
#include "wire/wire.h"

namespace holdall::cli {
namespace {

constexpr const char* kRecovery = "recovery";

std::string path_of(const SealedProject& project, std::string_view call) {
  return fmt::format("/v1/apps/{}/{}", wire::percent_encode(project.app().value), call);
}

/// The answer to a call with the project's file; the server's words name the file as we do.
SealedFile resealed_by_server(const SealedProject& project, bool rotate, Server& server) {
  Json body =
      Json::object({{"file", project.filename()}, {"sealed", project.file.print()}, {"rotate", rotate}});
  Json answer = server.post(path_of(project, "sealed/reseal"), body);
  SealedFile sealed = SealedFile::parse(answer.at("sealed").string(), project.filename());
  if (sealed.names() != project.file.names() || !sealed.faults().empty()) {
    throw Error(Error::broken, "the server answered with another file than it was asked for");
  }
  return sealed;
}

/// By the first of the servers that has a key for it.
SealedFile resealed_by_one_of(const SealedProject& project, std::deque<Server>& servers) {
  for (Server& server : servers) {
    try {
      return resealed_by_server(project, false, server);
    } catch (const Error& error) {
      if (error.kind() != Error::denied || &server == &servers.back()) throw;
    }
  }
  throw Error(Error::broken, "there is no server to ask");
}

/// What the file calls a server: of one alone, `server`; of several, each by its host.
std::string recipient_name(const std::vector<app::Host>& hosts, std::size_t which) {
  const std::string& host = hosts[which].name;
  if (hosts.size() == 1) return "server";
  std::string name = host.empty() ? fmt::format("server-{}", which + 1) : host;
  for (char& c : name) {
    if (c == ':' || c == '%') c = '-';
  }
  return name;
}

/// The key of each server for this app, under the name that the file is to have for it; made where there is
/// none.
std::vector<Recipient> keys_of(const SealedProject& project, const std::vector<app::Host>& hosts,
                               std::deque<Server>& servers, const std::optional<std::string>& name) {
  std::vector<Recipient> keys;
  for (Server& server : servers) {
    Json answer = server.post(path_of(project, "keys"), Json::object());
    keys.push_back({name.value_or(recipient_name(hosts, keys.size())),
                    PublicKey::parse(answer.at("public_key").string())});
  }
  return keys;
}

bool holds(const std::vector<Recipient>& recipients, const Recipient& one) {
  return std::ranges::find(recipients, one.key, &Recipient::key) != recipients.end();
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
    std::deque<Server> servers = servers_at(hosts_of(globals));
    project.file = resealed_by_one_of(project, servers);
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
  const std::vector<app::Host> hosts = hosts_of(call.globals);
  if (name && hosts.size() > 1)
    throw Error(Error::invalid, "--name: there are several servers, and each is called by its host");
  std::deque<Server> servers = servers_at(hosts);
  const std::vector<Recipient> keys = keys_of(project, hosts, servers, name);

  Terminal errors(2, call.globals.ansi);
  std::vector<Recipient> before = project.file.recipients();
  std::vector<Recipient> added;
  for (const Recipient& server : keys) {
    if (!holds(before, server)) added.push_back(server);
  }
  if (added.empty()) {
    errors.line(
        fmt::format("the server's key for {} is a recipient of {} already; holdall secrets rotate makes "
                    "a new one",
                    project.app().value, project.filename()));
    return 0;
  }
  // One of them that has a key already opens what is there for the others.
  const bool opened = own || added.size() < keys.size();
  for (const Recipient& server : added) {
    if (project.file.recipient(server.name)) {
      throw Error(Error::conflict,
                  fmt::format("recipient {} of {} is another server, or this one before it lost its keys\n"
                              "  add this one beside it: holdall secrets keygen --name NAME, with "
                              "--key-file FILE for the values that are there",
                              server.name, project.filename()));
    }
    if (!project.file.names().empty() && !opened) {
      throw Error(
          Error::conflict,
          fmt::format("{} holds values that this server cannot open; its public key is {}\n  let them be "
                      "sealed to it "
                      "by who can: holdall secrets recipients add {} KEY on a server that can open them, or "
                      "holdall secrets keygen --key-file FILE with the recovery key",
                      project.filename(), server.key.text(), server.name));
    }
    project.file.set_recipient(server);
  }
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
  std::deque<Server> servers = servers_at(hosts_of(call.globals));
  for (Server& server : servers) project.file = resealed_by_server(project, true, server);
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
