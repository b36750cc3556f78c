// What Swift cannot reach of the system: calls that the C library does not declare and that would need syscall(2), which takes
// a variable number of arguments, and settings in headers that Swift does not import.
#ifndef C_SYSTEM_CALLS_H
#define C_SYSTEM_CALLS_H

#ifdef __linux__
#include <stdint.h>
#include <sys/types.h>

/// openat2(2): opens `path` below `directory` under the rules of `resolve` (linux/openat2.h).
/// Returns a descriptor, or -1 with errno set.
int scp_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);

/// renameat2(2) with RENAME_NOREPLACE: renames unless something has the new name.
/// Returns 0, or -1 with errno set.
int scp_rename_exclusively(int old_directory, const char *old_name, int new_directory, const char *new_name);

/// Whether a descriptor's file is one of procfs, as /proc usually is.
/// Returns 1 or 0, or -1 with errno set.
int scp_is_of_procfs(int descriptor);
#endif

/// Has the C library keep freed memory for reuse, where it can be told to (mallopt(3)).
void scp_keep_freed_blocks(void);

#endif
