#pragma once
// The C library hides this behind _GNU_SOURCE, which the Glibc module is built without. The kernel's header has the
// constants, among much that is not needed.
#define RENAME_NOREPLACE (1 << 0)
#define RENAME_EXCHANGE (1 << 1)
int renameat2(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, unsigned int flags);
