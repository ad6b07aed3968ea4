#pragma once

#include <vector>

#include "base/time.h"
#include "net/address.h"
#include "net/url.h"

namespace holdall::net {

/// The addresses of a URL's host, in the order in which to try them; never none. A literal costs no look-up.
/// Throws `busy` when there is none or they are not known by the deadline.
std::vector<Address> resolve(const Url& url, Deadline deadline);

}  // namespace holdall::net
