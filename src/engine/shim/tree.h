#pragma once

namespace holdall::engine {

/// From here on what the shim's descendants leave behind becomes its children: as PID 1 of a namespace (with
/// a /proc and mounts of its own), else as a subreaper. Whether what is mounted from here on is seen here
/// alone.
bool own_tree();

/// Called by the child, first of its session, before it becomes the program: writes the file `tree`, by which
/// control finds the processes of a shim that was killed. Without it the program never ran. False with errno.
bool write_tree(int directory);

/// SIGKILL to every process under the shim. Those that were no children yet become some as their parents die,
/// so that calling it again until there are no children ends them all.
void kill_tree();

}  // namespace holdall::engine
