/* The header alone, as C99. Structs have no holes: see struct_layout.c. */
#include "mixgrpo.h"
#include "mixgrpo.h"

int header_is_c99(void) { return MIXGRPO_STATUS_OK; }
