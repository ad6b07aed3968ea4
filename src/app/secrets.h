#pragma once

#include <map>
#include <string>
#include <string_view>

#include "app/reader.h"

namespace holdall::app {

/// What of the model says which secrets a service sees, and how. Values of `environment` are templates.
void read_environment(const Reader& environment, Service& service);
void read_secrets(const Reader& files, const std::map<std::string, std::string>& sealed_names,
                  Service& service);

/// Under which name the value of each of the top level's `secrets` is sealed.
std::map<std::string, std::string> sealed_names(const Reader& secrets);

/// The name for a secret that comes from a file: no variable's name is like it.
std::string sealed_name_of_file(std::string_view secret);

}  // namespace holdall::app
