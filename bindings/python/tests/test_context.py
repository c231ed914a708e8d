"""Threads, log, progress and cancel; exceptions and Ctrl-C never cross C."""

import os
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from tree import ROOT


def test_threads_are_those_asked_for(mixgrpo):
    assert mixgrpo.Context(3).threads == 3
    assert mixgrpo.Context().threads >= 1
    with pytest.raises(mixgrpo.InvalidArgumentError, match="threads: expected 0…1024, got 1025"):
        mixgrpo.Context(1025)


def test_the_default_context_is_one(mixgrpo):
    assert mixgrpo.default_context() is mixgrpo.default_context()


def test_progress_counts_up_to_its_total(mixgrpo, context, evaluator, prompts):
    seen = []
    context.progress = seen.append
    evaluator.sample(prompts, [0, 1], mixgrpo.SampleConfig(steps=5))
    assert [report.done for report in seen] == sorted({report.done for report in seen})
    assert {report.stage for report in seen} == {mixgrpo.Stage.SAMPLE}
    assert seen[-1].done == seen[-1].total == 10
    context.progress = None
    evaluator.sample(prompts, [0], mixgrpo.SampleConfig(steps=5))
    assert len(seen) == 5


def test_progress_comes_on_the_thread_that_called(mixgrpo, context, evaluator, prompts):
    threads = set()
    context.progress = lambda _: threads.add(threading.get_ident())
    evaluator.sample(prompts, [0], mixgrpo.SampleConfig(steps=2))
    assert threads == {threading.get_ident()}


def test_cancel_is_sticky_until_it_is_reset(mixgrpo, context, evaluator, prompts):
    context.cancel()
    for _ in range(2):
        with pytest.raises(mixgrpo.CancelledError):
            evaluator.sample(prompts, [0])
    assert context.cancelled
    context.reset_cancel()
    assert evaluator.sample(prompts, [0]).shape == (1, 1, 4, 12)


def test_another_thread_can_cancel(mixgrpo, context, evaluator, prompts):
    begun = threading.Event()
    context.progress = lambda _: begun.set()
    stopper = threading.Thread(target=lambda: (begun.wait(30), context.cancel()))
    stopper.start()
    with pytest.raises(mixgrpo.CancelledError):
        evaluator.sample(prompts, [0] * 64, mixgrpo.SampleConfig(steps=10000))
    stopper.join()


def test_a_cancel_in_progress_stops_the_call(mixgrpo, context, evaluator, prompts):
    context.progress = lambda _: context.cancel()
    with pytest.raises(mixgrpo.CancelledError):
        evaluator.sample(prompts, [0])
    assert context.cancelled


def test_an_exception_in_progress_comes_out_and_is_no_lasting_cancel(mixgrpo, context, evaluator, prompts, capfd):
    def fail(progress):
        if progress.done >= 3:
            raise LookupError("from progress")

    context.progress = fail
    with pytest.raises(LookupError, match="from progress"):
        evaluator.sample(prompts, [0], mixgrpo.SampleConfig(steps=9))
    assert not context.cancelled
    context.progress = None
    assert np.isfinite(evaluator.sample(prompts, [0], mixgrpo.SampleConfig(steps=9))).all()
    assert capfd.readouterr() == ("", "")


def test_an_exception_leaves_the_host_s_own_cancel_in_force(mixgrpo, context, evaluator, prompts):
    def both(_):
        context.cancel()
        raise LookupError

    context.progress = both
    with pytest.raises(LookupError):
        evaluator.sample(prompts, [0])
    assert context.cancelled


def test_the_handler_of_ctrl_c_is_put_back(mixgrpo, evaluator, prompts):
    before = signal.getsignal(signal.SIGINT)
    evaluator.sample(prompts, [0])
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_in_a_long_call_raises_keyboard_interrupt(mixgrpo, context, evaluator, prompts, capfd):
    sent = []
    context.progress = lambda report: sent or (sent.append(report.done), os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        evaluator.sample(prompts, [0], mixgrpo.SampleConfig(steps=10000))
    assert not context.cancelled
    assert evaluator.sample(prompts, [0]).shape == (1, 1, 4, 12)
    assert capfd.readouterr() == ("", "")


def test_a_host_s_own_handler_of_ctrl_c_decides(mixgrpo, context, evaluator, prompts):
    """A handler that raises nothing, as one that sets a flag, stops nothing."""
    received = []
    previous = signal.signal(signal.SIGINT, lambda *_: received.append(1))
    try:
        sent = []
        context.progress = lambda report: sent or (sent.append(1), os.kill(os.getpid(), signal.SIGINT))
        evaluator.sample(prompts, [0], mixgrpo.SampleConfig(steps=5))
    finally:
        signal.signal(signal.SIGINT, previous)
    assert received == [1]


def test_a_process_at_work_stops_on_sigint(mixgrpo):
    """From outside, without any callback of the host's own: the way a terminal sends it."""
    program = textwrap.dedent("""
        import mixgrpo
        model = mixgrpo.Model(mixgrpo.ModelConfig(), context=mixgrpo.Context(1))
        evaluator = mixgrpo.Evaluator(model)
        prompts = mixgrpo.Prompts.hashed_words(["a word"], text_length=16, text_width=64, pooled_width=64)
        print("begun", flush=True)
        try:
            evaluator.sample(prompts, [0], mixgrpo.SampleConfig(steps=10000))
        except KeyboardInterrupt:
            print("stopped", model.context.cancelled)
    """)
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "bindings/python")}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, env=variables, stdout=-1, stderr=-1, text=True, cwd="/") as process:
        assert process.stdout.readline() == "begun\n", process.stderr.read()
        threading.Event().wait(0.5)
        process.send_signal(signal.SIGINT)
        try:
            out, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (out, errors) == ("stopped False\n", "")


def test_a_call_on_another_thread_leaves_signals_alone(mixgrpo, evaluator, prompts):
    results = []
    worker = threading.Thread(target=lambda: results.append(evaluator.sample(prompts, [0]).shape))
    worker.start()
    worker.join()
    assert results == [(1, 1, 4, 12)]


def test_log_lines_reach_their_receiver(mixgrpo, context):
    """The library's own lines are rare; the path they take is tested with one of the test's own."""
    seen = []
    context.log = lambda level, line: seen.append((level, line))
    context._callbacks._c_log(None, 1, "σ is odd".encode())
    assert seen == [(mixgrpo.LogLevel.WARNING, "σ is odd")]
