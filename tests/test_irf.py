"""The response: counted from a recording, and refused in one line."""

from __future__ import annotations

import pytest

from streamer import irf
from streamer.batch import analyse
from streamer.config import Settings
from streamer.daemon import Daemon
from streamer.errors import InputError
from streamer.estimators.response import measured_response
from streamer.irf import read_response
from streamer.registry import open_source
from streamer.transport import Hub


def test_none_is_none():
    assert read_response(Settings()) is None


FAST = {"tau_x_ns": "0.001", "tau_bx_ns": "0.001", "jitter_ps": "150", "eta_c": "0.1", "nbar": "0.2", "seed": "2"}


def simulated(monkeypatch, **options):
    """`irf` names an emitter that is far faster than the detectors."""
    monkeypatch.setattr(irf, "open_source", lambda where, _: open_source("simulate:steady", FAST | options))
    return Settings(irf="scattered.ptu")


def test_a_recording_of_scattered_light_is_counted_by_channel(monkeypatch):
    response = read_response(simulated(monkeypatch, duration="0.5"))
    assert sorted(response.counts) == [0, 1]
    for counts in response.counts.values():
        found = measured_response(counts, response.bin_ns, response.period_ns)
        assert found.sigma_ns == pytest.approx(0.15, rel=0.15)


def test_a_batch_fits_with_it_and_a_daemon_reads_it_when_it_begins(monkeypatch):
    settings = simulated(monkeypatch, duration="0.5")
    steady = FAST | {"tau_x_ns": "20", "duration": "1"}
    pipeline = analyse("simulate:steady", settings.model_copy(update={"studies": ("decay_fit",)}), steady)
    (result,) = pipeline.study()
    assert result.values["response"] == "measured"
    tau = result.values["rows"][0]["mean_intensity_ns"]
    assert tau["value"] == pytest.approx(20, abs=1)
    with Hub("tcp://127.0.0.1:0") as hub:
        assert Daemon(hub, settings).response.counts.keys() == {0, 1}


def test_a_file_that_is_not_there_ends_a_daemon_before_it_begins(tmp_path):
    settings = Settings(irf=str(tmp_path / "none.ptu"))
    with Hub("tcp://127.0.0.1:0") as hub, pytest.raises(InputError, match=r"irf: .*none\.ptu"):
        Daemon(hub, settings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duration": "0.1", "mode": "T2"}, "irf: scattered.ptu: it has no nanotimes"),
        ({"duration": "0.0001"}, "irf: scattered.ptu: at most .* photons in a channel, must be 1000"),
        ({"duration": "inf", "live": "true"}, "irf: scattered.ptu: it is a live source"),
    ],
)
def test_what_cannot_be_used_is_one_line(monkeypatch, options, message):
    with pytest.raises(InputError, match=message) as error:
        read_response(simulated(monkeypatch, **options))
    assert "\n" not in str(error.value)


def test_options_and_channels_of_the_response(tmp_path):
    settings = Settings(
        irf="simulate:steady", irf_options=FAST | {"duration": "0.5", "period_ns": 400}, irf_channels={"5": 0}
    )
    with pytest.raises(InputError, match=r"irf: .*period_ns"):  # no such option of that source
        read_response(settings)
    given = settings.model_copy(update={"irf_options": FAST | {"duration": 0.5}})
    response = read_response(given)
    assert sorted(response.counts) == [0, 1, 5]
    assert (response.counts[5] == response.counts[0]).all()
    with pytest.raises(InputError, match=r"irf_channels: simulate:steady has no photons in channel 9; it has 0, 1"):
        read_response(given.model_copy(update={"irf_channels": {5: 9}}))


def test_a_response_of_another_channel_is_said_with_what_to_do():
    settings = Settings(irf="simulate:steady", irf_options=FAST | {"duration": 0.5}, studies=("decay_fit",))
    response = read_response(settings)
    del response.counts[1]
    pipeline = analyse("simulate:steady", settings.model_copy(update={"irf": None}), {"duration": "1"})
    pipeline.response = response
    (result,) = pipeline.study()
    assert "set irf_channels = {1 = 0}" in " ".join(result.values["remarks"])
