"""The dashboard in a real Chromium, in front of a real proxy and an API that counts: figures change under load, a purge by its
form asks first and drops an entry, explain by its form says why, tables sort by keyboard, a hostile path stays text, nothing is
asked of anybody else, no width of 400 px or more scrolls sideways, what is wider is scrolled by keyboard, and no function of the
page is there for nothing.

    run.py ASIDE CHROMIUM [FOLDER FOR SCREENSHOTS]
"""

import http.server
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HOSTILE = "/fruit/%3Cimg%20src=x%20onerror=alert(1)%3E"
# The same as it would be if something on its way decoded it.
MARKUP = "/fruit/<img src=x onerror=alert(1)>"
CONFIG = """
listen = "127.0.0.1:{proxy}"
origin = "http://127.0.0.1:{api}"
[admin]
listen = "127.0.0.1:{admin}"
{token}
[[route]]
path = "/fruit/{{id}}"
key = "fruit:{{id}}"
ttl = "1h"
[[route]]
path = "/pages/{{page}}"
ttl = "1h"
invalidated_by = ["POST /pages/{{page}}"]
"""
TOKEN = "open-sesame-open-sesame"
passed = failed = 0
# The functions of the page's script, and those that were called.
named: set[str] = set()
called: set[str] = set()


def check(text: str, holds: bool, more: object = "") -> None:
    global passed, failed
    passed += bool(holds)
    failed += not holds
    print(f"  {'ok  ' if holds else 'FAIL'}  {text}{'' if holds else f': {more}'}", flush=True)


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(json.dumps({"path": self.path}).encode())

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.answer(b"{}")

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    numbers = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return numbers


def ask(port: int, path: str, method: str = "GET", body: bytes | None = None) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method, data=body)
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()
        return answer.headers["X-Cache"] or ""


def until(what: str, holds) -> bool:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            if holds():
                return True
        except OSError:
            pass
        time.sleep(0.05)
    return False


class Aside:
    def __init__(self, binary: str, api: int, token: str = "") -> None:
        self.proxy, self.admin = ports(2)
        self.folder = tempfile.TemporaryDirectory()
        file = Path(self.folder.name) / "proxy.toml"
        file.write_text(CONFIG.format(proxy=self.proxy, api=api, admin=self.admin, token=f'token = "{token}"' if token else ""))
        self.process = subprocess.Popen([binary, "serve", "--config", str(file)], stderr=subprocess.DEVNULL)
        up = until("it serves", lambda: urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/readyz", timeout=2).status == 200)
        assert up, "aside does not serve"

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)
        self.folder.cleanup()


class Calls:
    """Which functions of the script are called while this is open."""

    def __init__(self, page: Page) -> None:
        self.session = page.context.new_cdp_session(page)

    def __enter__(self) -> None:
        self.session.send("Profiler.enable")
        self.session.send("Profiler.startPreciseCoverage", {"callCount": True, "detailed": False})

    def __exit__(self, *_: object) -> None:
        for script in self.session.send("Profiler.takePreciseCoverage")["result"]:
            for function in script["functions"] if script["url"].endswith("/page.js") else []:
                named.add(function["functionName"])
                if function["ranges"][0]["count"] > 0:
                    called.add(function["functionName"])


def text(page: Page, selector: str) -> str:
    return page.locator(selector).inner_text()


def row(page: Page, table: str, beginning: str) -> list[str]:
    for one in page.locator(f"#{table} tbody tr").all():
        cells = one.locator("td").all_inner_texts()
        if cells and cells[0].startswith(beginning):
            return cells
    return []


def look(page: Page, aside: Aside, shots: Path | None) -> None:
    troubles: list[str] = []
    elsewhere: list[str] = []
    page.on("console", lambda told: troubles.append(told.text) if told.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: (troubles.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: elsewhere.append(request.url) if f"127.0.0.1:{aside.admin}/" not in request.url else None)
    page.goto(f"http://127.0.0.1:{aside.admin}/")
    page.locator("#main").wait_for(state="visible")

    for number in range(40):
        ask(aside.proxy, f"/fruit/{number % 4}")
        ask(aside.proxy, "/pages/1")
    ask(aside.proxy, HOSTILE)
    ask(aside.proxy, "/fruit/9", "PUT", b"{}")
    check("figures change under load", until("figures", lambda: (page.wait_for_timeout(50), row(page, "routes", "/fruit/{id}")[1:2] == ["42"])[1]), row(page, "routes", "/fruit/{id}"))
    check("the hit ratio is there", text(page, "#ratio").endswith("%"), text(page, "#ratio"))
    check("the write is there with what it dropped", "PUT /fruit/9" in text(page, "#writes"), text(page, "#writes"))
    check("misses have their reason", "The last one" in text(page, "#misses") and len(page.locator("#misses tbody tr").all()) > 0)
    check("a hostile path is text", HOSTILE in text(page, "#misses") and page.locator("img").count() == 0, text(page, "#misses"))
    spared = row(page, "routes", "/pages/{page}")[-1:]
    dropped = row(page, "routes", "/fruit/{id}")[-1:]
    check("what a write dropped of its own route is told with the rule", dropped and "PUT /fruit/" in dropped[0], dropped)
    check("no write is said to have dropped what it may have spared", spared == ["–"] and spared != ["PUT /fruit/9"] and ask(aside.proxy, "/pages/1") == "HIT", spared)

    ask(aside.proxy, "/fruit/1")
    check("before a purge the entry is a hit", ask(aside.proxy, "/fruit/1") == "HIT")
    page.select_option("#purge select", "url")
    page.fill("#purge input[name=name]", "/fruit/1")
    page.keyboard.press("Enter")
    check("it asks first, and what", page.locator("#sure").is_visible() and "/fruit/1" in text(page, "#sure-what"))
    page.keyboard.press("Escape")
    page.wait_for_timeout(300)
    check("left alone it drops nothing", ask(aside.proxy, "/fruit/1") == "HIT")
    page.click("#purge button")
    page.click("#sure button[value=yes]")
    page.locator("#purged", has_text="Purged").wait_for()
    check("a purge by the form drops the entry", ask(aside.proxy, "/fruit/1") == "MISS")
    page.fill("#purge input[name=name]", "")
    page.click("#purge button")
    check("a purge of nothing is told", "Which url?" in text(page, "#purged"), text(page, "#purged"))

    page.fill("#explain input[name=url]", "/fruit/1")
    page.focus("#explain input[name=url]")
    page.keyboard.press("Enter")
    page.locator("#explained", has_text="fruit:1").wait_for()
    check("explain says the key", "fruit:1" in text(page, "#explained"))

    page.focus("#routes th button[data-key=name]")
    page.keyboard.press("Enter")
    names = [cells[0] for cells in (one.locator("td").all_inner_texts() for one in page.locator("#routes tbody tr").all())]
    check("routes sort by keyboard", names == sorted(names), names)
    check("and say so", page.locator("#routes th").first.get_attribute("aria-sort") == "ascending")
    reached = []
    page.focus(".skip")
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.dataset.key || document.activeElement.name || document.activeElement.textContent"))
    check("forms are reached by keyboard", "url" in reached and "name" in reached, reached)

    for figure, heading in (("rate", "Now"), ("ratio", "Since the start"), ("saved", "Since the start"), ("chart-ratio", "The last hour"), ("routes", "Routes, since the start")):
        above = page.locator(f"section:has(#{figure}) h2").inner_text()
        check(f"{figure} is below what it is of", above == heading, above)

    page.set_viewport_size({"width": 400, "height": 900})
    for table in ("routes", "writes", "misses"):
        wide = page.locator(f".wide:has(#{table})")
        room = wide.evaluate("wide => wide.scrollWidth - wide.clientWidth")
        page.focus(".skip")
        for _ in range(30):
            page.keyboard.press("Tab")
            if wide.evaluate("wide => wide === document.activeElement"):
                break
        page.keyboard.press("ArrowRight")
        moved = room <= 0 or until("it moves", lambda: (page.wait_for_timeout(50), wide.evaluate("wide => wide.scrollLeft") > 0)[1])
        check(f"{table} at 400 px need no scrolling, or are scrolled by keyboard", moved, room)
        check(f"{table} have a name where they are focused", bool(wide.get_attribute("aria-labelledby")), wide.get_attribute("class"))

    for width in (400, 800, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        wide = page.evaluate("document.documentElement.scrollWidth")
        check(f"{width} px do not scroll sideways", wide <= width, wide)
        inside = page.evaluate("[...document.querySelectorAll('.wide')].map((one) => one.scrollWidth - one.clientWidth)")
        narrow = page.evaluate("Math.min(...[...document.querySelectorAll('#routes td')].map((one) => one.clientWidth))")
        check(f"nor do its tables, and no text is broken letter by letter ({narrow} px)", max(inside) <= 0 and narrow >= 70, inside)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        check(f"{scheme} is {scheme}", (ground == "rgb(251, 251, 249)") == (scheme == "light"), ground)
        if shots:
            for width in (400, 1280):
                page.set_viewport_size({"width": width, "height": 900})
                page.screenshot(path=str(shots / f"{scheme}-{width}.png"), full_page=True)
    check("nothing is asked of anybody else", not elsewhere, elsewhere)
    check("no error, no warning, no dialog", not troubles, troubles)


def answered(page: Page, path: str, change) -> None:
    """Has the page get what the process answers, changed."""

    def handle(route) -> None:
        answer = route.fetch()
        value = answer.json()
        change(value)
        route.fulfill(response=answer, json=value)

    page.route(f"**{path}", handle)


def look_at_figures(page: Page, aside: Aside, shots: Path | None) -> None:
    """An hour, markup, a restart: what takes long, or what no client can bring about, in the place of the process's answers."""
    now = time.time_ns() // 1_000_000
    asked: list[int] = []

    def hour(recent: dict) -> None:
        idle = dict(seconds=10.0, requests=0, hits=0, hit_p50=None, hit_p99=None, origin_p50=None, origin_p99=None, saved_origin_seconds=0.0)
        busy = idle | dict(requests=5, hits=4, hit_p50=0.0002, hit_p99=0.001, origin_p50=0.02, origin_p99=0.09)
        recent["series"] = [(busy if number % 120 else idle) | {"at": now - 10_000 * (359 - number)} for number in range(360)]
        recent["figures"]["requests"] = 7 if asked else 5_000
        asked.append(1)
        recent["writes"] = [dict(at=now, method="PUT", path=MARKUP, route=MARKUP, status=200, seconds=0.1, dropped=MARKUP, rule=MARKUP, done="confirmed")]
        recent["misses"] = [dict(reason="x", sentence=MARKUP, count=1, at=now, path=MARKUP, route=MARKUP)]

    answered(page, "/recent", hour)
    page.goto(f"http://127.0.0.1:{aside.admin}/")
    page.locator("#chart-rate .one").wait_for(state="attached")
    for chart, lines in (("rate", 2), ("ratio", 1), ("hit", 2), ("origin", 2)):
        drawn = [path.get_attribute("d").count("L") for path in page.locator(f"#chart-{chart} path:not(.axis)").all()]
        check(f"the last hour of {chart} is drawn", len(drawn) == lines and min(drawn) > 300, drawn)
    check("little is not called nothing", "at most 0.5" in text(page, "figure >> nth=0"), text(page, "figure >> nth=0"))
    shown = [text(page, f"#{table}").count(MARKUP) for table in ("writes", "misses")]
    check("markup is text wherever it is", shown == [3, 2] and page.locator("img").count() == 0, shown)
    until("it is asked after the restart", lambda: (page.wait_for_timeout(50), len(asked) > 1)[1])
    page.wait_for_timeout(300)
    check("after a restart no figure is below nothing", not text(page, "#rate").startswith("-"), text(page, "#rate"))
    if shots:
        page.set_viewport_size({"width": 1280, "height": 900})
        page.screenshot(path=str(shots / "hour-1280.png"))


def look_when_it_is_gone(page: Page, aside: Aside) -> None:
    page.goto(f"http://127.0.0.1:{aside.admin}/")
    page.locator("#main").wait_for(state="visible")
    page.route("**/status", lambda route: route.abort())
    page.locator("#trouble").wait_for(state="visible")
    page.evaluate("told = 0; new MutationObserver(() => told += 1).observe(document.getElementById('trouble'), { childList: true })")
    page.evaluate("refresh().then(refresh)")
    check("what is wrong is read aloud once", page.evaluate("told") == 0, page.evaluate("told"))


def look_with_token(page: Page, aside: Aside) -> None:
    page.goto(f"http://127.0.0.1:{aside.admin}/")
    page.locator("#login").wait_for(state="visible")
    check("with a token it asks for it, and shows nothing", not page.locator("#main").is_visible())
    check("and does not say that it asks the process", until("the page", lambda: text(page, "#what") == ""), text(page, "#what"))
    page.fill("#token", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_timeout(500)
    check("a wrong one opens nothing, and is told", not page.locator("#main").is_visible() and "not the token" in text(page, "form#login"), text(page, "form#login"))
    page.evaluate(
        "const asks = fetch; fetch = async (...all) => { const answer = await asks(...all);"
        " if (answer.status === 401) { await new Promise((done) => setTimeout(done, 1000)); late = true; } return answer; }; void refresh()"
    )
    page.fill("#token", TOKEN)
    page.keyboard.press("Enter")
    page.locator("#main").wait_for(state="visible")
    check("the right one does", "serving" in text(page, "#what"), text(page, "#what"))
    check("there was a late answer", until("it", lambda: (page.wait_for_timeout(50), page.evaluate("window.late === true"))[1]))
    page.wait_for_timeout(300)
    check("a late answer to an earlier one does not take it away", page.locator("#main").is_visible())


def main() -> int:
    binary, chromium = sys.argv[1:3]
    shots = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    api = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        looks = (
            ("", lambda page, aside: look(page, aside, shots)),
            ("", lambda page, aside: look_at_figures(page, aside, shots)),
            ("", look_when_it_is_gone),
            (TOKEN, look_with_token),
        )
        for token, steps in looks:
            aside = Aside(binary, api.server_address[1], token)
            try:
                page = browser.new_page()
                with Calls(page):
                    steps(page, aside)
                page.unroute_all(behavior="ignoreErrors")
                page.close()
            finally:
                aside.stop()
        browser.close()
    check("no function of the script is there for nothing", called and named == called, named - called)
    print(f"\n{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
