#include "cli/secrets.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/error.h"
#include "cli/options.h"
#include "cli/secret_input.h"
#include "cli/server.h"
#include "cli/subcommands.h"
#include "cli/target.h"
#include "cli/terminal.h"
#include "wire/wire.h"

namespace holdall::cli {
namespace {

constexpr std::array kWords{
    Command{"secrets keygen", "", "make this app's key on the server, and once a recovery key",
            secrets_keygen},
    Command{"secrets seal", "", "seal a value, typed or from stdin", secrets_seal},
    Command{"secrets import", "", "seal every value of an env file, or of BoredBot's configuration",
            secrets_import},
    Command{"secrets list", "", "list names, who can open them, and whether the server can", secrets_list},
    Command{"secrets rotate", "", "give the server a new key and seal every value to it", secrets_rotate},
    Command{"secrets recipients", "", "list who can open the values; add NAME KEY, remove NAME",
            secrets_recipients},
};

Json to_json(const std::vector<Recipient>& recipients) {
  Json all = Json::array();
  for (const Recipient& one : recipients) {
    all.add(Json::object({{"name", one.name}, {"public_key", one.key.text()}}));
  }
  return all;
}

std::string names_of(const std::vector<Recipient>& recipients) {
  std::string names;
  for (const Recipient& one : recipients) names += (names.empty() ? "" : ", ") + one.name;
  return names;
}

/// What every server can open; nothing where one does not answer.
std::optional<std::set<std::string>> openable_by_servers(const SealedProject& project,
                                                         const Globals& globals) {
  std::string target = fmt::format("/v1/apps/{}/sealed/check", wire::percent_encode(project.app().value));
  const Json body = Json::object({{"file", project.filename()}, {"sealed", project.file.print()}});
  std::vector<std::string> all = project.file.names();
  std::set<std::string> names(all.begin(), all.end());
  std::deque<Server> servers = servers_at(hosts_of(globals));
  try {
    for (Server& server : servers) {
      std::set<std::string> openable;
      const Json answer = server.post(target, body);
      for (const Json& name : answer.at("openable").items()) openable.insert(name.string());
      std::erase_if(names, [&](const std::string& name) { return !openable.contains(name); });
    }
    return names;
  } catch (const Error& error) {
    if (error.kind() != Error::missing) throw;
    return std::nullopt;
  }
}

}  // namespace

int secrets(Invocation& call) {
  keep_memory_private();
  return run_word(call, {kWords,
                         "  holdall secrets keygen\n"
                         "  holdall secrets seal DB_PASSWORD\n"
                         "  pwgen -s 40 1 | holdall secrets seal SESSION_KEY"});
}

int secrets_seal(Invocation& call) {
  std::vector<std::string> words;
  Options options(call,
                  "  holdall secrets seal DB_PASSWORD\n"
                  "  pwgen -s 40 1 | holdall secrets seal SESSION_KEY\n"
                  "  holdall secrets seal TLS_KEY < key.pem");
  options.arguments("NAME", words,
                    "its name; the value is asked for, or read from stdin less one newline at the end");
  if (!options.parse()) return 0;
  if (words.empty()) throw Error(Error::invalid, "holdall secrets seal: under which name?");
  const std::string& name = words.front();
  if (words.size() > 1 || name.find('=') != name.npos) {
    throw Error(
        Error::invalid,
        "a value on the command line can be read in the list of processes and in the shell's history, so "
        "it is refused; change it if it is a real one\n  it is asked for, or comes on stdin: holdall "
        "secrets seal NAME < FILE");
  }
  SealedProject project(call.globals);
  project.require();
  std::vector<std::string> there = project.file.names();
  bool is_new = std::ranges::find(there, name) == there.end();
  // What would refuse the value is said before anybody types it.
  project.file.seal(project.app(), name, Secret("a value"));
  Secret value = read_secret(fmt::format("{} of {} (not shown): ", name, project.app().value));
  project.file.seal(project.app(), name, value);
  project.save();
  Terminal(1, call.globals.ansi)
      .line(fmt::format("{} is {} in {} for {}", name, is_new ? "sealed" : "replaced", project.filename(),
                        names_of(project.file.recipients())));
  return 0;
}

int secrets_list(Invocation& call) {
  bool json = false;
  Options options(call, "  holdall secrets list");
  options.flag("--json", json, "print a JSON object");
  if (!options.parse()) return 0;
  SealedProject project(call.globals);
  project.require();
  auto openable = openable_by_servers(project, call.globals);
  std::vector<Problem> faults = project.file.faults();
  std::vector<Recipient> recipients = project.file.recipients();

  Json secrets = Json::array();
  Table table({"NAME", "SERVER"});
  for (const std::string& name : project.file.names()) {
    Json opens = openable ? Json(openable->contains(name)) : Json();
    table.row({name, !openable ? "not asked" : openable->contains(name) ? "can open it" : "cannot open it"});
    secrets.add(Json::object({{"name", name}, {"server_opens", opens}}));
  }
  if (json) {
    Json problems = Json::array();
    for (const Problem& fault : faults) problems.add(text(fault));
    std::fputs(Json::object({{"app", project.app().value},
                             {"file", project.filename()},
                             {"recipients", to_json(recipients)},
                             {"secrets", secrets},
                             {"problems", problems}})
                   .pretty()
                   .c_str(),
               stdout);
    return 0;
  }
  Terminal out(1, call.globals.ansi), errors(2, call.globals.ansi);
  out.line(fmt::format("{} of {}   recipients: {}", project.filename(), project.app().value,
                       names_of(recipients)));
  if (!secrets.items().empty()) std::fputs(table.text().c_str(), stdout);
  for (const Problem& fault : faults) errors.line(errors.paint(Colour::yellow, "warning: ") + text(fault));
  if (!openable) errors.line("no server answers, so it was not asked what it can open");
  return 0;
}

int secrets_recipients(Invocation& call) {
  std::optional<std::string> verb, name, key, key_file;
  bool json = false;
  Options options(call,
                  "  holdall secrets recipients list\n"
                  "  holdall secrets recipients add alice 1c2bqH0e2gk2mB2nC1T9e3n6yq3YgVw1dF8mK9mYfFU=\n"
                  "  holdall secrets recipients remove alice");
  options.argument("add|remove|list", verb, "what to do; list if left out");
  options.argument("NAME", name, "whom");
  options.argument("KEY", key, "their public key");
  options.value("--key-file", key_file, "FILE",
                "open the values here, with this private key (- is stdin), not on the server");
  options.flag("--json", json, "print a JSON object");
  if (!options.parse()) return 0;
  SealedProject project(call.globals);
  project.require();
  Terminal out(1, call.globals.ansi);

  if (!verb || *verb == "list") {
    std::vector<Recipient> all = project.file.recipients();
    Table table({"NAME", "PUBLIC KEY"});
    for (const Recipient& one : all) table.row({one.name, one.key.text()});
    std::fputs((json ? Json::object({{"recipients", to_json(all)}}).pretty() : table.text()).c_str(), stdout);
  } else if (*verb == "add" && name && key) {
    PublicKey added = PublicKey::parse(*key);
    auto there = project.file.recipient(*name);
    if (there && *there != added) {
      throw Error(
          Error::conflict,
          fmt::format("recipient {} has another key: remove it first, or choose another name", *name));
    }
    project.file.set_recipient({*name, added});
    reseal(project, private_key(call, key_file), call.globals);
    project.save();
    out.line(fmt::format("{} can open every value of {} from now on", *name, project.filename()));
  } else if (*verb == "remove" && name && !key) {
    project.file.remove_recipient(*name);
    project.save();
    out.line(
        fmt::format("{} is no recipient of {} any more. What was sealed until now, {} can still open from an "
                    "earlier version of the file: change those values themselves",
                    *name, project.filename(), *name));
  } else {
    throw Error(Error::invalid,
                "holdall secrets recipients: one of: list, add NAME KEY, remove NAME\n  see: holdall secrets "
                "recipients --help");
  }
  return 0;
}

}  // namespace holdall::cli
