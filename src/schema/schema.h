#pragma once

#include <span>

#include "store/store.h"

namespace holdall {

/// Holdall's own tables: the numbered files src/schema/NNNN_name.sql, in order. Forward only; a file that a
/// release has carried is never changed.
std::span<const store::Migration> schema();

}  // namespace holdall
