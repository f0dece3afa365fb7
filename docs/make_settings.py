"""Writes docs/settings.md from the settings' own schema: `python docs/make_settings.py`."""

from pathlib import Path

from streamer.config import Settings

HEAD = """# Settings of a run

A TOML file, given as `--config run.toml` to `serve`, `send`, `replay` or `batch`; a wrong key or value is refused in
one line that names file, key, rule and value. Every setting has a default that suits a pulsed HBT measurement of one
emitter. `serve` and `send` should get the same file: the settings `pairs`, `channels`, `period_ns`, `max_delay_ns` and
`look_photons` also steer the first look that `send` takes at a recording.

This page is written by `python docs/make_settings.py`; a test fails when it is out of date.

| key | default | meaning |
| --- | --- | --- |
"""

EXAMPLE = """
An example:

```toml
bin_ms = 5
pairs = [[0, 1]]
thresholds_cps = [11e3, 36e3]
gate_ns = 2.5

[delays_ns]
1 = 7.4
```
"""


def page() -> str:
    """The whole page."""
    lines = [
        f"| `{name}` | {'found or left out' if field.default is None else f'`{field.default}`'} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return HEAD + "\n".join(lines) + "\n" + EXAMPLE


if __name__ == "__main__":
    Path(__file__).with_name("settings.md").write_text(page(), encoding="utf-8")
