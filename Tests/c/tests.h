/* One function per section of the header, in its order; then what concerns all of it. */
#ifndef TESTS_H
#define TESTS_H

void test_context(void);
void test_model(void);
void test_adapter(void);
void test_prompts(void);
void test_evaluator(void);
void test_settings(void);
void test_plan(void);
void test_rollout(void);
void test_update(void);
void test_optimizer(void);
void test_trainer(void);
void test_tickets(void);
void test_ranks(void);
void test_host_trainer(void);
void test_samples(void);
void test_evaluation(void);
void test_steps(void);
void test_images(void);
void test_struct_sizes(void);
void test_lifetimes(void);
void test_surroundings(void);

#endif
