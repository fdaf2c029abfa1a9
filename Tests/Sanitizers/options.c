/* What a sanitizer does with what it finds, linked into every program of a sanitized build: so it does not depend on
 * variables, which tests take away. REPORTS is the path at which reports begin, STATUS an exit status that no test expects.
 */
#include <stdio.h>
#include <string.h>

#define OPTIONS "exitcode=" STATUS ":log_path=" REPORTS ":log_exe_name=1:external_symbolizer_path=" SYMBOLIZER

const char *__asan_default_options(void) { return OPTIONS ":detect_leaks=1:strict_string_checks=1"; }

const char *__tsan_default_options(void) { return OPTIONS; }

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
