#include "scenario.h"

const scenario_entry scenarios[] = {
    {"settings", run_settings}, {"plan", run_plan}, {"model", run_model}, {"evaluator", run_evaluator},
    {"built-in", run_built_in}, {"by hand", run_by_hand}, {"trainer", run_trainer}, {"checkpoints", run_checkpoints},
    {"tickets", run_tickets}, {"ranks", run_ranks}, {"local ranks", run_local_ranks}, {"evaluation", run_evaluation}, {"host", run_host},
    {"images", run_images},
};
const int scenario_count = sizeof scenarios / sizeof *scenarios;
