#include "include/CSystemCalls.h"

#include <stdlib.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

void scp_keep_freed_blocks(void) {
#ifdef __GLIBC__
    // In bytes: larger blocks are mapped by themselves; so much may lie free at the end of a heap.
    mallopt(M_MMAP_THRESHOLD, 8 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
    // Heaps, of which each keeps blocks; there are few threads that would meet at one.
    mallopt(M_ARENA_MAX, 2);
#endif
}
