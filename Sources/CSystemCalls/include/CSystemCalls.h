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

/// Landlock's version in this kernel (landlock_create_ruleset(2)).
/// Returns it, or -1 with errno set: ENOSYS or EOPNOTSUPP where there is none.
int scp_landlock_version(void);

/// Makes rules that forbid the rights of these sets (linux/landlock.h), all of which the kernel must know.
/// Returns a descriptor, or -1 with errno set.
int scp_landlock_create(uint64_t files, uint64_t network, uint64_t scopes);

/// Adds a rule that allows `rights` for the file or directory that `place` is a descriptor of, and all below it.
/// Returns 0, or -1 with errno set.
int scp_landlock_allow(int rules, int place, uint64_t rights);

/// Holds the calling thread, and whatever it starts from now on, to the rules.
/// Returns 0, or -1 with errno set.
int scp_landlock_restrict(int rules);
#endif

/// Has the C library keep freed memory for reuse, where it can be told to (mallopt(3)).
void scp_keep_freed_blocks(void);

#endif
