"""The page in a browser: the demo from open to report, wrong keys, runs that end early, and who is kept out."""

import http.client
import os
import signal
import subprocess
import sys
import time
from urllib.parse import urlsplit

import psutil
import pytest
from waiting import PATIENCE, until

from snntoolbox.workflow import demo
from snntoolbox.workflow.gui.folder import WorkFolder
from snntoolbox.workflow.gui.session import Session

CI = bool(os.environ.get("CI"))
pytestmark = pytest.mark.long
SHORT = {"num_to_test": "100", "duration": "16", "batch_size": "50"}
TABS = ("Open", "Settings", "Run", "Report", "Two runs")


class Server:
    """The page's server on a folder, as a user starts it."""

    def __init__(self, folder):
        self.folder = folder
        words = [sys.executable, "-m", "snntoolbox", "gui", str(folder), "--no-browser", "--upload-mib=1"]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()

    @property
    def children(self):
        return psutil.Process(self.process.pid).children()

    def ask(self, path, **headers):
        """The code and the text with which a request is answered."""
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=PATIENCE)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if not CI:
        pytest.importorskip("nicegui", reason="NiceGUI is not installed")
    folder = tmp_path_factory.mktemp("work")
    session = Session(WorkFolder(folder))  # what an earlier page left
    session.open_demo()
    for key, text in SHORT.items():
        session.set(f"simulation.{key}", text)
    server = Server(folder)
    yield server
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGINT)
        server.process.wait(PATIENCE)


def opened(browser, server, width=1280, scheme="light"):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.set_default_timeout(1000 * PATIENCE)
    page.said, page.asked = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda asked: page.asked.append(asked.url))
    page.goto(server.address)
    page.get_by_role("tab", name="Open").wait_for()
    return page


@pytest.fixture
def page(browser, server):
    page = opened(browser, server)
    yield page
    page.close()
    assert page.said == []
    assert {urlsplit(url).hostname for url in page.asked if not url.startswith(("data:", "blob:"))} == {"127.0.0.1"}


def show(page, tab):
    page.get_by_role("tab", name=tab, exact=True).click()


def set_key(page, line):
    show(page, "Settings")
    entry = page.get_by_label("Set a key by its name")

    def taken():
        entry.fill(line)
        page.get_by_role("button", name="Set", exact=True).click()
        return follows(page, lambda: entry.input_value() == "")

    until(taken)


def choose(page, command):
    show(page, "Run")
    chosen(page, "Command", f"{command}: ")


def follows(page, then):
    """Whether it does within a few seconds."""
    for _ in range(50):
        if then():
            return True
        page.wait_for_timeout(100)
    return False


def pressed(page, name, then):
    """Click a button until something follows: a click is lost where its button is drawn anew at that moment."""
    from playwright.sync_api import Error

    def followed():
        try:
            page.get_by_role("button", name=name, exact=True).click(timeout=2000)
        except Error:
            return then()
        return follows(page, then)

    until(followed)


def started(page):
    show(page, "Run")
    pressed(page, "Start", page.get_by_role("button", name="Stop", exact=True).is_enabled)


def refused(page, words):
    show(page, "Run")
    pressed(page, "Start", page.get_by_text(words).count)


def ended(page, words):
    page.get_by_text(words).first.wait_for()


def chosen(page, label, option):
    """Open a list as often as it takes: a page that is drawn anew meanwhile closes it, or loses the click."""
    from playwright.sync_api import Error

    shown = page.locator(".q-select", has=page.get_by_label(label, exact=True)).get_by_text(option)

    def taken():
        page.keyboard.press("Escape")
        try:
            page.get_by_label(label, exact=True).click(timeout=5000)
            page.get_by_role("option", name=option).last.click(timeout=2000)
        except Error:
            return shown.count()
        return follows(page, shown.count)

    until(lambda: shown.count() or taken())


def settled(page):
    """Wait until nothing moves or fades any more: colours are not yet what they will be."""
    still = "!document.getAnimations().some(a => a instanceof CSSTransition)"
    shown = "[...document.querySelectorAll('.q-notification')].every(n => getComputedStyle(n).opacity == 1)"
    for _ in range(2):
        time.sleep(0.5)  # until what was asked for has begun
        page.wait_for_function(f"{still} && {shown}")


def faults(page):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [(f["id"], f["nodes"][0]["html"]) for f in found if f["impact"] in ("serious", "critical")]


def test_the_demo_from_open_to_report(page, server):
    page.get_by_role("button", name="Open the demo").click()
    page.get_by_text("x_test.npz").first.wait_for()
    for key, text in SHORT.items():
        set_key(page, f"simulation.{key} = {text}")
    started(page)
    page.get_by_text("samples so far").wait_for()
    ended(page, "run is done")
    assert page.get_by_text("Accuracy after 100 samples: 100.00%").is_visible()
    assert page.get_by_text("Simulating on INI: 100 of 100").is_visible()
    show(page, "Report")
    report = page.frame_locator("iframe").first
    report.get_by_text("At a glance").first.wait_for()
    report.locator(".picture a").nth(1).click()
    assert report.locator(".panel:visible").count() == 1


def test_what_the_model_becomes(page):
    started(page)
    ended(page, "run is done")
    show(page, "Open")
    page.get_by_role("button", name="See what it becomes").click()
    page.get_by_text("Simulators that can run it: INI").wait_for()
    assert page.get_by_text("max_pool.larger_2").is_visible()
    show(page, "Run")
    ended(page, "run is done")  # what has run stays
    assert page.get_by_text("Accuracy over time").is_visible()
    set_key(page, "conversion.maxpool_type = avg_max")
    show(page, "Open")
    page.get_by_text("Other settings have been chosen").wait_for()
    set_key(page, "conversion.maxpool_type = relu_tree")


def test_settings_that_are_replaced_come_back(page, server):
    set_key(page, "simulation.duration = 33")
    show(page, "Open")
    page.get_by_role("button", name="Open the demo").click()
    page.get_by_text("The demo is open.").wait_for()
    settings = server.folder / "snntoolbox-gui.ini"
    assert "duration = 33" not in settings.read_text()
    page.get_by_role("button", name="Take them back").first.click()
    page.get_by_text("The settings are as they were.").wait_for()
    assert "duration = 33" in settings.read_text()
    for key, text in SHORT.items():
        set_key(page, f"simulation.{key} = {text}")


def test_names_of_files_are_told_without_signs_that_are_obeyed(page, server):
    model = server.folder / "a\u202eb.onnx"
    model.write_bytes(b"")
    page.get_by_role("button", name="Look again").click()
    page.wait_for_timeout(500)
    chosen(page, "Model file", "a\\u202eb.onnx")
    page.get_by_text("a\\u202eb.onnx is open.", exact=True).wait_for()
    model.unlink()
    page.get_by_role("button", name="Take them back").first.click()
    page.get_by_text("x_test.npz").first.wait_for()


def test_a_notice_goes_when_it_is_mended(page):
    show(page, "Settings")
    line = page.get_by_label("Set a key by its name")
    notice = page.locator(".q-notification", has_text="did you mean duration?")
    line.fill("simulation.duratoin = 32")
    pressed(page, "Set", notice.count)
    line.fill("simulation.duration = 16")
    notice.wait_for(state="detached")
    pressed(page, "Set", lambda: line.input_value() == "")
    line.fill("simulation.duratoin = 32")
    pressed(page, "Set", notice.count)
    notice.get_by_role("button", name="Close").click()
    notice.wait_for(state="detached")
    line.fill("paths.path_wd = /etc")
    pressed(page, "Set", page.locator(".q-notification", has_text="outside the working folder").count)
    assert line.input_value() == "paths.path_wd = /etc", "it is not set"


def test_a_wrong_key_and_value_are_refused_with_the_nearest(page):
    show(page, "Settings")
    line = page.get_by_label("Set a key by its name")
    line.fill("simulation.duratoin = 32")
    page.get_by_text("unknown key; did you mean duration?").first.wait_for()
    page.get_by_text("simulation (").click()
    page.get_by_label("duration", exact=True).fill("0")
    page.get_by_text("simulation.duration = 0: must be at least 1").wait_for()
    page.get_by_label("simulator", exact=True).fill("brain2")
    page.get_by_text("did you mean brian2?").first.wait_for()
    refused(page, "the settings are refused")
    show(page, "Settings")
    page.get_by_label("duration", exact=True).fill("16")
    page.get_by_label("simulator", exact=True).fill("INI")
    page.get_by_text("All settings go together.").wait_for()


def test_a_run_that_is_stopped_and_one_that_is_killed(page, server):
    set_key(page, "simulation.engine = reference")
    set_key(page, "simulation.duration = 4000")
    started(page)
    ended(page, "Simulating on INI: ")
    pressed(page, "Stop", lambda: any(page.get_by_text(t).count() for t in ("Stopping: ", "run was stopped")))
    ended(page, "run was stopped")
    started(page)
    ended(page, "run: starting")
    (child,) = server.children
    child.send_signal(signal.SIGKILL)
    ended(page, "run was killed by SIGKILL")
    assert server.children == []
    set_key(page, "simulation.engine = auto")
    set_key(page, "simulation.duration = 16")


def test_a_sweep_and_two_of_its_runs_side_by_side(page):
    for line in ("simulation.num_to_test = 20", "simulation.batch_size = 20", "paths.runlabel = swept"):
        set_key(page, line)
    choose(page, "compare")
    refused(page, "arguments are required: --simulators")
    choose(page, "sweep")
    page.get_by_label("param_name").last.fill("simulation.duration")
    page.get_by_label("param_values").last.fill("[2, 4]")
    page.wait_for_timeout(1000)
    started(page)
    ended(page, "run is done")
    show(page, "Two runs")
    chosen(page, "First", "snntoolbox-demo/log/swept/duration_2/report.html")
    chosen(page, "Second", "snntoolbox-demo/log/swept/duration_4/report.html")
    from playwright.sync_api import expect

    for name in ("duration (ms)", "simulation.duration"):
        expect(page.get_by_role("row", name=name).get_by_role("cell")).to_have_text(["2", "4"], timeout=1000 * PATIENCE)
    assert page.locator(".two iframe").count() == 2


def test_deploy_is_started_and_its_page_shown(page, server):
    set_key(page, "conversion.weight_bits = 4")
    choose(page, "deploy")
    for name, text in {"target (required)": "generic", "output (required)": "../out"}.items():
        page.get_by_label(name, exact=True).fill(text)
    page.get_by_label("samples", exact=True).fill("1")
    for name in ("sim-seconds", "synth-seconds"):
        page.get_by_label(name, exact=True).fill("0")
    page.wait_for_timeout(1000)
    refused(page, "lies outside the working folder")
    page.get_by_label("output (required)", exact=True).fill("chip")
    page.wait_for_timeout(1000)
    started(page)
    ended(page, "deploy is done")
    assert (server.folder / "chip" / "rtl").is_dir()
    show(page, "Report")
    chosen(page, "Run", "chip/report.html")
    page.frame_locator("iframe").first.get_by_text("Layers, means over").first.wait_for()
    set_key(page, "conversion.weight_bits = 0")


def test_files_are_taken_and_code_is_not(page, server, tmp_path):
    for name in ("more.npz", "evil.py"):
        (tmp_path / name).write_bytes((demo.folder() / "x_test.npz").read_bytes())
    entry = page.locator("input[type=file]")
    entry.set_input_files(tmp_path / "more.npz")
    page.get_by_text("more.npz is in the folder").wait_for()
    assert (server.folder / "snntoolbox-demo" / "more.npz").read_bytes() == (tmp_path / "more.npz").read_bytes()
    entry.set_input_files(tmp_path / "evil.py")
    page.get_by_text("Not taken").wait_for()
    assert not list(server.folder.rglob("evil.py"))


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_no_serious_fault(browser, server, width, scheme):
    page = opened(browser, server, width, scheme)
    for tab in TABS:
        show(page, tab)
        settled(page)
        assert (tab, faults(page)) == (tab, [])
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing hangs over the edge"
    show(page, "Settings")
    page.get_by_label("Set a key by its name").fill("simulation.duratoin = 32")
    page.get_by_role("button", name="Set", exact=True).click()
    page.locator(".q-notification").wait_for()
    settled(page)
    assert faults(page) == [], "what is wrong can be read too"
    assert page.said == []
    page.close()


def test_two_tabs_show_the_same_settings(page, browser, server):
    show(page, "Settings")
    other = opened(browser, server)
    set_key(other, "simulation.duration = 17")
    page.get_by_text("simulation (").click()
    page.wait_for_function("[...document.querySelectorAll('input')].some(i => i.value == '17')")
    set_key(other, "simulation.duration = 16")
    other.close()


def test_a_second_page_in_the_folder_is_refused(server):
    words = [sys.executable, "-m", "snntoolbox", "gui", str(server.folder), "--no-browser"]
    second = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert second.returncode == 2
    assert "another page is open" in second.stderr


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="the system has no SIGHUP")
def test_a_closed_terminal_ends_it(tmp_path):
    server = Server(tmp_path)
    assert server.ask("/")[0] == 403
    server.process.send_signal(signal.SIGHUP)
    assert server.process.wait(PATIENCE) == 129


def test_who_has_no_token_or_asks_for_more_is_kept_out(server, browser):
    address = urlsplit(server.address)
    token = {"Cookie": f"snntoolbox-{address.port}={address.query.removeprefix('token=')}"}
    assert server.ask("/", **token)[0] == 200
    for path in ("/", "/report?page=snntoolbox-demo/log/demo_onnx/report.html", "/_nicegui_ws/socket.io/?EIO=4"):
        assert server.ask(path)[0] == 403
    assert server.ask("/?token=wrong")[0] == 403
    assert server.ask("/", **token, Host=f"attacker.example:{address.port}")[0] == 403
    outside = server.folder.parent / "report.html"
    outside.write_text("secret")
    (server.folder / "out").symlink_to(outside.parent)
    for path in ("../report.html", str(outside), "out/report.html", "%2e%2e/report.html", "snntoolbox-gui.ini"):
        code, text = server.ask(f"/report?page={path}", **token)
        assert (code, "secret" in text) == (404, False)
    for path in ("/docs", "/openapi.json", "/snntoolbox-gui.ini", "/../report.html"):
        assert server.ask(path, **token)[0] == 404


def test_a_run_ends_with_a_server_that_is_killed(browser, tmp_path):
    session = Session(WorkFolder(tmp_path))
    session.open_demo()
    for key, text in {"duration": "4000", "engine": "reference"}.items():
        session.set(f"simulation.{key}", text)
    server = Server(tmp_path)
    page = opened(browser, server)
    started(page)
    ended(page, "Evaluating the model")
    (child,) = server.children
    server.process.kill()
    server.process.wait()
    page.close()
    child.wait(PATIENCE)
    assert os.listdir(tmp_path / "snntoolbox-demo" / "log") == []


def test_ctrl_c_ends_it_and_what_runs(page, server):
    set_key(page, "simulation.duration = 4000")
    set_key(page, "simulation.engine = reference")
    started(page)
    ended(page, "run: ")
    children = server.children
    page.goto("about:blank")
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(PATIENCE) == 0
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
