"""What evaluations draw and judge in fresh objects."""

import canon
import fixed
import numpy as np
from canon import Fresh, digest, remembered
from interface import INVALID_ARGUMENT, OK, _abi, call, destroy, give, must, read, struct, take


def average(trainer):
    """The averaged weights: as an evaluation keeps them."""
    with Fresh(fixed.palette_weights("first", canon.COUNT)) as fresh:
        fresh.become(trainer)
        evaluation = fixed.new_evaluation(2)
        must(draw_evaluation(evaluation, fresh.trainer, 2)[0] == OK, "samples of an evaluation")
        scores, out = fixed.scores_of(0, 2), struct(_abi.EvaluationResult)
        must(
            call("evaluation_submit", evaluation, 0, give(scores), scores.size, out) in (OK, INVALID_ARGUMENT), "scores"
        )
        must(call("evaluation_get_best", evaluation, fresh.model) == OK, "best weights")
        destroy("evaluation", evaluation)
        return fresh.get_weights()


def draw_evaluation(evaluation, trainer, kind):
    out = take(np.float32, fixed.evaluated(kind) * fixed.LATENT)
    status = call("evaluation_sample", evaluation, trainer, out, out.values.size)
    return status, digest(out.values) if status == OK else None


@remembered
def evaluation_samples(trainer, start, kind):
    with Fresh(fixed.palette_weights("first", canon.COUNT)) as fresh:
        fresh.become(trainer)
        fresh.set_weights(start)
        evaluation = fixed.new_evaluation(kind)
        drawn = draw_evaluation(evaluation, fresh.trainer, kind)
        destroy("evaluation", evaluation)
        return drawn


@remembered
def evaluated(history):
    """The result, the means and the verdict after scores: history is ((iteration, number, kind), ...), with one kind."""
    evaluation, result = fixed.new_evaluation(history[0][2]), None
    for iteration, number, kind in history:
        status, result = submit_scores(evaluation, iteration, fixed.scores_of(number, kind))
        must(status == OK, "scores")
    means, verdict = read_means(evaluation)[1], read_verdict(evaluation)
    destroy("evaluation", evaluation)
    return result, means, verdict


def submit_scores(evaluation, iteration, scores):
    out = struct(_abi.EvaluationResult)
    status = call("evaluation_submit", evaluation, iteration, give(scores), scores.size, out)
    if status != OK:
        return status, None
    result = read(_abi.EvaluationResult, out)
    return status, tuple((name, repr(getattr(result, name))) for name, _ in result._fields_)


def read_means(evaluation):
    out = take(np.float64, fixed.SCORES)
    status = call("evaluation_get_means", evaluation, out, fixed.SCORES)
    return status, repr(out.values.tolist()) if status == OK else None


def read_verdict(evaluation):
    iteration, verdict = take(np.int64, 1), take(np.int32, 1)
    must(call("evaluation_get_verdict", evaluation, iteration, verdict) == OK, "verdict")
    return int(iteration.values[0]), int(verdict.values[0])


canon.average = average
