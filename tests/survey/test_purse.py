"""The budget of a survey: never overdrawn, shared alike by any number of workers, kept to the tick."""

import numpy as np
import pytest

from streamer import stop_rules
from streamer.errors import InputError
from streamer.registry import open_source
from streamer.survey import Dot, run_survey, values_of
from streamer.survey.dots import Count
from streamer.survey.files import write_table
from streamer.survey.purse import FACTOR, KEPT, Purse, look_s, tightened, within
from tests.survey.ends import G2, PLAN, SETTINGS, SHORT, dots, nobody


def test_a_purse_never_deals_more_than_there_is_and_keeps_some_for_every_dot():
    random = np.random.default_rng(5)
    for count in (1, 2, 7, 50):
        for hard in (0.0, 0.5, 1.0):
            purse, used, done = Purse(10.0 * count, count, SETTINGS), 0.0, 0
            while done < count:
                many, allowed = purse.deal()
                assert KEPT * 10 - 0.05 <= allowed <= FACTOR * purse.left_s / purse.left_dots + 1e-9
                for _ in range(many):
                    one = allowed if random.random() < hard else 0.1 * allowed
                    purse.take(one)
                    used, done = used + one, done + 1
            assert done == count
            assert used <= 10.0 * count + 1e-9


def test_what_easy_dots_save_is_for_hard_ones():
    purse = Purse(600.0, 60, SETTINGS)
    _, before = purse.deal()
    for _ in range(30):
        purse.take(0.5)
    _, after = purse.deal()
    assert after > 1.9 * before


def test_a_budget_that_leaves_no_time_to_look_is_refused():
    with pytest.raises(InputError, match=r"--budget 3: is 0.01 s for each of 300 dots.*give \d+ or more"):
        Purse(3.0, 300, SETTINGS)


def test_rules_are_tightened_and_never_loosened():
    tree = {"any": [{"rule": "g2"}, {"rule": "g2", "budget_s": 2.0}, {"not": {"rule": "g2", "budget_s": 60.0}}]}
    found = tightened(tree, 10.0)
    assert [part.get("budget_s") for part in found["any"]] == [10.0, 2.0, None]
    assert found["any"][2] == tree["any"][2]
    assert "budget_s" not in tree["any"][0]
    stop_rules.check(found)
    assert within(SETTINGS, None) is SETTINGS
    assert within(SETTINGS, 5.0).stop["budget_s"] == pytest.approx(5.0 - look_s(SETTINGS))


def test_a_share_is_kept_to_the_tick_whatever_the_rules():
    never = {"all": [{"rule": "g2", "budget_s": 1e3, "give_up": 0.0}, {"not": {"rule": "g2", "give_up": 0.0}}]}
    source = open_source("simulate:single", SHORT)
    count = Count(source.info, SETTINGS.model_copy(update={"stop": never}), 1.23)
    stopped = [count.feed(chunk) for chunk in source.chunks()]
    assert sum(stopped) == 1
    assert count.pipeline.stream_s == pytest.approx(1.23, abs=source.info.tick_s)
    assert count.why.startswith("budget: its share")


def budgeted(workers, told=nobody):
    some = dots(*["simulate:single", "simulate:poisson", "simulate:"] * 6, rate="8000")
    return run_survey(some, PLAN, told, workers=workers, budget_s=40.0)


def test_a_budget_is_kept_and_shared_alike_by_any_number_of_workers(tmp_path):
    heard = []
    one, two = budgeted(1), budgeted(2, heard.append)
    assert one == two
    assert sorted(heard, key=lambda row: row.number) == two
    assert sum(row.used_s for row in one) <= 40.0
    assert all(row.used_s <= row.allowed_s for row in one)
    assert len({row.allowed_s for row in one}) > 3  # what was saved is passed on
    for name, rows in (("one", one), ("two", two)):
        write_table(tmp_path / name, values_of(rows, G2, "", 40.0))
    assert (tmp_path / "one/survey.csv").read_bytes() == (tmp_path / "two/survey.csv").read_bytes()


def test_a_hopeless_dot_is_given_up_before_its_share_is_used():
    some = [Dot(1, "simulate:steady", {"duration": "60", "rate": "3000", "eta_bx": "0.45"})]
    row = run_survey(some, PLAN, nobody, budget_s=30.0)[0]
    assert row.verdict == "undecidable"
    assert row.used_s < 25.0
    assert "below 0.05" in row.reason
