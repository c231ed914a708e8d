/* Calls every function of mixgrpo.h well and badly. */
#include <stdio.h>

#include "check.h"
#include "tests.h"

int main(void) {
  test_context();
  test_model();
  test_adapter();
  test_prompts();
  test_evaluator();
  test_settings();
  test_plan();
  test_rollout();
  test_update();
  test_optimizer();
  test_trainer();
  test_tickets();
  test_ranks();
  test_host_trainer();
  test_samples();
  test_evaluation();
  test_steps();
  test_images();
  test_struct_sizes();
  test_lifetimes();
  test_surroundings();
  printf("%d checks, %d failures\n", check_count(), check_failures());
  return check_failures() != 0;
}
