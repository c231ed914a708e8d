/* The system's libpng.a was not compiled for shared libraries: it reaches for the C library's `stderr` in a way that only a
 * program may. libmixgrpo.so is linked with --wrap=stderr, so that all code in it finds this variable of its own instead,
 * which the loader sets before any code runs. */
#include <stdio.h>

extern FILE _IO_2_1_stderr_; /* glibc's own object behind stderr */

__attribute__((visibility("hidden"))) FILE *__wrap_stderr = &_IO_2_1_stderr_;
