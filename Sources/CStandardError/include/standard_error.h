/* Nothing to call: see standard_error.c. */
