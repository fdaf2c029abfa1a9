#pragma once
// Parts of the C library and the kernel's headers that the Glibc module leaves out. It withholds fork, and ptrace is
// variadic in the C library's header, which Swift cannot call: both are declared here by the C library's symbols.
#include <sys/types.h>
#include <asm/unistd.h>
#include <linux/ptrace.h>
pid_t ct_fork(void) __asm__("fork");
long ct_ptrace(long request, pid_t process, unsigned long address, unsigned long data) __asm__("ptrace");
const char *strerrorname_np(int error);
