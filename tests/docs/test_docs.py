"""What the documentation shows is true: settings page, commands and code blocks are run, links lead somewhere."""

import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from streamer.config import Settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DEADLINE_S = 120.0


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S)


def test_the_settings_page_is_that_of_the_schema():
    spec = importlib.util.spec_from_file_location("make_settings", ROOT / "docs/make_settings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == module.page(), "run: python docs/make_settings.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_toml_blocks_are_settings(page):
    for block in blocks(page, "toml"):
        Settings(**tomllib.loads(block))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def commands():
    for page in PAGES:
        for block in blocks(page, "console"):
            for line in block.splitlines():
                if line.startswith("$ streamer "):
                    yield pytest.param(line[2:], id=f"{page.name}: {line[2:]}")


@pytest.mark.parametrize("line", list(commands()))
def test_console_blocks_run(line, tmp_path):
    """Lines that begin with `$ streamer` end with status 0; they name files relative to the checkout."""
    arguments = shlex.split(line.replace("OUT", str(tmp_path)), comments=True)[1:]
    done = subprocess.run(
        [sys.executable, "-m", "streamer", *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), {"__name__": "example"})
