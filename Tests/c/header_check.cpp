// The header alone, as C++17.
#include "mixgrpo.h"
#include "mixgrpo.h"

static_assert(sizeof(mixgrpo_status) == 4, "a status is an int32_t");

int main() {
  const mixgrpo_status status = MIXGRPO_STATUS_INTERNAL;
  return status == -9 && mixgrpo_abi_version() == MIXGRPO_ABI_VERSION ? 0 : 1;
}
