#include <fmt/format.h>

#include <algorithm>

#include "api/handlers.h"
#include "base/error.h"
#include "base/seal.h"

namespace holdall::api {
namespace {

AppName app_of(const net::Request& request) { return AppName{request.parameters.at(0)}; }

SealedFile sealed_file(const Json& body) {
  return SealedFile::parse(body.at("sealed").string(), body.string_or("file", "secrets.sealed"));
}

/// The recipient that we are.
Recipient own(const SealedFile& file, const std::string& name, std::span<const PrivateKey> keys) {
  for (const Recipient& one : file.recipients()) {
    if (std::ranges::find(keys, one.key, &PrivateKey::public_key) != keys.end()) return one;
  }
  throw Error(Error::denied,
              fmt::format("{}: none of its recipients is this server: holdall secrets keygen", name));
}

}  // namespace

net::Response Handlers::keys(net::Request& request) {
  Json all = Json::array();
  for (const PrivateKey& key : parts_.keys.keys(app_of(request))) all.add(key.public_key().text());
  return net::json_response(Json::object({{"public_keys", all}}));
}

net::Response Handlers::ensure_key(net::Request& request) {
  PublicKey key = parts_.keys.ensure(app_of(request));
  return net::json_response(Json::object({{"public_key", key.text()}}));
}

net::Response Handlers::check_sealed(net::Request& request) {
  Json names = Json::array();
  AppName app = app_of(request);
  for (const std::string& name : sealed_file(request.json()).openable(app, parts_.keys.keys(app))) {
    names.add(name);
  }
  return net::json_response(Json::object({{"openable", names}}));
}

net::Response Handlers::reseal(net::Request& request) {
  AppName app = app_of(request);
  const Json body = request.json();
  SealedFile file = sealed_file(body);
  std::vector<PrivateKey> keys = parts_.keys.keys(app);
  if (body.boolean_or("rotate", false)) {
    Recipient us = own(file, body.string_or("file", "secrets.sealed"), keys);
    SealedFile(file).reseal(app, keys);  // no key is made for values that do not open
    file.set_recipient({us.name, parts_.keys.make(app)});
  }
  file.reseal(app, keys);
  return net::json_response(Json::object({{"sealed", file.print()}}));
}

}  // namespace holdall::api
