"""The page as a person meets it: opened from disk in a real browser, without a network."""

import shutil
import time
from contextlib import contextmanager
from urllib.parse import unquote

import pytest

from facestab.report.page import write_page
from facestab.report.runs import read_runs
from tests.report.conftest import HOSTILE

webdriver = pytest.importorskip("selenium.webdriver")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(CHROMEDRIVER is None, reason="no chromedriver on this machine"),
]
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run", "--window-size=1400,1000"),
)
FPS = 25
TIMES = "return [...document.querySelectorAll('#players video')].map(video => video.currentTime)"
STATES = "return [...document.querySelectorAll('#players video')].map(video => video.readyState >= 3 && !video.seeking)"


@contextmanager
def open_browser(profile):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def single_page(single):
    return write_page(read_runs([single]), single / "report.html", 10)


@pytest.fixture(scope="module")
def sweep_page(sweep, tmp_path_factory):
    return write_page(read_runs([sweep]), tmp_path_factory.mktemp("pages") / "report.html", 10)


def visit(browser, page):
    browser.get_log("browser")
    browser.get(page.as_uri())
    until(lambda: all(browser.execute_script(STATES)))


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def click(browser, id):
    browser.execute_script("document.getElementById(arguments[0]).click()", id)


def choose(browser, id, text):
    browser.execute_script(
        """const select = document.getElementById(arguments[0]);
        select.value = [...select.options].find((option) => option.textContent === arguments[1]).value;
        select.dispatchEvent(new Event("change"));""",
        id,
        text,
    )


def counts(browser, selector):
    """Numbers of points and lines that each plot has drawn."""
    script = """return [...document.querySelectorAll(arguments[0])].map(plot =>
        [...plot.querySelectorAll('.scatterlayer path.js-line, .scatterlayer path.point')]
        .filter(path => (path.getAttribute('d') || '').length > 4).length)"""
    return browser.execute_script(script, selector)


def complaints(browser):
    return [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]


def test_every_plot_and_picture_is_drawn(browser, single_page, sweep_page):
    for page, num_plots in ((single_page, 2), (sweep_page, 5)):
        visit(browser, page)
        drawn = counts(browser, ".plot")
        assert len(drawn) == num_plots
        assert min(drawn) >= 2
        widths = browser.execute_script("return [...document.images].map(image => image.naturalWidth)")
        assert len(widths) >= 7
        assert min(widths) > 0
        assert complaints(browser) == []


def test_nothing_is_fetched_but_the_videos_beside_the_page(browser, single_page):
    visit(browser, single_page)
    fetched = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert {name.partition(":")[0] for name in fetched} <= {"file", "data", "blob"}
    assert browser.execute_script("return document.querySelectorAll('video')[0].currentSrc").startswith("file:")


def test_both_videos_start_together_and_stay_in_step(browser, single_page):
    visit(browser, single_page)
    click(browser, "play")
    until(lambda: min(browser.execute_script(TIMES)) > 0.2)
    for _ in range(5):
        first, second = browser.execute_script(TIMES)
        assert abs(first - second) < 0.1
        time.sleep(0.1)
    assert browser.execute_script("return document.getElementById('play').textContent") == "Pause"
    click(browser, "play")
    until(lambda: all(browser.execute_script(STATES)))
    first, second = browser.execute_script(TIMES)
    assert first == second > 0
    time.sleep(0.2)
    assert browser.execute_script(TIMES) == [first, second]
    assert complaints(browser) == []


def test_a_video_that_falls_behind_is_brought_back(browser, single_page):
    visit(browser, single_page)
    browser.execute_script("document.getElementById('speed').value = '0.25'")
    browser.execute_script("document.getElementById('speed').dispatchEvent(new Event('change'))")
    click(browser, "play")
    until(lambda: min(browser.execute_script(TIMES)) > 0.05)
    browser.execute_script("document.querySelectorAll('#players video')[1].currentTime = 1.5")
    until(lambda: abs(float.__sub__(*browser.execute_script(TIMES))) < 0.1)
    assert max(browser.execute_script(TIMES)) < 1.2
    click(browser, "play")


def test_seeking_and_stepping_show_the_same_frame_on_both_sides(browser, single_page):
    visit(browser, single_page)

    def shown(frame, tolerance=1e-5):
        until(lambda: all(browser.execute_script(STATES)))
        assert browser.execute_script(TIMES) == pytest.approx([(frame + 0.5) / FPS] * 2, abs=tolerance)
        assert browser.execute_script("return document.getElementById('frame').textContent") == f"frame {frame} of 50"

    browser.execute_script("document.getElementById('seek').value = 20")
    browser.execute_script("document.getElementById('seek').dispatchEvent(new Event('input'))")
    shown(20)
    click(browser, "forward")
    shown(21)
    for _ in range(3):
        click(browser, "back")
    shown(18)
    for _ in range(40):
        click(browser, "forward")
    # a browser may go on to the very end, where it still shows the last frame
    shown(49, tolerance=0.5 / FPS + 1e-5)
    press = "document.getElementById('players').dispatchEvent(new KeyboardEvent('keydown', {key: arguments[0]}))"
    browser.execute_script(press, "ArrowLeft")
    shown(48)


def test_a_loop_begins_again_on_both_sides(browser, single_page):
    visit(browser, single_page)
    browser.execute_script("document.getElementById('seek').value = 45")
    browser.execute_script("document.getElementById('seek').dispatchEvent(new Event('input'))")
    until(lambda: all(browser.execute_script(STATES)))
    click(browser, "play")
    until(lambda: 0 < max(browser.execute_script(TIMES)) < 1)
    until(lambda: min(browser.execute_script(TIMES)) > 0.1)
    first, second = browser.execute_script(TIMES)
    assert abs(first - second) < 0.1
    click(browser, "play")


def test_hostile_names_do_nothing(browser, single_page):
    visit(browser, single_page)
    choose(browser, "lab-video", HOSTILE)
    until(lambda: all(browser.execute_script(STATES)))
    assert browser.execute_script("return document.querySelector('#worst tr.chosen button').textContent") == HOSTILE
    assert len(browser.execute_script("return [...document.scripts].map(script => script.type)")) == 4
    source = browser.execute_script("return document.querySelector('#players video').currentSrc")
    assert unquote(source).endswith(f"/videos/{HOSTILE}/overlay_before.mp4")
    assert complaints(browser) == []


def test_class_video_and_setting_can_be_chosen(browser, sweep_page):
    visit(browser, sweep_page)
    title = "return document.querySelector('#curves .ytitle').textContent"
    assert browser.execute_script(title) == "ABA flicker [% of pixels]"
    choose(browser, "curves-class", "hair")
    until(lambda: browser.execute_script(title) == "ABA flicker [% of the class's pixels]")
    sources = [browser.execute_script("return document.querySelector('#players video').src")]
    choose(browser, "lab-group", "w=2.0 threshold=0.3, 2 seeds")
    sources.append(browser.execute_script("return document.querySelector('#players video').src"))
    assert [source.split("/")[-4] for source in sources] == ["0", "6"]
    rows = "return [...document.querySelectorAll('#headline tbody tr')].filter(row => row.offsetParent).length"
    few = browser.execute_script(rows)
    click(browser, "all-rows")
    assert browser.execute_script(rows) > 2 * few
    assert complaints(browser) == []


def test_plots_follow_light_and_dark(browser, single_page):
    colours = []
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        visit(browser, single_page)
        fill = "return getComputedStyle(document.querySelector('#curves .xtick text')).fill"
        paper = "return getComputedStyle(document.body).backgroundColor"
        colours.append((browser.execute_script(fill), browser.execute_script(paper)))
    assert colours[0] == ("rgb(28, 37, 48)", "rgb(255, 255, 255)")
    assert colours[1] == ("rgb(221, 227, 234)", "rgb(20, 24, 29)")


@pytest.mark.parametrize("width", [420, 1400])
def test_nothing_is_wider_than_the_window(browser, single_page, sweep_page, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    for page in (single_page, sweep_page):
        visit(browser, page)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
