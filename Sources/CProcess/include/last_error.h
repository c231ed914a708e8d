#ifndef MIXGRPO_LAST_ERROR_H
#define MIXGRPO_LAST_ERROR_H

#pragma GCC visibility push(hidden)

/* The text of this thread's last error, never NULL; valid until one of the functions below is called on this thread. */
const char *mixgrpo_error_text(void);

/* Replaces the text by one from malloc, which is freed when it is replaced or the thread ends; NULL for no text. */
void mixgrpo_error_set(char *text);

/* Replaces the text by one that lives as long as the process. A signal handler may call this at any moment, also while the
 * thread that it interrupts is inside one of the other functions. */
void mixgrpo_error_set_constant(const char *text);

#pragma GCC visibility pop

#endif
