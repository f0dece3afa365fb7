"""Some thousand damaged recordings over all readers; `make fuzz` runs 100 000 and watches memory and time."""

import pytest

from tests.sources.fuzzing import Fuzz


@pytest.fixture(scope="module")
def fuzz(tmp_path_factory):
    return Fuzz(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("hundred", range(20))
def test_damage_gives_the_true_beginning_or_one_line(fuzz, hundred):
    outcomes = [fuzz.run(10**6 + 100 * hundred + number) for number in range(100)]
    assert any("refused" in one for one in outcomes)
    assert any("read" in one for one in outcomes)
