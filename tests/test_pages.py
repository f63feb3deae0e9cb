"""The pages in a real browser, from disk and without a network: the report, and what `dvc plots` writes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from stages.report import page
from stages.report.__main__ import main as write_report
from stages.shared.files import paths
from tests.fixtures.small_project import ROOT, Project
from tests.fixtures.stores import MODELS, NAMES, NETS, SIDE, write_store
from tools.plots_template import TEMPLATE, library, template

SECONDS = 60  # for a page to be drawn; a busy machine is slow
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no host name resolves
)
A4 = 718  # CSS pixels: 210 mm without the margins of 1 cm that Chromium prints
SIZES = pytest.mark.parametrize("width", [360, 1280])
SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])
DRAWN = "document.documentElement.dataset.drawn === 'true'"
PLOTTED = "document.querySelectorAll('.vega-embed svg.marks').length === 2"


class Browser:
    """Chromium with one page, and its console messages and requests since the page was opened."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, file: Path, *, width: int = 1280, scheme: str = "light", drawn: str) -> None:
        """Open a file in a window of a width and a colour scheme, and wait until `drawn`, JavaScript, is true."""
        self.emulate(width=width, scheme=scheme)
        for log in ("browser", "performance"):
            self.driver.get_log(log)  # reading empties it
        self.driver.get(file.as_uri())
        self.until(drawn)

    def emulate(self, *, width: int, scheme: str, media: str = "", forced_colors: str = "none") -> None:
        """Change the window's width and what style sheets can ask for."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        features = {"prefers-color-scheme": scheme, "forced-colors": forced_colors}
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"media": media, "features": [{"name": name, "value": value} for name, value in features.items()]},
        )

    def style(self, selector: str, name: str) -> set[str]:
        """Return the values that the elements of a selector have of a property of their style."""
        elements = "[...document.querySelectorAll(arguments[0])]"
        return set(self.run(f"{elements}.map((element) => getComputedStyle(element)[arguments[1]])", selector, name))

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what a JavaScript expression gives."""
        return self.driver.execute_script(f"return {script}", *arguments)

    def until(self, condition: str) -> None:
        """Wait until a JavaScript expression is true."""
        WebDriverWait(self.driver, SECONDS, 0.1).until(lambda _: self.run(condition), f"never true: {condition}")

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def count(self, selector: str) -> int:
        return len(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def press(self, selector: str, key: str) -> None:
        """Focus an element and press a key, as a user without a pointer does."""
        self.run("arguments[0].focus()", self.find(selector))
        ActionChains(self.driver).send_keys(key).perform()

    def console_errors(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def requests(self) -> list[str]:
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    chromedriver = shutil.which("chromedriver")
    if not chromium or not chromedriver:
        reason = "needs Chromium and its driver (Debian: apt-get install chromium chromium-driver)"
        # In continuous integration, a skipped test is a failure.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    driver.set_page_load_timeout(SECONDS)
    yield Browser(driver)
    driver.quit()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        write_store(folder, patch)
        write_report()
    return folder / paths.PAGE


@pytest.fixture
def opened(browser: Browser, report: Path) -> Browser:
    browser.open(report, drawn=DRAWN)
    return browser


@SIZES
@SCHEMES
def test_the_report_is_drawn_without_a_network(browser: Browser, report: Path, width: int, scheme: str) -> None:
    browser.open(report, width=width, scheme=scheme, drawn=DRAWN)
    assert browser.console_errors() == []
    requests = browser.requests()
    assert requests[0] == report.as_uri()
    assert all(url.startswith("data:") for url in requests[1:])
    assert browser.run("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
    assert browser.count("#chart-leaderboard .mark-symbol path") == len(MODELS)
    assert browser.count("#chart-curves .mark-line path") == 2 * len(NETS)
    assert browser.count("#chart-classes .mark-symbol path") == len(MODELS) * len(NAMES)
    for chart in ("leaderboard", "curves", "classes"):
        box = browser.find(f"#chart-{chart} svg").rect
        assert 200 < box["width"] <= width
        assert box["height"] > 100
    assert browser.run("[...document.images].every((picture) => picture.naturalWidth > 0)")
    # Charts take their colours from the page's style sheet, in either scheme.
    quiet = {"light": "rgb(89, 98, 110)", "dark": "rgb(164, 173, 185)"}[scheme]
    label = "document.querySelector('#chart-leaderboard .role-axis-label text')"
    assert browser.run(f"getComputedStyle({label}).fill") == quiet
    assert browser.run("getComputedStyle(document.querySelector('.intro')).color") == quiet


@SCHEMES
def test_the_report_is_printed_whole_dark_on_white(browser: Browser, report: Path, scheme: str) -> None:
    browser.open(report, width=1280, scheme=scheme, drawn=DRAWN)
    browser.emulate(width=A4, scheme=scheme, media="print")
    assert browser.run("document.documentElement.scrollWidth") <= A4, "the charts or tables are cut"
    assert browser.style(".scroll", "overflow") == {"visible"}
    # Browsers leave out backgrounds otherwise: the images, and the marks of legends.
    marks = ".image, .dot, .line, .bar, td.miss"
    assert browser.style(marks, "printColorAdjust") == {"exact"}
    assert browser.style("body", "color") == {"rgb(27, 31, 36)"}
    assert browser.style("#chart-leaderboard .role-axis-label text", "fill") == {"rgb(27, 31, 36)", "rgb(89, 98, 110)"}
    assert browser.style(".image", "filter") == {"none"}, "black"


@SCHEMES
def test_high_contrast_leaves_the_marks_of_the_report(browser: Browser, report: Path, scheme: str) -> None:
    browser.open(report, scheme=scheme, drawn=DRAWN)
    drawn = browser.style("#chart-curves .mark-line path", "stroke")
    assert len(drawn) == len(NETS)
    browser.emulate(width=1280, scheme=scheme, forced_colors="active")
    assert browser.style("#chart-curves .mark-line path", "stroke") == drawn
    assert browser.style("#curves-controls .dot", "backgroundColor") == drawn, "the key of each curve"
    assert len(browser.style("#classes-controls ~ .keys .dot", "backgroundColor")) == 2
    assert browser.style(".image", "backgroundColor") == {"rgb(255, 255, 255)"}, "black on white"
    assert browser.style(".image", "filter") == {"none"}
    assert browser.style(".chip input", "opacity") == {"1"}, "what is selected"


def test_selecting_a_model_shows_its_matrix_scores_and_predictions(opened: Browser, report: Path) -> None:
    data = json.loads(opened.run("document.getElementById('data').textContent"))

    def matrix() -> list[list[int]]:
        rows = "[...document.querySelectorAll('#matrix tbody tr')]"
        texts = opened.run(f"{rows}.map((row) => [...row.cells].map((cell) => cell.innerText))")
        return [[int(cell or 0) for cell in row[1:]] for row in texts]

    best, last = data["models"][0], data["models"][-1]
    assert matrix() == data["confusion"][best]
    Select(opened.find("#model")).select_by_visible_text(last)
    assert matrix() == data["confusion"][last]
    assert last in opened.find("#matrix caption").text
    assert last in opened.find("#this-model").text
    summary = next(row for row in json.loads((report.parent / "leaderboard.json").read_text()) if row["model"] == last)
    assert f"{100 * summary['test_accuracy']:.2f}" in opened.find("#model-summary").text
    first = opened.run("document.querySelector('#classes tbody td').textContent")
    assert float(first) == pytest.approx(data["perClass"][last][0][0], abs=1e-4)
    assert opened.run("views.classes.signal('model')") == last
    assert opened.console_errors() == []


def test_the_controls_of_the_curves_work_by_keyboard(opened: Browser) -> None:
    # The line of a hidden curve may stay in the chart, empty.
    lines = "[...document.querySelectorAll('#chart-curves .mark-line path')]"
    visible = f"{lines}.filter((line) => line.getBBox().width > 0).length"
    assert opened.run(visible) == 2 * len(NETS)
    opened.press("[name=net][value=dense]", Keys.SPACE)
    opened.until(f"{visible} === 2")
    opened.press("[name=set][value=training]", Keys.SPACE)
    opened.until(f"{visible} === 1")
    assert "accuracy" in opened.find("#chart-curves").text
    opened.press("[name=measure][value=accuracy]", Keys.ARROW_RIGHT)
    opened.until("document.querySelector('#chart-curves').textContent.includes('loss')")
    opened.until(f"{visible} === 1")
    opened.press("[name=net][value=dense]", Keys.SPACE)
    opened.until(f"{visible} === 2")
    assert opened.console_errors() == []


def test_the_measure_of_the_scores_can_be_selected(opened: Browser) -> None:
    dots = "[...document.querySelectorAll('#chart-classes .mark-symbol path')]"
    places = f"{dots}.map((dot) => dot.getAttribute('transform')).join()"
    before = opened.run(places)
    opened.press("#classes-controls [value=f1]", Keys.ARROW_RIGHT)
    opened.until(f"{places} !== {json.dumps(before)}")


def shown(browser: Browser) -> list[tuple[str, str]]:
    """Return the actual and the predicted class below each image."""
    names = "[...tile.querySelectorAll('bdi')].map((name) => name.textContent)"
    return [(i, j) for i, j in browser.run(f"[...document.querySelectorAll('.tile')].map((tile) => {names})")]


def test_selecting_a_model_shows_all_of_its_errors_and_a_cell_those_of_the_cell(opened: Browser) -> None:
    data = json.loads(opened.run("document.getElementById('data').textContent"))
    for model in data["models"]:
        Select(opened.find("#model")).select_by_visible_text(model)
        counts = np.array(data["confusion"][model])
        errors = int(counts.sum() - np.trace(counts))
        pairs = shown(opened)
        assert len(pairs) == errors > 0
        assert all(actual != predicted for actual, predicted in pairs)
        assert opened.find("#errors-count").text == f"{errors} images that {model} misclassifies."
        assert model in opened.find("#errors .intro").text
    opened.run("document.querySelector('#matrix tbody tr:nth-child(2) td:nth-child(4) button').click()")
    assert shown(opened) == [(NAMES[1], NAMES[2])] * counts[1, 2]
    sentence = f"{counts[1, 2]} images of class {NAMES[1]} that {model} predicts as {NAMES[2]}."
    assert opened.find("#errors-count").text == sentence
    assert opened.run("document.activeElement.id") == "actual"
    # The cell stays when another model is selected.
    Select(opened.find("#model")).select_by_visible_text(data["models"][0])
    assert shown(opened) == [(NAMES[1], NAMES[2])] * data["confusion"][data["models"][0]][1][2]
    # Correct ones: those that are on the page.
    Select(opened.find("#predicted")).select_by_visible_text(NAMES[1])
    pairs = shown(opened)
    assert set(pairs) == {(NAMES[1], NAMES[1])}
    assert f"; {len(pairs)} that another model misclassifies are shown." in opened.find("#errors-count").text
    opened.press("#any", Keys.ENTER)
    assert "misclassifies." in opened.find("#errors-count").text
    assert not opened.find("#any").is_displayed()
    assert opened.console_errors() == []


@SIZES
def test_the_images_of_a_cell_are_in_view(browser: Browser, report: Path, width: int) -> None:
    browser.open(report, width=width, drawn=DRAWN)
    browser.run("document.documentElement.style.scrollBehavior = 'auto'")
    browser.run("document.querySelector('#matrix td.miss button').click()")
    box = "document.querySelector('{}').getBoundingClientRect()"
    heading, choice = box.format("#errors-title"), box.format(".choice")
    assert browser.run(f"{choice}.bottom") <= browser.run(f"{heading}.top") < 200


def test_the_cells_of_the_matrix_work_by_keyboard(opened: Browser) -> None:
    assert opened.run("document.querySelectorAll('#matrix button[tabindex=\"0\"]').length") == 1
    opened.press("#matrix button[tabindex='0']", Keys.ARROW_RIGHT)
    label = opened.run("document.activeElement.getAttribute('aria-label')")
    assert label.startswith(f"{NAMES[0]}, predicted as {NAMES[1]}: ")
    ActionChains(opened.driver).send_keys(Keys.ENTER).perform()
    assert set(shown(opened)) == {(NAMES[0], NAMES[1])}


def test_an_image_opens_with_the_predictions_of_all_models(opened: Browser) -> None:
    opened.press("#gallery li:first-child button", Keys.ENTER)
    opened.until("document.getElementById('enlarged').open")
    rows = opened.run("[...document.querySelectorAll('#enlarged tbody tr')].map((row) => row.cells[0].innerText)")
    assert sorted(rows) == sorted(MODELS)
    assert opened.find("#enlarged .image").rect["width"] == pytest.approx(page.LARGE, abs=SIDE)
    ActionChains(opened.driver).send_keys(Keys.ESCAPE).perform()
    opened.until("!document.getElementById('enlarged').open")


def test_captions_are_whole_within_their_tiles(browser: Browser, report: Path) -> None:
    for width in (360, 1280):
        browser.open(report, width=width, drawn=DRAWN)
        captions = "[...document.querySelectorAll('.tile .caption > *')]"
        assert browser.run(f"{captions}.every((name) => name.scrollWidth <= name.clientWidth + 1)")
        assert browser.run(f"{captions}.every((name) => name.scrollHeight <= name.clientHeight + 1)")


def test_notes_below_a_table_stay_when_it_scrolls_sideways(browser: Browser, report: Path) -> None:
    browser.open(report, width=400, drawn=DRAWN)
    table = "document.querySelector('#leaderboard .scroll')"
    place = f"(({{left, right}}) => [left, right])({table}.querySelector('caption').getBoundingClientRect())"
    before = browser.run(place)
    assert before[1] <= browser.run(f"{table}.getBoundingClientRect().right")
    assert browser.run(f"({table}.scrollTo(200, 0), {table}.scrollLeft)") == 200
    assert browser.run(place) == before


def test_a_model_has_one_colour_on_the_page(opened: Browser) -> None:
    model = opened.run("model.value")
    assert model in NETS
    key = opened.style(f"[name=net][value={model}] + .dot", "color")
    assert opened.style("#this-colour", "color") == key
    assert key <= opened.style("#chart-classes .mark-symbol path", "fill")
    assert key <= opened.style("#chart-leaderboard .mark-symbol path", "fill")
    assert key <= opened.style("#chart-curves .mark-line path", "stroke")


def test_a_picture_of_weights_opens_and_closes(opened: Browser) -> None:
    opened.press(".enlarge", Keys.ENTER)
    opened.until("document.getElementById('enlarged').open")
    opened.until("document.querySelector('#enlarged img').naturalWidth === 640")
    opened.press("#close", Keys.ENTER)
    opened.until("!document.getElementById('enlarged').open")


def test_a_point_has_a_tooltip(opened: Browser) -> None:
    dot = opened.find("#chart-leaderboard .mark-symbol path")
    ActionChains(opened.driver).move_to_element(dot).perform()
    opened.until("!document.getElementById('tooltip').hidden")
    assert "95 % interval" in opened.find("#tooltip").text


@pytest.fixture(scope="module")
def plots(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A DVC project of two commits with nothing but plots: those of the real dvc.yaml, on a handful of numbers."""
    folder = tmp_path_factory.mktemp("plots")
    project = Project(folder)
    definition = (ROOT / "dvc.yaml").read_text()
    (folder / "dvc.yaml").write_text(definition[definition.index("\nplots:") :])
    (folder / ".gitignore").write_text("/dvc_plots\n")
    project.succeed("git", "init", "--quiet", "--initial-branch", "main")
    project.succeed("dvc", "init", "--quiet")
    for name in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / name, folder / ".dvc")
    shutil.copytree(ROOT / ".dvc" / "plots", folder / ".dvc" / "plots")
    for part in ("history", "confusion", "pictures/models/net", "pictures/overview"):
        (folder / "reports" / part).mkdir(parents=True)
    for step in (1, 2):
        left = 0.5**step * 0.9 ** np.arange(5)
        curves = {"accuracy": 1 - left, "loss": left, "val_accuracy": 1 - left, "val_loss": left}
        pd.DataFrame({"epoch": np.arange(1, 6), **curves}).to_csv(folder / "reports/history/net.csv", index=False)
        pairs = pd.DataFrame({"actual": ["a", "b"] * 4, "predicted": ["a"] * (4 + step) + ["b"] * (4 - step)})
        pairs.to_csv(folder / "reports/confusion/net.csv", index=False)
        Image.new("RGB", (900, 300), (90 * step, 120, 160)).save(folder / "reports/pictures/models/net/weights.png")
        Image.new("RGB", (600, 300), (90 * step, 120, 160)).save(folder / "reports/pictures/overview/leaderboard.png")
        project.commit()
    return project


def test_plots_work_before_the_page_is_set_up(plots: Project) -> None:
    assert "failed" not in plots.succeed("dvc", "plots", "show", "--out", "elsewhere").output
    shutil.rmtree(plots.folder / "elsewhere")


@pytest.fixture(scope="module")
def compared(plots: Project) -> Path:
    """The page of the two commits."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path}
    subprocess.run([sys.executable, "-m", "tools.plots_template"], cwd=plots.folder, env=environment, check=True)
    assert plots.succeed("git", "status", "--porcelain").output == "", "what set-up writes is not for git"
    plots.succeed("dvc", "plots", "diff", "HEAD~1", "HEAD")
    return plots.folder / "dvc_plots" / "index.html"


@SIZES
@SCHEMES
def test_plots_of_two_commits_are_drawn_without_a_network(
    browser: Browser, compared: Path, width: int, scheme: str
) -> None:
    browser.open(compared, width=width, scheme=scheme, drawn=PLOTTED)
    assert browser.console_errors() == []
    requests = browser.requests()
    assert requests
    assert all(url.startswith((compared.parent.as_uri(), "data:")) for url in requests)
    assert browser.run("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
    curves, confusion = browser.driver.find_elements(By.CSS_SELECTOR, ".vega-embed svg.marks")
    texts = "[...arguments[0].querySelectorAll('text')].map((text) => text.textContent)"
    assert {"HEAD", "HEAD~1", "reports/history/net.csv"} <= set(browser.run(texts, curves)), "both in one chart"
    strokes = "[...arguments[0].querySelectorAll('.mark-line path')].map((line) => line.getAttribute('stroke'))"
    assert len(set(browser.run(strokes, curves))) == 2, "a colour a revision"
    assert {"HEAD", "HEAD~1", "predicted", "actual"} <= set(browser.run(texts, confusion))
    assert browser.run("[...document.images].map((picture) => picture.naturalWidth)") == [900, 900, 600, 600]


def test_three_revisions_are_side_by_side_the_workspace_last_and_models_first(
    browser: Browser, plots: Project, compared: Path
) -> None:
    plots.succeed("dvc", "plots", "diff", "HEAD~1", "workspace", "HEAD", "--out", "three")
    browser.open(plots.folder / "three" / "index.html", width=1280, drawn=PLOTTED)
    pictures = browser.driver.find_elements(By.CSS_SELECTOR, "body > div[style] img")
    rows: dict[float, list[float]] = {}
    for picture in pictures:
        rows.setdefault(picture.rect["y"], []).append(picture.rect["width"])
    assert [len(row) for row in rows.values()] == [3, 3], "three in a row"
    assert min(min(row) for row in rows.values()) > 390
    names = "[...document.querySelectorAll('body > div[style] > div > p')].map((name) => name.textContent)"
    assert browser.run(names) == 2 * ["HEAD~1", "HEAD", "workspace"]
    top = "document.querySelector(arguments[0]).getBoundingClientRect().top"
    model, shared = "#reports_pictures_models_net_weights_png", "#reports_pictures_overview_leaderboard_png"
    assert browser.run(top, model) < browser.run(top, shared)
    assert browser.run("document.documentElement.scrollWidth") <= 1280


def test_plots_are_printed_whole_dark_on_white(browser: Browser, compared: Path) -> None:
    browser.open(compared, width=1280, scheme="dark", drawn=PLOTTED)
    browser.emulate(width=A4, scheme="dark", media="print")
    assert browser.run("document.documentElement.scrollWidth") <= A4, "the charts are cut"
    assert "hidden" not in browser.style("body > div", "overflowX") | browser.style("body > div", "overflowY")
    assert browser.style("body", "color") == {"rgb(0, 0, 0)"}
    assert browser.style(".vega-embed svg .role-axis-label text", "fill") == {"rgb(0, 0, 0)"}


@SCHEMES
def test_high_contrast_leaves_the_colours_of_plots(browser: Browser, compared: Path, scheme: str) -> None:
    browser.open(compared, scheme=scheme, drawn=PLOTTED)
    browser.emulate(width=1280, scheme=scheme, forced_colors="active")
    assert browser.style(".vega-embed svg", "backgroundColor") == {"rgb(255, 255, 255)"}
    assert browser.style(".vega-embed svg .role-axis-label text", "fill") == {"rgb(0, 0, 0)"}


def test_plots_of_the_workspace_are_drawn_without_a_network(browser: Browser, plots: Project, compared: Path) -> None:
    page = plots.folder / "shown" / "index.html"
    plots.succeed("dvc", "plots", "show", "--out", "shown")
    browser.open(page, drawn=PLOTTED)
    assert browser.console_errors() == []
    assert all(url.startswith((page.parent.as_uri(), "data:")) for url in browser.requests())
    assert browser.run("[...document.images].map((picture) => picture.naturalWidth)") == [900, 600]


def test_the_plots_page_holds_its_scripts() -> None:
    text = template(library())
    assert text.count("{plot_divs}") == 1
    assert "{scripts}" not in text
    assert "<script src" not in text
    assert text.count("</script") == text.count("<script>") == 2


def test_set_up_writes_the_plots_page() -> None:
    # As on a machine whose environment is there already.
    command = ["make", "--dry-run", "--old-file=.venv/.installed", "setup"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert (ROOT / TEMPLATE).is_file() or "tools.plots_template" in ran.stdout
