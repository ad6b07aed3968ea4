#pragma once

#include <string>

#include "net/http.h"
#include "net/server.h"

namespace holdall::net {

/// What came of a handler: its answer, errors included, and what the request's record shall bear.
struct Outcome {
  Response response;
  std::string fault = {};
  Json fields = Json::object();
};

/// Never throws. Whatever is logged meanwhile bears the request's id.
Outcome run_handler(const Route& route, Request& request);

/// A record of the request with this head, from an address that may be empty. Its id is the caller's if that
/// can go into a log and a header, else a new one.
RequestRecord begin_record(const http::Head& head, const std::string& remote);

}  // namespace holdall::net
