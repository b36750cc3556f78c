#include "include/CSystemCalls.h"

#ifdef __linux__
#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// The same numbers on every architecture, which older headers do not have.
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

int scp_landlock_version(void) {
    // LANDLOCK_CREATE_RULESET_VERSION
    return (int)syscall(SYS_landlock_create_ruleset, 0, 0, 1u);
}

int scp_landlock_create(uint64_t files, uint64_t network, uint64_t scopes) {
    // struct landlock_ruleset_attr; a kernel that does not know the last fields takes them as long as they are 0.
    struct {
        uint64_t files, network, scopes;
    } attributes = {files, network, scopes};
    return (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0u);
}

int scp_landlock_allow(int rules, int place, uint64_t rights) {
    // struct landlock_path_beneath_attr, of LANDLOCK_RULE_PATH_BENEATH.
    struct {
        uint64_t rights;
        int32_t place;
    } __attribute__((packed)) attributes = {rights, place};
    return (int)syscall(SYS_landlock_add_rule, rules, 1, &attributes, 0u);
}

int scp_landlock_restrict(int rules) {
    // Without this only a process with CAP_SYS_ADMIN may restrict itself.
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    return (int)syscall(SYS_landlock_restrict_self, rules, 0u);
}
#endif
