#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/server.h"

namespace holdall::kit {

/// `text` so that HTML shows it and obeys nothing in it, inside an element or a quoted attribute.
std::string escape_html(std::string_view text);

net::Response html(std::string body, int status = 200);
net::Response text(std::string body, int status = 200);
/// To `location`, a path or a URL. 303: the browser asks for it with GET, which is right after a form.
net::Response redirect(std::string location, int status = 303);

/// What a form sent.
class Form {
 public:
  explicit Form(std::vector<std::pair<std::string, std::string>> fields) : fields_(std::move(fields)) {}

  const std::string* find(std::string_view name) const;  ///< the first of that name, or nullptr
  const std::string& at(std::string_view name) const;    ///< throws `invalid` naming it when there is none
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// The body of a request, which has to be application/x-www-form-urlencoded; throws `invalid` for another.
Form form(const net::Request& request);

/// GET and HEAD of the files below `directory` at `prefix`: static_files("/static", "public") serves
/// public/a/b.css as /static/a/b.css, and a directory's index.html as the directory. The ETag is of the
/// content; If-None-Match, If-Modified-Since, If-Range and one range are understood. Never outside of the
/// directory: neither through "..", nor through a symbolic link; names that begin with a dot are hidden. The
/// directory is opened now (throws `missing`), so that it stays the same one.
net::Route static_files(std::string_view prefix, const std::string& directory);

}  // namespace holdall::kit
