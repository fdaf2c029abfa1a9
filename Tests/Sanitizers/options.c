/* What a sanitizer does with what it finds, linked into every program of a sanitized build: so it does not depend on
 * variables, which tests take away. REPORTS is the path at which reports begin, STATUS an exit status that no test expects.
 */
#include <stdio.h>

#define OPTIONS "exitcode=" STATUS ":log_path=" REPORTS ":log_exe_name=1:print_suppressions=0:external_symbolizer_path=" SYMBOLIZER

const char *__asan_default_options(void) { return OPTIONS ":detect_leaks=1:strict_string_checks=1"; }

const char *__tsan_default_options(void) { return OPTIONS; }

/* None is in the program's own code. Foundation, with which tests read files, loses what it read an empty one into. What the
 * Swift runtime makes once lives as long as the process, but LeakSanitizer does not see it where an enumeration keeps its case in
 * unused bits of the pointer. */
const char *__lsan_default_suppressions(void) { return "leak:readBytesFromFile\nleak:once_slow\n"; }

/* LeakSanitizer stops the program by ptrace(2), which has only one tracer: it fails where strace or the tests' own tracer is
 * already there. */
int __lsan_is_turned_off(void) {
    char line[256];
    int tracer = 1;
    FILE *status = fopen("/proc/self/status", "re");
    if (status == NULL) return 1;
    while (fgets(line, sizeof line, status) != NULL)
        if (sscanf(line, "TracerPid: %d", &tracer) == 1) break;
    fclose(status);
    return tracer != 0;
}
