#pragma once

#include <optional>

#include "base/keys.h"
#include "cli/cli.h"
#include "cli/sealed_project.h"

namespace holdall::cli {

// The words of `holdall secrets`; each is a command of its own. None of them prints a value, and none but
// keygen and rotate, for the recovery key, a private key.
int secrets_keygen(Invocation& call);
int secrets_seal(Invocation& call);
int secrets_import(Invocation& call);
int secrets_list(Invocation& call);
int secrets_rotate(Invocation& call);
int secrets_recipients(Invocation& call);

/// Seals every value of the project's file to the recipients that it lists: here with `key`, or else by the
/// server, which opens them. Nothing is asked where there is no value. The file is not saved.
void reseal(SealedProject& project, const std::optional<PrivateKey>& key, const Globals& globals);

}  // namespace holdall::cli
