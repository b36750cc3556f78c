#include "include/CSystemCalls.h"

#ifdef __linux__
#include <sys/syscall.h>
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
#endif
