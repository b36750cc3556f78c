#include "include/CSystemCalls.h"

#ifdef __linux__
#include <errno.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef SYS_openat2
#define SYS_openat2 437
#endif

int scp_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    // The layout of struct open_how, which older headers do not have.
    struct {
        uint64_t flags, mode, resolve;
    } how = {flags, mode, resolve};
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int scp_rename_exclusively(int old_directory, const char *old_name, int new_directory, const char *new_name) {
    return (int)syscall(SYS_renameat2, old_directory, old_name, new_directory, new_name, 1u);
}

int scp_is_of_procfs(int descriptor) {
    struct statfs system;
    int result;
    do {
        result = fstatfs(descriptor, &system);
    } while (result != 0 && errno == EINTR);
    // PROC_SUPER_MAGIC of linux/magic.h, which not every system has.
    return result != 0 ? -1 : (unsigned int)system.f_type == 0x9fa0u;
}
#endif
