#pragma once
// The C library hides these behind _GNU_SOURCE, which the Glibc module is built without. The kernel's header has the
// constants.
#include <linux/sched.h>
int unshare(int flags);
int setns(int fd, int nstype);
int pipe2(int pipefd[2], int flags);
