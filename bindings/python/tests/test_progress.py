"""How far a training is, on a terminal and elsewhere."""

import io
import os
import pty

import pytest
from small import brightness


class Terminal(io.StringIO):
    """Standard error of a terminal."""

    encoding = "utf-8"

    def isatty(self):
        return True


def screen(text):
    """The lines that a terminal shows; each may be drawn several times."""
    lines = [""]
    column = 0
    for character in text:
        if character == "\n":
            lines.append("")
            column = 0
        elif character == "\r":
            column = 0
        else:
            lines[-1] = lines[-1][:column].ljust(column) + character + lines[-1][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]


@pytest.fixture
def train(mixgrpo, make_trainer, codec, monkeypatch):
    def run(stream, **options):
        monkeypatch.setattr("sys.stderr", stream)
        settings = dict(decode=codec.decode, iterations=3, prompts_per_iteration=1, evaluation=None) | options
        return mixgrpo.train(make_trainer(), brightness, **settings)

    return run


@pytest.mark.parametrize("columns", [100, 40, 12])
def test_a_terminal_shows_one_line(train, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    train(stream)
    lines = screen(stream.getvalue())
    assert len(lines) == 2 and lines[1] == "" and "3/3" in lines[0]
    assert all(len(piece) < columns for piece in stream.getvalue().replace("\n", "\r").split("\r"))
    assert ("█" in lines[0]) == (columns > 12)
    if columns == 100:
        assert "reward 0." in lines[0] and lines[0].endswith("in all")


def test_without_a_terminal_there_are_plain_lines(train, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    for stream in (io.StringIO(), Terminal()):
        train(stream, iterations=20)
        first, *_, last = lines = stream.getvalue().splitlines()
        assert first.startswith("1/20  reward 0.") and first.endswith(" left") and last.startswith("20/20")
        assert len(lines) < 20 and "\r" not in stream.getvalue()


def test_nothing_is_shown_when_none_is_wanted(train):
    stream = Terminal()
    train(stream, progress=False)
    assert stream.getvalue() == ""
    train(None)  # as under pythonw


def test_what_the_host_prints_stands_on_its_own_line(train, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    train(stream, on_iteration=lambda metrics: stream.write(f"mine {metrics.iteration}\n"))
    lines = screen(stream.getvalue())
    assert lines[:3] == ["mine 0", "mine 1", "mine 2"] and "3/3" in lines[3]


def test_the_line_shows_how_far_an_iteration_is(train, monkeypatch, context):
    monkeypatch.setattr("mixgrpo.training.progress._SECONDS_BETWEEN_DRAWS", 0.0)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    stream, own = Terminal(), []
    train(stream)
    drawn = stream.getvalue().split("\r")
    assert any("0/3  sampling 100%" in line for line in drawn) and any("training 50%" in line for line in drawn)
    assert "%" not in screen(stream.getvalue())[0] and context.progress is None
    context.progress = own.append
    train(stream)
    assert own and context.progress == own.append
    context.progress = None


def test_a_resumed_run_says_so(train, tmp_path):
    stream = io.StringIO()
    train(stream, checkpoints=tmp_path)
    train(stream, checkpoints=tmp_path, iterations=4)
    assert "resumed after iteration 3 of 4\n4/4  reward" in stream.getvalue()


def test_the_line_shows_what_evaluations_have_changed(mixgrpo, train, tmp_path):
    stream = io.StringIO()
    train(
        stream, evaluation=mixgrpo.TrainingEvaluation(every=1, held_out={"dark": lambda *given: 1 - brightness(*given)})
    )
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("evaluation at iteration 0: brightness 0.") and "dark [held out] 0." in lines[0]
    assert "(" not in lines[0] and lines[1].split("  ")[2].startswith("evaluated 0.") and lines[-1].count(" (") == 2
    change = float(lines[-1].partition("(")[2].partition(")")[0])
    assert lines[-1].startswith("evaluation at iteration 3: ") and f"({-change:+.3f})" in lines[-1]


def test_a_resumed_run_knows_its_first_evaluation(mixgrpo, train, tmp_path):
    stream = io.StringIO()
    options = dict(checkpoints=tmp_path, evaluation=mixgrpo.TrainingEvaluation(every=2))
    train(stream, **options)
    before = stream.getvalue().splitlines()[-1]
    train(stream, **options, iterations=4)
    resumed = stream.getvalue().partition("resumed after iteration 3 of 4\n")[2]
    assert (
        before.partition("(")[2].partition(")")[0] in resumed.splitlines()[0]
        and "evaluation at iteration 0" not in resumed
    )


def test_an_evaluation_is_shown_unless_nobody_wants_it(train, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("mixgrpo.training.progress._SECONDS_BETWEEN_LINES", 0.0)
    train(stream)
    assert "evaluat" not in stream.getvalue()


def test_a_closed_stream_ends_no_training(train):
    stream = io.StringIO()
    stream.close()
    assert len(train(stream)) == 3


def test_a_terminal_that_is_gone_ends_no_training(train):
    master, slave = pty.openpty()
    stream = os.fdopen(slave, "w")
    os.close(master)
    assert len(train(stream)) == 3


@pytest.mark.parametrize(
    ("value", "text"),
    [(4e-6, "4.00e-06"), (0.5123, "0.512"), (12.34, "12.3"), (1234.5, "1234"), (-0.02, "-0.0200"), (0.0, "0"),
     (-0.0, "0"), (float("nan"), "nan"), (-float("nan"), "nan"), (1e9, "1.00e+09"), (float("-inf"), "-inf")],
)  # fmt: skip
def test_numbers_have_three_significant_digits(mixgrpo, value, text):
    from mixgrpo._numbers import digits

    assert digits(value) == text
