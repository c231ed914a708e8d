"""A person as the reward: votes through the page's protocol, repeated votes, strangers, late votes."""

import http.client
import json
import math
import socket
import threading
import time
import urllib.parse

import numpy as np
import pytest

IMAGES = (np.arange(4)[:, None, None, None] * np.ones((4, 4, 4, 3)) * 40).astype(np.uint8)
PROMPTS = ["a <b>cat</b>"] * 4


class Page:
    """A program in place of the page."""

    def __init__(self, reward):
        self.reward = reward

    @property
    def address(self):
        for _ in range(6000):
            if self.reward.address:
                return self.reward.address
            time.sleep(0.01)
        raise AssertionError("no page")

    def request(self, path, method="GET", body=None, **headers):
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(self.address, path))
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
        try:
            connection.request(
                method, parts.path, body, {name.replace("_", "-"): text for name, text in headers.items()}
            )
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def state(self):
        status, body = self.request("state")
        assert status == 200
        return json.loads(body)

    def post(self, path, content, **headers):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        status, answer = self.request(path, "POST", body, **{"Content_Type": "application/json", **headers})
        return status, json.loads(answer) if answer.startswith(b"{") else answer

    def group(self):
        for _ in range(6000):
            if group := self.state()["group"]:
                return group["id"]
            time.sleep(0.01)
        raise AssertionError("no group")

    def vote(self, **vote):
        return self.post("vote", {"group": self.group(), **vote})


@pytest.fixture
def asking(mixgrpo):
    """Calls a reward on a thread of its own: the page that votes, and a function that waits for the scores."""
    threads = []

    def ask(reward, images=IMAGES, prompts=PROMPTS):
        outcome = []

        def call():
            try:
                outcome.append(reward(images, prompts))
            except mixgrpo.MixGRPOError as error:
                outcome.append(error)

        thread = threading.Thread(target=call)
        threads.append(thread)
        thread.start()

        def answer():
            thread.join(20)
            assert outcome, "the reward does not return"
            return outcome[0]

        return Page(reward), answer

    yield ask
    for thread in threads:
        thread.join(20)


@pytest.fixture
def reward_of(mixgrpo, monkeypatch):
    """Makes rewards; no page is waited for at the end."""
    monkeypatch.setattr("mixgrpo.person_reward._SECONDS_FOR_PICTURES", 0)
    rewards = []

    def make(**settings):
        rewards.append(mixgrpo.PersonReward(**{"undo_seconds": 0, "announce": print, **settings}))
        return rewards[-1]

    yield make
    for reward in rewards:
        reward._session.stop()  # frees a call that a failed test leaves behind
        reward._session._seen.set()
        reward.close()


@pytest.fixture
def person(reward_of):
    return reward_of()


@pytest.mark.parametrize(
    ("vote", "scores"),
    [
        ({"favourites": [1]}, [1 / 3, 1, 1 / 3, 1 / 3]),
        ({"stars": [1, None, 5, 3]}, [0, math.nan, 1, 0.5]),
        ({"pairs": [[0, 1], [1, 0]]}, [0.5, 0.5, math.nan, math.nan]),
        ({"skipped": True}, [math.nan] * 4),
    ],
)
def test_votes_become_scores(person, asking, vote, scores):
    page, answer = asking(person)
    assert page.vote(**vote)[0] == 200
    np.testing.assert_array_equal(answer(), scores)


def test_groups_of_several_prompts_are_asked_one_after_another(person, asking):
    page, answer = asking(person, np.concatenate([IMAGES, IMAGES]), [*PROMPTS, *["a dog"] * 4])
    first = page.group()
    page.vote(favourites=[0])
    assert page.group() != first
    page.vote(favourites=[3])
    np.testing.assert_allclose(answer(), [1, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1])


def test_group_size_separates_groups_of_equal_prompts(reward_of, asking):
    reward = reward_of(group_size=2)
    page, answer = asking(reward)
    page.vote(favourites=[0])
    page.vote(favourites=[1])
    np.testing.assert_array_equal(answer(), [1, 0, 0, 1])


def test_a_person_takes_a_vote_back_until_the_model_learns(reward_of, asking):
    reward = reward_of(undo_seconds=0.4)
    page, answer = asking(reward)
    group = page.group()
    assert page.vote(favourites=[0])[1]["undo"] == group
    assert page.post("vote", {"group": group, "favourites": [1]})[0] == 409
    assert page.post("undo", {"group": group})[1]["group"]["id"] == group
    page.vote(favourites=[2])
    assert answer()[2] == 1
    assert page.post("undo", {"group": group})[0] == 409
    page, answer = asking(reward)
    page.group()
    assert page.post("vote", {"group": group, "favourites": [1]})[0] == 409
    assert page.post("vote", {"group": group + 9, "favourites": [1]})[0] == 400
    page.vote(favourites=[1])
    answer()


def test_stored_votes_need_no_person(reward_of, mixgrpo, asking, tmp_path):
    votes = tmp_path / "votes.jsonl"
    reward = reward_of(votes=votes, undo_seconds=0.2)
    page, answer = asking(reward)
    group = page.group()
    page.vote(favourites=[3])
    page.post("undo", {"group": group})
    page.vote(favourites=[0, 1])
    scores = answer()
    lines = [json.loads(line) for line in votes.read_text().splitlines()]
    assert [line.get("undone") for line in lines] == [None, True, None] and lines[2]["favourites"] == [0, 1]
    repeated = mixgrpo.PersonReward(votes=votes)
    np.testing.assert_array_equal(repeated(IMAGES, PROMPTS), scores)
    assert repeated.address is None
    assert repeated._session.needs_person([("a dog", IMAGES)])


@pytest.mark.parametrize("line", ['{"prompt": "a', "[]", '{"prompt": "a"}', "[" * 9000])
def test_a_torn_file_of_votes_is_refused_with_its_line(mixgrpo, tmp_path, line):
    (tmp_path / "votes.jsonl").write_text(line + "\n")
    with pytest.raises(mixgrpo.InvalidFormatError, match="line 1: expected a vote"):
        mixgrpo.PersonReward(votes=tmp_path / "votes.jsonl")


def test_strangers_get_nothing(person, asking):
    page, answer = asking(person)
    for path in ("/", "/state", "/0123456789abcdef0123456789abcdef/state"):
        assert page.request(path)[0] == 404
    assert page.request("state", Host="evil.example")[0] == 403
    assert page.request("state", Host="localhost:9")[0] == 200
    vote = {"group": page.group(), "favourites": [0]}
    assert page.post("vote", vote, Origin="http://evil.example")[0] == 403
    assert page.post("vote", vote, Content_Type="text/plain")[0] == 415
    assert page.state()["votes"] == 0
    page.vote(favourites=[0])
    answer()


def test_bodies_that_are_no_votes_are_refused(person, asking):
    page, answer = asking(person)
    group = page.group()
    for body in (b"", b"null", b"{", b"[" * 9000, b'{"group": true}', b'{"group": 1, "favourites": [true]}'):
        assert page.post("vote", body)[0] == 400
    for vote in ({}, {"favourites": []}, {"favourites": [0, 1, 2, 3]}, {"stars": [9, 1, 1, 1]}, {"pairs": [[0, 0]]}):
        assert page.post("vote", {"group": group, **vote})[0] == 400
    assert page.request("vote", "POST", None, Content_Type="application/json", Content_Length="1073741824")[0] == 413
    page.vote(favourites=[0])
    answer()


def test_the_page_is_the_same_file_as_the_commands(person, asking):
    page, answer = asking(person)
    status, body = page.request("")
    assert status == 200 and b"Teach a model your taste" in body
    assert page.request(f"picture/{page.group()}/3")[1].startswith(b"\x89PNG")
    assert page.request(f"picture/{page.group()}/4")[0] == 404
    page.vote(favourites=[0])
    answer()


def test_a_person_ends_the_run(mixgrpo, person, asking):
    page, answer = asking(person)
    page.group()
    assert page.post("stop", {})[0] == 200
    assert isinstance(answer(), mixgrpo.CancelledError)


def test_a_port_in_use_is_named(mixgrpo):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(mixgrpo.InputOutputError, match=f"choose another than {port}"):
            mixgrpo.PersonReward(port=port)(IMAGES, PROMPTS)


def test_progress_and_results_are_shown(reward_of, asking, tmp_path):
    reward = reward_of(votes=tmp_path / "votes.jsonl")
    reward.show_progress(IMAGES, ["a cat", "a dog"])
    page, answer = asking(reward)
    page.vote(favourites=[0])
    answer()
    reward.show_progress(255 - IMAGES, ["a cat", "a dog"])
    state = page.state()
    assert state["grids"] == [0, 1] and state["change"] > 0.2 and state["grid_prompts"] == ["a cat", "a dog"]
    assert page.request("grid/1")[1].startswith(b"\x89PNG") and page.request("grid/7")[0] == 404
    closing = threading.Thread(target=reward.close, kwargs={"model": tmp_path})
    closing.start()
    results = None
    while closing.is_alive() and results is None:
        results = page.state().get("results")
    closing.join(20)
    assert results == {"model": str(tmp_path), "votes": str(tmp_path / "votes.jsonl")}


def test_training_learns_from_votes_and_repeats_them(
    reward_of, mixgrpo, model, evaluator, prompts, sampling, codec, asking, tmp_path
):
    """With a thread that scores the next prompt is drawn while the person votes."""

    def trained(reward, **options):
        model.weights.write(start)
        trainer = mixgrpo.Trainer(evaluator, prompts, sampling, mixgrpo.LearningConfig(updates_per_iteration=2))
        mixgrpo.train(
            trainer, reward, decode=codec.decode, iterations=2, prompts_per_iteration=2, score_workers=1, progress=False,
            **options,
        )  # fmt: skip
        return model.weights.read()

    start = model.weights.read()
    votes = tmp_path / "votes.jsonl"
    reward = reward_of(votes=votes)
    done = threading.Event()

    def person():
        while not done.is_set():
            if reward.address and (group := Page(reward).state()["group"]):
                Page(reward).post("vote", {"group": group["id"], "favourites": [1]})
            time.sleep(0.01)

    thread = threading.Thread(target=person)
    thread.start()
    try:
        weights = trained(reward)
        state = Page(reward).state()
        assert len(state["grids"]) == 2 and state["change"] > 0 and len(state["grid_prompts"]) == 3
    finally:
        done.set()
        thread.join()
    assert len(votes.read_text().splitlines()) == 4
    assert not np.array_equal(weights, start)
    repeated = mixgrpo.PersonReward(votes=votes)
    assert np.array_equal(trained(repeated, evaluation=None), weights) and repeated.address is None


@pytest.mark.parametrize(
    "wrong", [{"kind": "likes"}, {"port": 70000}, {"undo_seconds": -1}, {"group_size": 1}, {"iterations": -1}]
)
def test_settings_are_checked(mixgrpo, wrong):
    with pytest.raises(mixgrpo.InvalidArgumentError, match=next(iter(wrong))):
        mixgrpo.PersonReward(**wrong)


def test_scores_are_those_of_the_library(mixgrpo):
    np.testing.assert_array_equal(mixgrpo.scores_from_ratings([1, 3, 3, np.nan]), [0, 0.75, 0.75, np.nan])
    scores = mixgrpo.scores_from_pairs([(0, 1)], 3)
    assert scores[0] > 0.5 > scores[1] and np.isnan(scores[2])
    with pytest.raises(mixgrpo.InvalidArgumentError):
        mixgrpo.scores_from_pairs([(0, 0)], 2)
    with pytest.raises(mixgrpo.InvalidArgumentError):
        mixgrpo.scores_from_ratings([np.inf])
