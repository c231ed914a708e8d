"""The page that `train` writes."""

import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import numpy as np
import pytest


class StoppedError(Exception):
    """A stop at an arbitrary place."""


def brightness(images, prompts):
    return images.mean(axis=(1, 2, 3)) / 255


def darkness(images, prompts):
    return 1 - brightness(images, prompts)


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
    from mixgrpo._report_page import parsed

    return parsed(path.read_text())


def test_a_report_shows_curves_and_samples_and_needs_nothing_else(mixgrpo, train, tmp_path):
    evaluation = mixgrpo.TrainingEvaluation(every=2, held_out={"<dark> & 'co'": darkness})
    train(report=tmp_path / "run.html", evaluation=evaluation)
    page = (tmp_path / "run.html").read_text()
    pictures = re.findall(r"<svg.*?</svg>", page)
    titles = [ElementTree.fromstring(picture).get("aria-label") for picture in pictures]
    assert titles[:3] == ["brightness", "<dark> & 'co', held out", "gradient norm"]
    assert not re.search(r'(src|href)="(?!data:)', page) and "http" not in page
    assert page.count("data:image/png;base64,") == 3 * 2
    assert "<th>before<th>after" in page and "a red circle at the left" in page
    data = data_of(tmp_path / "run.html")
    assert [entry["iteration"] for entry in data.iterations] == [0, 1, 2, 3]
    assert [entry["iteration"] for entry in data.evaluations] == [0, 2, 4]
    parser = HTMLParser()
    parser.feed(page)
    parser.close()


def test_a_report_changes_nothing_about_training(train, tmp_path):
    assert np.array_equal(train(report=tmp_path / "run.html"), train())


def test_the_report_of_a_resumed_run_is_that_of_a_whole_one(train, tmp_path):
    def figures(path):
        data = data_of(path)
        for entry in data.iterations:
            del entry["seconds_rollout"], entry["seconds_update"]
        return data

    def stop(metrics):
        if metrics.iteration == 1:
            raise StoppedError

    train(report=tmp_path / "whole.html", checkpoints=tmp_path / "whole")
    with pytest.raises(StoppedError):
        train(report=tmp_path / "parts.html", checkpoints=tmp_path / "parts", on_iteration=stop)
    assert list(data_of(tmp_path / "parts.html").pictures) == ["before"]
    train(report=tmp_path / "parts.html", checkpoints=tmp_path / "parts")
    assert figures(tmp_path / "parts.html") == figures(tmp_path / "whole.html")


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


def test_what_is_too_large_to_draw_is_left_out(mixgrpo):
    from mixgrpo._line_chart import LineChart

    assert LineChart("any", {"series": [(0, 1.5e308), (1, -1.5e308)]}).svg() == ""


def test_a_run_that_is_resumed_with_other_prompts_compares_only_these(mixgrpo, train, tmp_path):
    def options(*prompts):
        evaluation = mixgrpo.TrainingEvaluation(every=1, prompts=prompts)
        return dict(report=tmp_path / "run.html", checkpoints=tmp_path / "run", evaluation=evaluation)

    train(1, **options(0))
    for saved in (tmp_path / "run").glob("evaluation-*"):
        shutil.rmtree(saved)
    train(2, **options(0, 1))
    data = data_of(tmp_path / "run.html")
    assert list(data.pictures) == ["at iteration 1", "after"] and len(data.prompts) == 2
    assert all(len(rows) == 2 for rows in data.pictures.values())


@pytest.mark.parametrize(
    "values", [[0.0], [0.5, 0.5], [1e-300, 2e-300], [-1e9, 1e9], [0, 5e-324], [-1e299, 1e299], list(range(5000)), []]
)
def test_any_series_can_be_drawn(mixgrpo, values):
    from mixgrpo._line_chart import LineChart

    picture = LineChart("any", {"series": list(enumerate(values))}).svg()
    if not values:
        assert picture == ""
        return
    root = ElementTree.fromstring(picture)
    (line,) = root.iter("polyline")
    places = [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]
    assert 1 <= len(places) <= 300
    assert all(60 <= x <= 420 and 40 <= y <= 205 for x, y in places)


@pytest.mark.parametrize(
    "content", [{"iterations": 5}, {"evaluations": [{}]}, {"iterations": [{"iteration": "1"}]}, {"x": 1}]
)
def test_data_of_another_shape_is_refused(mixgrpo, content):
    from mixgrpo._report_page import ReportData, parsed, rendered

    page = rendered(ReportData())
    start = page.index(">", page.index('id="mixgrpo-report"')) + 1
    end = page.index("</script>", start)
    data = json.loads(page[start:end]) | content
    assert parsed(page).iterations == []
    with pytest.raises(ValueError):
        parsed(page[:start] + json.dumps(data) + page[end:])
