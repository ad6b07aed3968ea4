#pragma once

#include "app/findings.h"
#include "app/node.h"

namespace holdall::app {

struct Schema;

/// What becomes of `!reset` and `!override` once they have done their work: a document that is itself laid
/// over others later keeps them.
enum class Tags : std::uint8_t { settle, keep };

/// Lays a document over those before it, each value as the schema says: scalars replace, mappings merge,
/// lists append; commands replace. `!reset` removes, `!override` replaces whole. Null keeps what was there, a
/// command excepted.
void merge(Node& base, Node over, Findings& findings, Tags tags = Tags::settle);

/// The same of one service, over the one that it extends.
void merge_service(Node& base, Node over, Findings& findings);

/// Without tags, and without what was tagged `!reset`.
void settle_tags(Node& node);

/// Of entries of a list that are the same one (two values of a variable, two mounts at one place) the later
/// stays, at the place of the earlier.
void remove_duplicates(Node& root);

}  // namespace holdall::app
