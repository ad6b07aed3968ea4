#pragma once

namespace holdall::engine {

/// `shim run`: one instance from its start to its end (docs/formats/shim.md). Never restarts its child:
/// control decides. Returns when the whole tree is gone, its output is on the disk and `exit` says how it
/// ended.
int run_instance();

}  // namespace holdall::engine
