#pragma once
// Part of the C library that the Glibc module leaves out.
#include <sys/types.h>
#include <sys/xattr.h>
