"""The page that `train` writes."""

import json
import os
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from small import StoppedError, brightness, darkness


@pytest.fixture
def train(mixgrpo, model, make_trainer, codec):
    start = model.weights.read()

    def run(iterations=4, **options):
        model.weights.write(start)
        trainer = make_trainer(learning_rate=3e-3)
        settings = dict(decode=codec.decode, prompts_per_iteration=2, progress=False) | options
        mixgrpo.train(trainer, brightness, iterations=iterations, **settings)
        return model.weights.read()

    return run


def data_of(path):
    from mixgrpo.training.report_page import parsed

    return parsed(path.read_text())


@pytest.fixture(scope="module")
def look():
    """Opens a page in a headless Chromium and answers what a JavaScript expression finds in it."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None and not os.environ.get("CI"):
        pytest.skip("Chromium is not here")
    sys.path.append(str(Path(__file__).parents[3] / "Tests" / "compare"))
    from browser import Browser

    with Browser(executable) as browser:

        def answer(path, expression, *, width=1280, dark=False):
            browser.show(path, width=width, height=900, dark=dark)
            return browser.ask(expression)

        yield answer


TITLES = "[...document.querySelectorAll('.chart figcaption')].map(title => title.textContent)"


def test_a_report_shows_curves_and_samples_and_needs_nothing_else(mixgrpo, train, tmp_path, look):
    path = tmp_path / "<run>.html"
    evaluation = mixgrpo.TrainingEvaluation(every=2, held_out={"<dark> & 'co'": darkness})
    train(report=path, evaluation=evaluation)
    page = path.read_text()
    assert not re.search(r'(src|href)="(?!data:)', page) and "http:" not in page.replace(
        "http://www.w3.org/2000/svg", ""
    )
    parser = HTMLParser()
    parser.feed(page)
    parser.close()
    data = data_of(path)
    assert [entry["iteration"] for entry in data.iterations] == [0, 1, 2, 3]
    assert [entry["iteration"] for entry in data.evaluations] == [0, 2, 4]
    assert [entry["iteration"] for entry in data.pictures] == [0, 2, 4] and data.state == "finished"
    assert look(path, TITLES)[:3] == ["brightness", "<dark> & 'co', held out", "share of clipped ratios"]
    assert look(path, "document.querySelector('h1').textContent") == "<run>"
    assert look(path, "document.querySelector('.prompt h3').textContent") == "a red circle at the left"
    assert look(path, "document.querySelector('details').textContent").count("noise_level") == 1


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_a_report_fits_the_screen_and_the_scheme(mixgrpo, train, tmp_path, look, width, dark):
    path = tmp_path / "run.html"
    train(2, report=path, evaluation=mixgrpo.TrainingEvaluation(every=1))
    options = dict(width=width, dark=dark)
    assert look(path, "document.documentElement.scrollWidth - innerWidth", **options) <= 0
    broken = "[...document.images].filter(image => !image.complete || !image.naturalWidth).length"
    assert look(path, broken, **options) == 0 and look(path, "document.images.length", **options) > 6
    paper = look(path, "getComputedStyle(document.body).backgroundColor", **options)
    assert (paper == "rgb(21, 23, 26)") is dark
    assert look(path, "performance.getEntriesByType('resource').length", **options) == 0


def test_pictures_of_any_iteration_are_compared_with_the_first(mixgrpo, train, tmp_path, look):
    path = tmp_path / "run.html"
    train(2, report=path, evaluation=mixgrpo.TrainingEvaluation(every=1))
    rows = {entry["iteration"]: entry["rows"] for entry in data_of(path).pictures}
    compared = "[...document.querySelectorAll('.pair')[0].children].map(image => image.src.split(',')[1])"
    assert look(path, compared) == [rows[0][0][0], rows[2][0][0]]
    press = "document.querySelectorAll('.moments button')[0].click(), " + compared
    assert look(path, press) == [rows[0][0][0], rows[1][0][0]]
    slide = "(() => { const slider = document.querySelector('input'); slider.value = 20; "
    slide += "slider.dispatchEvent(new Event('input')); "
    assert (
        look(path, slide + "return getComputedStyle(document.querySelectorAll('.pair img')[1]).clipPath; })()")
        == "inset(0px 0px 0px 20%)"
    )


def test_a_report_changes_nothing_about_training(train, tmp_path):
    assert np.array_equal(train(report=tmp_path / "run.html"), train())


def test_the_report_of_a_resumed_run_is_that_of_a_whole_one(train, tmp_path):
    def figures(path):
        data = data_of(path)
        del data.title
        for entry in data.iterations:
            del entry["seconds_rollout"], entry["seconds_update"]
        return data

    def stop(metrics):
        if metrics.iteration == 1:
            raise StoppedError

    train(report=tmp_path / "whole.html", checkpoints=tmp_path / "whole")
    with pytest.raises(StoppedError):
        train(report=tmp_path / "parts.html", checkpoints=tmp_path / "parts", on_iteration=stop)
    assert [entry["iteration"] for entry in data_of(tmp_path / "parts.html").pictures] == [0]
    assert data_of(tmp_path / "parts.html").state == "stopped"
    train(report=tmp_path / "parts.html", checkpoints=tmp_path / "parts")
    assert vars(figures(tmp_path / "parts.html")) == vars(figures(tmp_path / "whole.html"))


def test_a_file_that_is_no_report_is_kept(mixgrpo, train, tmp_path):
    path = tmp_path / "thesis.html"
    for content in ("<html>my thesis", '<script type="application/json" id="mixgrpo-report">{}</script>'):
        path.write_text(content)
        with pytest.raises(mixgrpo.InvalidFormatError, match="report: expected a new file or the report of an earlier"):
            train(report=path)
        assert path.read_text() == content
    with pytest.raises(mixgrpo.InputOutputError, match="nowhere"):
        train(report=tmp_path / "nowhere" / "run.html")


def test_a_new_run_begins_a_new_report(train, tmp_path):
    for _ in range(2):
        train(2, report=tmp_path / "run.html")
        assert len(data_of(tmp_path / "run.html").iterations) == 2


def test_figures_that_are_no_numbers_leave_a_whole_page(mixgrpo, train, tmp_path):
    nothing = mixgrpo.TrainingEvaluation(every=1, held_out={"none": lambda images, prompts: [np.nan] * len(images)})
    train(1, report=tmp_path / "run.html", evaluation=nothing)
    page = (tmp_path / "run.html").read_text()
    assert (
        "NaN" not in page
        and "nan" not in page
        and data_of(tmp_path / "run.html").evaluations[0]["means"]["none"] is None
    )


def test_a_run_that_is_resumed_with_other_prompts_compares_only_these(mixgrpo, train, tmp_path):
    def options(*prompts):
        evaluation = mixgrpo.TrainingEvaluation(every=1, prompts=prompts)
        return dict(report=tmp_path / "run.html", checkpoints=tmp_path / "run", evaluation=evaluation)

    train(1, **options(0))
    for saved in (tmp_path / "run").glob("evaluation-*"):
        shutil.rmtree(saved)
    train(2, **options(0, 1))
    data = data_of(tmp_path / "run.html")
    assert [entry["iteration"] for entry in data.pictures] == [1, 2] and len(data.prompts) == 2
    assert all(len(entry["rows"]) == 2 for entry in data.pictures)


SERIES = [
    [0.0],
    [0.5, 0.5],
    [1e-300, 2e-300],
    [-1e9, 1e9],
    [0, 5e-324],
    [-1e299, 1e299],
    list(range(5000)),
    [],
    [1.5e308, None],
]


def test_any_series_can_be_drawn(mixgrpo, tmp_path, look):
    from mixgrpo.training.report_page import ReportData, rendered

    path = tmp_path / "run.html"
    for values in SERIES:
        entries = [{"iteration": index, "means": {"any": value}} for index, value in enumerate(values)]
        path.write_text(rendered(ReportData(state="finished", evaluations=entries)))
        lines = look(path, "[...document.querySelectorAll('polyline')].map(line => line.getAttribute('points'))")
        assert len(lines) == (0 if not values or values[-1] is None else 1), values
        for line in lines:
            places = [tuple(map(float, pair.split(","))) for pair in line.split(" ")]
            assert 1 <= len(places) <= 300
            assert all(55 <= x <= 420 and 5 <= y <= 185 for x, y in places), values


def test_a_long_run_keeps_the_first_the_latest_and_some_pictures_between(mixgrpo):
    from mixgrpo.training.report_page import ReportData

    data = ReportData()
    for iteration in range(100):
        data.add_pictures(iteration, [[str(iteration)]])
        kept = [entry["iteration"] for entry in data.pictures]
        assert kept[0] == 0 and kept[-1] == iteration and kept == sorted(set(kept)) and len(kept) <= 9
        assert iteration < 9 or len(kept) >= 5


@pytest.mark.parametrize(
    "content", [{"iterations": 5}, {"evaluations": [{}]}, {"iterations": [{"iteration": "1"}]}, {"x": 1}, {"title": 1}]
)
def test_data_of_another_shape_is_refused(mixgrpo, content):
    from mixgrpo.training.report_page import ReportData, parsed, rendered

    page = rendered(ReportData())
    start = page.index(">", page.index('id="mixgrpo-report"')) + 1
    end = page.index("</script>", start)
    data = json.loads(page[start:end]) | content
    assert parsed(page).iterations == []
    with pytest.raises(ValueError):
        parsed(page[:start] + json.dumps(data) + page[end:])
