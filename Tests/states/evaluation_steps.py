"""Steps of evaluations: samples, scores, the best weights, and their file."""

import canon_evaluation
import canon_host
import fixed
from interface import CANCELLED, INPUT_OUTPUT, INVALID_ARGUMENT, INVALID_STATE, OK, call, library, must


class Evaluation:
    def __init__(self, kind):
        self.kind, self.handle = kind, fixed.new_evaluation(kind)
        self.keeps_best = fixed.EVALUATIONS[kind][2]
        self.history = ()  # (iteration, number, kind) of all scores
        self.waiting = None  # (iteration, weights) of the latest samples
        self.best = None  # weights
        self.has_means = False

    @property
    def latest(self):
        return self.history[-1][0] if self.history else -1


class EvaluationSteps:
    def do_evaluation(self, a, b, c):
        if len(self.evaluations) < 3:
            self.evaluations.append(Evaluation(a % len(fixed.EVALUATIONS)))

    def pick_evaluation(self, a):
        if not self.evaluations:
            self.do_evaluation(a, a, a)
        return self.evaluations[a % len(self.evaluations)]

    def do_evaluate(self, a, b, c):
        """Samples of a trainer with the built-in model."""
        evaluation, trainer = self.pick_evaluation(a), self.pick(b)
        allowed, expected = set(), None
        if evaluation.kind == 2 and "ema_decay" not in trainer.settings:
            allowed.add(INVALID_STATE)
        elif trainer.context.is_cancelled:
            allowed.add(CANCELLED)
        else:
            expected = canon_evaluation.evaluation_samples(trainer.saved_term(), trainer.model.weights, evaluation.kind)
            allowed |= {expected[0]} - {OK}
            self.evaluated(trainer) if evaluation.kind != 2 else None
        self.arm(trainer, c)
        status, samples = canon_evaluation.draw_evaluation(evaluation.handle, trainer.handle, evaluation.kind)
        if self.disarm(trainer) and not trainer.context.cancel.at_end:
            allowed = {CANCELLED}
        if self.judge(status, allowed, f"samples of evaluation {evaluation.kind}"):
            self.same(samples, expected[1], "samples")
            weights = ("average", trainer.saved_term()) if evaluation.kind == 2 else trainer.model.weights
            evaluation.waiting = (trainer.iteration, weights) if evaluation.keeps_best else None
        self.check_trainer(trainer)

    def do_host_evaluate(self, a, b, c):
        evaluation, trainer = self.pick_evaluation(a), self.pick_host(b)
        allowed = {INVALID_STATE} if self.is_updating(trainer) else ()
        if self.judge(
            call("evaluation_begin_sample", evaluation.handle, trainer.handle), allowed, "begin an evaluation"
        ):
            weights, kind = trainer.owner.weights, evaluation.kind
            self.begin_sampling(trainer, fixed.evaluated(kind), lambda: canon_host.evaluation_samples(weights, kind))

    def do_scores(self, a, b, c):
        evaluation = self.pick_evaluation(a)
        waiting = evaluation.waiting[0] if evaluation.waiting and c % 4 else evaluation.latest
        iteration = max(0, waiting + (c % 3 == 0))
        number = b % 16
        scores = fixed.scores_of(number, evaluation.kind)
        scores = scores[: scores.size - (c % 16 == 9)]
        allowed = set()
        if iteration <= evaluation.latest or scores.size < fixed.SCORES * fixed.evaluated(evaluation.kind):
            allowed.add(INVALID_ARGUMENT)
        status, result = canon_evaluation.submit_scores(evaluation.handle, iteration, scores)
        if self.judge(status, allowed, f"scores {number} of iteration {iteration}"):
            evaluation.history = (*evaluation.history, (iteration, number, evaluation.kind))
            evaluation.has_means = True
            self.same(result, canon_evaluation.evaluated(evaluation.history)[0], "result")
            if evaluation.waiting and evaluation.waiting[0] == iteration:
                if dict(result)["is_best"] == "1":
                    evaluation.best = evaluation.waiting[1]
                evaluation.waiting = None
        self.check_evaluation(evaluation)

    def check_evaluation(self, evaluation):
        expected = canon_evaluation.evaluated(evaluation.history)[2] if evaluation.history else (-1, 0)
        self.same(canon_evaluation.read_verdict(evaluation.handle), expected, "verdict")
        for iteration in (0, 1, 2):
            due = library.mixgrpo_evaluation_is_due(evaluation.handle, iteration)
            must(due == (iteration % 2 == 0), f"is due in {iteration}: {due}")

    def do_means(self, a, b, c):
        evaluation = self.pick_evaluation(a)
        status, means = canon_evaluation.read_means(evaluation.handle)
        if self.judge(status, () if evaluation.has_means else {INVALID_STATE}, "means"):
            self.same(means, canon_evaluation.evaluated(evaluation.history)[1], "means")

    def do_best(self, a, b, c):
        """Brings the best weights into a model."""
        evaluation, model = self.pick_evaluation(a), self.models[b % len(self.models)]
        allowed = () if evaluation.best else {INVALID_STATE}
        if self.judge(call("evaluation_get_best", evaluation.handle, model.handle), allowed, "best weights"):
            model.weights = evaluation.best
            self.changed(model)
        self.check_weights(model)

    def do_save_evaluation(self, a, b, c):
        evaluation = self.pick_evaluation(a)
        name = f"evaluation{b % 2}"
        self.judge(call("evaluation_save", evaluation.handle, f"{self.folder}/{name}"), (), "save")
        self.saved_evaluations[name] = (evaluation.kind == 2, evaluation.history, evaluation.best)

    def do_restore_evaluation(self, a, b, c):
        evaluation = self.pick_evaluation(a)
        name = f"evaluation{b % 2}"
        saved = self.saved_evaluations.get(name)
        allowed = set() if saved else {INPUT_OUTPUT}
        if saved and saved[0] != (evaluation.kind == 2):
            allowed = {INVALID_ARGUMENT}
        if self.judge(call("evaluation_restore", evaluation.handle, f"{self.folder}/{name}"), allowed, "restore"):
            evaluation.history = tuple((*entry[:2], evaluation.kind) for entry in saved[1])
            evaluation.best = saved[2] if evaluation.keeps_best else None
            evaluation.waiting, evaluation.has_means = None, False
        self.check_evaluation(evaluation)
