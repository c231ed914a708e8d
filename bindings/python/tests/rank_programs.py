"""What the ranks of the tests do; each returns what the test looks at."""

import json

from ranked_runs import Case, iterate, result_of, trainer_of


def cases(rank, count, folder, *texts):
    """Runs each case and gives weights and metrics."""
    found = {}
    for text in texts:
        case = Case(**json.loads(text))
        trainer = trainer_of(case, world=True)
        found[str(case)] = result_of(trainer, iterate(case, trainer))
        trainer.close()
    return found
