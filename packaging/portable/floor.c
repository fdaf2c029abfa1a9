/* Three functions that only newer versions of glibc have, for a binary that also starts with glibc 2.34.
 *
 * The archives that are linked in call them: libswiftGlibc.a hypotf (a new version in glibc 2.35), libstdc++.a arc4random
 * (2.36) and libgcc_eh.a _dl_find_object (2.35). With these in their place, the newest symbol asked for is of 2.34, which is
 * what Amazon Linux 2023 and RHEL 9 have. None of the three is in the way of a run: the program calls neither of the first
 * two, and throws no C++ exception.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define HIDDEN __attribute__((visibility("hidden")))

/* Both squares and their sum are exact enough in double, and cannot overflow there. */
HIDDEN float hypotf(float x, float y) {
    if (isinf(x) || isinf(y)) return INFINITY;
    return (float)__builtin_sqrt((double)x * x + (double)y * y);
}

HIDDEN uint32_t arc4random(void) {
    uint32_t value;
    if (getentropy(&value, sizeof value) != 0) abort();
    return value;
}

#if __GLIBC_PREREQ(2, 35)

/* What glibc's manual, "Dynamic Linker Introspection", says that it does. */
struct search {
    uintptr_t address;
    struct dl_find_object *result;
};

static int find(struct dl_phdr_info *info, size_t size, void *data) {
    struct search *search = data;
    uintptr_t start = 0, end = 0, eh_frame = 0;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t address = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_GNU_EH_FRAME) eh_frame = address;
        if (header->p_type != PT_LOAD || search->address < address || search->address >= address + header->p_memsz)
            continue;
        start = address;
        end = address + header->p_memsz;
    }
    if (end == 0 || eh_frame == 0) return 0;
    *search->result = (struct dl_find_object){
        .dlfo_map_start = (void *)start, .dlfo_map_end = (void *)end, .dlfo_eh_frame = (void *)eh_frame};
    return 1;
}

HIDDEN int _dl_find_object(void *address, struct dl_find_object *result) {
    struct search search = {(uintptr_t)address, result};
    return dl_iterate_phdr(find, &search) == 1 ? 0 : -1;
}

#endif
