/* The ranks of MPI as a mixgrpo_collective. */
#ifndef MPI_COLLECTIVE_H
#define MPI_COLLECTIVE_H

#include <stddef.h>
#include <stdint.h>

/* Starts MPI, for calls from one thread at a time. Returns 0, or an error of MPI. */
int mpi_ranks_start(int32_t *rank, int32_t *size);

/* Ends MPI. After a failure it ends the processes of all ranks with `status`, because some may wait for this one. */
void mpi_ranks_finish(int status);

/* mixgrpo_all_gather_callback and mixgrpo_all_to_all_callback; `user_data` is not used. They return 0, or an error of MPI. */
int32_t mpi_ranks_all_gather(void *user_data, const void *sent, void *received, size_t bytes);
int32_t mpi_ranks_all_to_all(
    void *user_data, const void *sent, const size_t *sent_bytes, void *received, const size_t *received_bytes);

#endif
