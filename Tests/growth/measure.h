/* What a process holds: growth programs in all languages call this after their first tenth and at their end. */
#ifndef MEASURE_H
#define MEASURE_H

#ifdef __cplusplus
extern "C" {
#endif

/* Prints "held", the bytes in use, the resident bytes, the file descriptors and the threads, on one line. */
void growth_measure(void);

#ifdef __cplusplus
}
#endif
#endif
