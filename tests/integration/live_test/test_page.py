"""The HTML report in a real browser: nothing is said on the console, and what it shows has a size."""

import json
from contextlib import contextmanager
from html import unescape
from pathlib import Path

import pytest

from conftest import provide
from moorage_runtime.config import ExpectConfig
from parts.browser import browse, need

MEASURE = """
<script>
addEventListener("load", () => {
  const box = each => { const b = each.getBoundingClientRect(); return [b.width, b.height]; };
  const sizes = name => [...document.querySelectorAll(name)].map(box);
  const found = {bars: sizes("rect.bar"), cells: sizes("rect.hit, rect.miss"), badge: sizes(".badge.big")[0],
                 wide: document.documentElement.scrollWidth <= innerWidth};
  const note = document.createElement("output");
  note.id = "measured";
  note.textContent = JSON.stringify(found);
  document.body.append(note);
});
</script>
"""


@contextmanager
def chromium():
    yield need("chromium", "pages are tested in it")


@pytest.fixture(scope="session")
def browser():
    yield from provide(chromium)


@pytest.mark.parametrize(("bound", "verdict"), [(0.9, "Passed"), (1.1, "Failed")])
def test_the_report_is_a_page_that_a_browser_shows(browser, served, tested, tmp_path, bound, verdict):
    _, status, _ = tested(
        served().url, expect=[ExpectConfig(name="accuracy", min=bound)], report_uri=str(tmp_path / "reports")
    )
    assert status.verdict == verdict
    report = (Path(status.report_uri) / "report.html").read_text()
    page = tmp_path / "measured.html"
    page.write_text(report.replace("</body>", MEASURE + "</body>"))
    shown = browse(page)
    assert shown.console == []
    measured = json.loads(unescape(shown.dom.split('<output id="measured">')[1].split("</output>")[0]))
    assert len(measured["cells"]) == 9
    assert all(width > 10 and height > 10 for width, height in measured["cells"])
    assert any(width > 2 and height > 2 for width, height in measured["bars"])
    assert min(measured["badge"]) > 10
    assert measured["wide"]
    assert f"<title>{verdict}: live test iris-live of iris</title>" in shown.dom


def test_the_browser_would_tell_of_a_fault(browser, tmp_path):
    page = tmp_path / "faulty.html"
    page.write_text("<script>undefinedFunction()</script>")
    (line,) = browse(page).console
    assert "undefinedFunction is not defined" in line
