#pragma once
#include <cblas.h>

/* Ends OpenBLAS's own worker threads; declared in no public header. */
void blas_thread_shutdown_(void);
