"""The table of `make bench-torch`."""

import pytest
from tree import ROOT


@pytest.fixture
def results(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples/lab/benchmark"))
    import results

    return results


def turn(side, number, seconds):
    measured = {"seconds": seconds, "seconds_rollout": seconds, "seconds_update": seconds}
    counted = {"operations": 2e9, "operations_rollout": 1e9, "operations_update": 1e9, "operations_recalled": 0}
    return {"side": side, "round": number, "peak_bytes": 1 << 20, **measured, **counted}


def test_bfloat16_is_compared_with_the_faster_of_pytorchs_ways_round_by_round(results):
    seconds = {
        "ours": (2, 20),
        "ours-bf16": (1, 10),
        "compile": (5, 50),
        "compile-autocast": (4, 40),
        "compile-bf16": (3, 30),
    }
    turns = [turn(side, number, each) for side, both in seconds.items() for number, each in enumerate(both)]
    summary = results.summarize([{"model": "S", "case": "forward12", "turns": turns}], peak=1, half_peak=2)
    summary |= {"processor": "one", "threads": 1}
    row = results.half_precision(summary)[-1]
    assert row.endswith("| 3.00 × | 2.00 × |")
    assert row in results.markdown(summary)
    assert summary["ratios"] == {"S_forward12": 2.5}
    sides = summary["rows"][0]["sides"]
    assert "share_of_peak" not in sides["compile-bf16"]
    # 2 GFLOP in a median of 11 s, and in one of 5.5 s against twice the peak.
    assert sides["ours"]["share_of_peak"] == pytest.approx(2 / 11)
    assert sides["ours-bf16"]["share_of_peak"] == pytest.approx(2 / 5.5 / 2)


def test_the_table_says_which_way_of_pytorch_failed_and_why(results):
    turns = [turn(side, 0, 2) for side in ("ours", "ours-bf16", "compile", "compile-autocast")]
    summary = results.summarize([{"model": "S", "case": "forward12", "turns": turns}], peak=1, half_peak=2)
    summary |= {"processor": "one", "threads": 1, "left_out": ["S, compile-bf16: no compiler"]}
    assert results.half_precision(summary)[-1].endswith("| – | 1.00 × | 1.00 × |")
    assert "S, compile-bf16: no compiler" in results.markdown(summary).splitlines()[-1]
