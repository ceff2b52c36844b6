"""Follows the links of real mail in a browser: pages.py BINARY AXE PICTURES FOLDER [--write].

The server sends its mail to a relay of ours. Every kind of link is followed in the languages that there are, and pressed.
What was pressed is looked up in the service. Every page is shown at 375 and 1280 px, light and dark, and complained about
when axe finds something, when it cannot be read (tests/notices/looks.js) or when it has to be scrolled sideways at 320 px.
The pictures are compared with those of the repository, or replace them with --write."""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "notices"))

from chromium import Chromium  # noqa: E402
from pictures import THRESHOLD, compare, picture  # noqa: E402
from smtp import Relay  # noqa: E402

# A Monday in winter, in the zone of the people: half past nine.
NOW = "2026-11-23 08:30:10"
ZONE = "Europe/Berlin"
LOCALES = ("en", "de")
WIDTHS = (375, 1280)
SCHEMES = ("light", "dark")
COLOURS = 64
PASSWORD = "correct horse battery staple"
ADMIN = "administrator"
# Pictures are of the same letters on every machine. A constructed sheet, since the policy of the pages allows no other.
FONT = """(() => { const sheet = new CSSStyleSheet();
sheet.replaceSync("* { font-family: 'Liberation Sans' !important; caret-color: transparent !important }");
document.adoptedStyleSheets = [sheet]; document.activeElement?.blur(); })()"""


class Browser(Chromium):
    """A browser that reaches this machine only, and moves from page to page."""

    def __init__(self, program, profile):
        super().__init__(program, profile, "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1")

    def open(self, url):
        answer = self.send("Page.navigate", url=url)
        if "errorText" in answer:
            raise SystemExit(f"{url}: {answer['errorText']}")
        self._loaded()

    def press(self, selector):
        """Presses what the selector names with the mouse, and waits for the page that follows."""
        self.evaluate("window.before = true")
        box = self.evaluate(f"""(() => {{ const element = document.querySelector({json.dumps(selector)});
            if (!element) return null; element.scrollIntoView({{ block: 'center' }});
            const box = element.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()""")
        if not box:
            raise SystemExit(f"there is no {selector} in {self.evaluate('document.body.innerText')}")
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)
        self._loaded()

    def _loaded(self):
        while True:
            try:
                if self.evaluate("!window.before && document.readyState === 'complete'"):
                    return
            except RuntimeError:
                # The page is being replaced.
                pass

    def text(self):
        return self.evaluate("document.body.innerText")


class Service:
    """The real server, at a time of its own."""

    def __init__(self, binary, home, relay):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base, self._log = f"http://127.0.0.1:{port}", open(home / "log", "wb")
        environment = {
            "TZ": "UTC", "LD_PRELOAD": faketime(), "FAKETIME": f"@{NOW}", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PATH": os.environ["PATH"], "HOST": "127.0.0.1", "PORT": str(port), "PUBLIC_URL": self.base,
            "DATABASE_URL": "sqlite://taskflow.db", "SMTP_FROM_EMAIL": "taskflow@example.org", "DEBUG": "true",
            "CHANGE_QUIET_SECONDS": "1", "RATE_LIMITS": "off",
        }
        if relay:
            environment |= {"SMTP_SERVER": "127.0.0.1", "SMTP_PORT": str(relay.port)}
        self._process = subprocess.Popen([binary, "serve"], cwd=home, env=environment, stdout=self._log, stderr=self._log)
        for _ in range(600):
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
            except OSError:
                if self._process.poll() is not None:
                    raise SystemExit(f"the server did not start:\n{(home / 'log').read_text()}") from None
                self.wait()
        administrator = ["user", "create", "--admin", "--username", ADMIN, "--email", f"{ADMIN}@example.org", "--password-stdin"]
        made = subprocess.run([binary, *administrator], cwd=home, env=environment, input=PASSWORD.encode(), capture_output=True)
        if made.returncode:
            raise SystemExit(f"no administrator: {made.stderr.decode()}")

    def wait(self):
        try:
            self._process.wait(0.1)
        except subprocess.TimeoutExpired:
            pass

    def call(self, method, path, body=None, token=None, headers=()):
        """Status, headers and text of an answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, dict(headers), method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def json(self, method, path, body=None, token=None):
        status, _, text = self.call(method, path, body, token)
        if status >= 400:
            raise SystemExit(f"{method} {path}: {status} {text}")
        return json.loads(text) if text else None

    def close(self):
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)
        self._log.close()


def faketime():
    known = os.environ.get("FAKETIME_LIBRARY")
    folders = [*pathlib.Path("/usr/lib").glob("*/faketime"), pathlib.Path("/usr/lib/faketime")]
    found = [folder / "libfaketime.so.1" for folder in folders if (folder / "libfaketime.so.1").exists()]
    return known or (str(found[0]) if found else sys.exit("there is no libfaketime"))


def html(message):
    return message.get_body(("html",)).get_content()


def link(message, page):
    """The first link of a mail to that kind of page."""
    found = re.search(rf"https?://\S+?/{page}/[\w-]+", message.get_body(("plain",)).get_content())
    return found[0] if found else sys.exit(f"no /{page}/ in {message['Subject']}")


def labelled(message, page, words):
    """The link of a mail to that kind of page whose label has these words."""
    for line in message.get_body(("plain",)).get_content().splitlines():
        found = re.search(rf"https?://\S+?/{page}/[\w-]+", line)
        if found and words in line:
            return found[0]
    return sys.exit(f"no {words} in {message.get_body(('plain',)).get_content()}")


class Walk:
    """Everything that is looked at."""

    def __init__(self, service, relay, browser, arguments):
        self.service, self.relay, self.browser = service, relay, browser
        self.pictures, self.folder, self.write = arguments.pictures, arguments.folder, arguments.write
        self.axe = arguments.axe.read_text()
        self.looks = (HERE.parent / "notices" / "looks.js").read_text()
        self.complaints, self.kept, self.worst, self.pressed = [], set(), 0.0, 0

    def check(self, is_so, what):
        if not is_so:
            self.complaints.append(f"{what}: {self.browser.text()[:400]!r}")

    def see(self, locale, name):
        """Looks at the page that is shown."""
        browser = self.browser
        self.check(browser.evaluate("document.documentElement.lang") == locale, f"{name} is not in {locale}")
        self.check(browser.evaluate("document.scripts.length") == 0, f"{name} has a script")
        browser.evaluate(FONT)
        for width in (320, *WIDTHS):
            for scheme in SCHEMES:
                browser.send("Emulation.setDeviceMetricsOverride", width=width, height=600, deviceScaleFactor=1, mobile=False)
                browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
                where = f"{locale}/{name} at {width} px, {scheme}"
                self.complaints += [f"{where}: {complaint}" for complaint in browser.evaluate(self.looks)]
                if width not in WIDTHS:
                    continue
                if not browser.evaluate("!!window.axe"):
                    browser.evaluate(self.axe + "; 0")
                found = browser.evaluate("axe.run().then(({ violations }) => violations.map("
                                         "({ id, nodes }) => id + ': ' + nodes[0].html.slice(0, 120)))")
                self.complaints += [f"{where}: axe: {complaint}" for complaint in found]
                file = f"{locale}/{name}-{width}-{scheme}.png"
                self.kept.add(file)
                seen = picture(browser.picture(width), COLOURS)
                differs = compare(seen, self.pictures / file, self.write)
                self.worst = max(self.worst, differs)
                if differs > THRESHOLD:
                    seen.save(self.folder / file.replace("/", "-"))
                    self.complaints.append(f"{where}: {differs:.1%} differ from {self.pictures / file}")

    def visit(self, locale, name, url):
        self.browser.open(url)
        self.see(locale, name)

    def press(self, locale, name, selector):
        self.browser.press(selector)
        self.pressed += 1
        self.see(locale, name)

    def person(self, name, locale):
        body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD, "time_zone": ZONE, "locale": locale}
        self.service.json("POST", "/api/auth/register", body)
        return self.service.json("POST", "/api/auth/login", {"username": name, "password": PASSWORD})["access_token"]

    def account(self, locale, name):
        """Verifying an address, and setting a password."""
        token = self.person(name, locale)
        url = link(self.relay.mail(name, ""), "v")
        self.visit(locale, "verify", url)
        self.check(name in self.browser.text(), "whose account it is")
        self.press(locale, "verify-done", "main button")
        self.check(self.service.json("GET", "/api/users/me", token=token)["email_verified"], "the address is verified")
        self.visit(locale, "verify-again", url)
        self.service.call("POST", "/api/auth/password/forgot", {"email": f"{name}@example.org"})
        url = link(self.relay.mail(name, ""), "p")
        self.visit(locale, "password", url)
        fields = self.browser.evaluate("[...document.querySelectorAll('input')].map((input) => "
                                       "[input.autocomplete, input.name, input.value])")
        self.check(fields[:1] == [["username", "username", name]], f"a password manager is told {fields}")
        self.browser.evaluate("(() => { const input = document.getElementById('password');"
                              "input.removeAttribute('minlength'); input.value = 'short'; })()")
        self.press(locale, "password-refused", "main button")
        self.browser.evaluate(f"document.getElementById('password').value = {json.dumps(PASSWORD + ' 2')}")
        self.press(locale, "password-done", "main button")
        body = {"username": name, "password": PASSWORD + " 2"}
        token = self.service.json("POST", "/api/auth/login", body)["access_token"]
        return token, url

    def answers(self, token):
        """Each answer link of a real mail, pressed in the mail itself."""
        answers = [("accept", "accepted"), ("maybe", "tentative"), ("decline", "declined")]
        guests = [{"email": f"{key}-{locale}@example.org", "name": "Ada Lovelace", "locale": locale, "time_zone": ZONE}
                  for locale in LOCALES for key, _ in answers]
        meeting = self.service.json("POST", "/api/meetings/", {
            "title": "Quarterly review", "meeting_date": "2026-11-24T11:30:00", "time_zone": ZONE,
            "location": "Room 4, second floor", "meeting_url": "https://meet.example.org/quarterly",
            "description": "The figures of the last quarter, and what follows from them.", "participants": guests,
        }, token)
        path = f"/api/meetings/{meeting['id']}"

        def answer_of(address):
            people = self.service.json("GET", path, token=token)["participants"]
            one = next(one for one in people if one["email"] == address)
            return one["response_status"], one.get("comment")

        links = {}
        for locale in LOCALES:
            for number, (key, response) in enumerate(answers):
                address = f"{key}-{locale}@example.org"
                mail = self.relay.mail(address, "Quarterly review")
                self.browser.show(html(mail), 800, "light")
                self.browser.press(f"a[href*='/r/']:nth-of-type({number + 1})")
                url = self.browser.evaluate("location.href")
                links.setdefault(locale, url)
                self.see(locale, f"answer-{key}")
                primary = self.browser.evaluate("[...document.querySelectorAll('button.primary')].map((one) => one.value)")
                self.check(primary == [response], f"{key} leads to {primary}")
                for method in ("GET", "HEAD"):
                    self.check(self.service.call(method, url.removeprefix(self.service.base))[0] == 200, f"{method} {key}")
                self.check(answer_of(address)[0] == "pending", f"looking at {key} changes nothing")
                self.browser.evaluate("document.querySelector('textarea').value = 'I will be five minutes late.'")
                self.browser.press("button.primary")
                self.pressed += 1
                self.check(answer_of(address) == (response, "I will be five minutes late."), f"{key} is saved")
                self.see(locale, f"answer-{key}-saved")
                ics = self.browser.evaluate("document.querySelector('a[download]').href").removeprefix(self.service.base)
                status, headers, text = self.service.call("GET", ics)
                self.check(status == 200 and "text/calendar" in headers["Content-Type"] and "SUMMARY:Quarterly review" in text,
                           "the calendar file")
            # A change of mind, and an answer that does not fit.
            self.browser.press("button[value=accepted]")
            self.check(answer_of(f"decline-{locale}@example.org")[0] == "accepted", "a change of mind")
            self.browser.evaluate("(() => { const text = document.querySelector('textarea');"
                                  "text.removeAttribute('maxlength'); text.value = 'x'.repeat(1001); })()")
            self.browser.press("button[value=tentative]")
            self.check("x" not in (answer_of(f"decline-{locale}@example.org")[1] or ""), "a comment that is too long")
            self.see(locale, "answer-refused")
        # What was answered to another time and place is asked again.
        version = self.service.json("GET", path, token=token)["version"]
        change = {"meeting_date": "2026-11-25T10:00:00", "location": "Room 7"}
        self.service.json("PATCH", path, change, token)
        for locale, link in links.items():
            self.visit(locale, "answer-changed", link)
        self.check(self.service.json("GET", path, token=token)["version"] > version, "the meeting has changed")

    def organizer(self, locale, name, token):
        """A meeting as its organizer and as an invited account see it."""
        meeting = self.service.json("POST", "/api/meetings/", {
            "title": "Board meeting" if locale == "en" else "Vorstandssitzung", "meeting_date": "2026-11-23T15:00:00",
            "time_zone": ZONE, "reminder_minutes": 330, "participants": [
                {"email": f"guest-{locale}@example.org", "name": "Grace Hopper", "locale": locale},
                {"email": f"other-{locale}@example.org", "locale": locale},
            ],
        }, token)
        url = link(self.relay.mail(f"guest-{locale}@", meeting["title"]), "r")
        reminder = self.relay.mail(name, meeting["title"])
        self.visit(locale, "meeting-organizer", link(reminder, "r"))
        self.service.json("DELETE", f"/api/meetings/{meeting['id']}", token=token)
        self.visit(locale, "meeting-cancelled", url)
        self.check(not self.browser.evaluate("document.forms.length"), "a cancelled meeting takes no answer")

    def tasks(self, locale, name, token):
        """Done and Snooze of a due task, the task itself, and the day."""
        words = {"en": ("Water the plants", "1 hour", "details"), "de": ("Blumen gießen", "1 Stunde", "Einzelheiten")}[locale]

        def task(title):
            body = {"title": title, "due_at": "2026-11-23T08:40:00Z", "reminder_minutes": 60, "priority": "high",
                    "description": "The ones on the balcony, too."}
            return self.service.json("POST", "/api/tasks/", body, token), self.relay.mail(name, title)

        first, mail = task(words[0])
        path = f"/api/tasks/{first['id']}"
        pages = re.findall(r"https?://\S+?/t/[\w-]+", mail.get_body(("plain",)).get_content())
        done, hour = pages[0], labelled(mail, "t", words[1])
        self.visit(locale, "task", pages[-1])
        self.visit(locale, "task-snooze", hour)
        self.check(self.browser.evaluate("document.querySelector('button.primary').value") == "hour", "an hour first")
        self.press(locale, "task-snoozed", "button.primary")
        self.check(self.service.json("GET", path, token=token)["due_at"] == first["due_at"], "the due time stays")
        self.visit(locale, "task-done", done)
        self.check(self.service.json("GET", path, token=token)["status"] == "pending", "looking changes nothing")
        self.press(locale, "task-done-saved", "button.primary")
        self.check(self.service.json("GET", path, token=token)["status"] == "completed", "done")
        self.visit(locale, "task-done-already", done)
        url = re.search(r"<(http\S+/u/\S+)>", mail["List-Unsubscribe"])[1]
        self.visit(locale, "unsubscribe", url)
        self.press(locale, "unsubscribe-done", "main button")
        return done

    def days(self, people):
        """The day, and a task of it, behind the link of a summary."""
        for name, locale in people.items():
            token = self.service.json("POST", "/api/auth/login", {"username": name, "password": PASSWORD + " 2"})["access_token"]
            for title, due in (("Pay the invoice", "2026-11-20T10:00:00Z"), ("Prepare the board meeting", "2026-11-23T14:00:00Z"),
                               ("Answer the customs office", "2026-11-25T09:00:00Z"), ("Tidy up the shared folder", None)):
                self.service.json("POST", "/api/tasks/", {"title": title, "due_at": due}, token)
            self.service.json("POST", "/api/meetings/", {"title": "Quarterly review", "meeting_date": "2026-11-23T16:30:00",
                                                         "time_zone": ZONE}, token)
        login = {"username": ADMIN, "password": PASSWORD}
        token = self.service.json("POST", "/api/auth/login", login)["access_token"]
        self.service.json("POST", "/api/jobs/daily_summaries/run", token=token)
        for name, locale in people.items():
            mail = self.relay.mail(name, {"en": "Your day", "de": "Ihr Tag"}[locale])
            self.visit(locale, "day", link(mail, "d"))
            self.browser.press("main a[href*='/t/']")
            self.check("Pay the invoice" in self.browser.text(), "the day leads to its tasks")

    def strangers(self, locale, dead):
        """What there is nothing behind, in the language of the browser."""
        self.browser.send("Network.setExtraHTTPHeaders", headers={"Accept-Language": locale})
        self.visit(locale, "start", self.service.base + "/")
        for name, url in {**dead, "not-found": self.service.base + "/nowhere"}.items():
            self.visit(locale, name, url)
        self.check(self.browser.evaluate("document.querySelectorAll('main button').length") == 0, "no healthy button")
        self.browser.send("Network.setExtraHTTPHeaders", headers={})

    def mailbox(self, service):
        """What a server without a relay would have sent."""
        body = {"username": "grace", "email": "grace@example.org", "password": PASSWORD, "time_zone": ZONE}
        service.json("POST", "/api/auth/register", body)
        for _ in range(100):
            if "grace@example.org" in service.call("GET", "/api/mailbox")[2]:
                break
            service.wait()
        for locale in LOCALES:
            self.browser.send("Network.setExtraHTTPHeaders", headers={"Accept-Language": locale})
            self.browser.open(service.base + "/mailbox")
            self.steady(locale, "mailbox")
            self.browser.press("main a")
            self.steady(locale, "mailbox-mail")
            self.browser.press("nav a:nth-of-type(3)")
            self.steady(locale, "mailbox-text")
        self.browser.send("Network.setExtraHTTPHeaders", headers={})

    def steady(self, locale, name):
        """Looks at a page whose time, link and address of the service are others each time."""
        self.browser.evaluate("""(() => {
            const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (texts.nextNode()) {
                texts.currentNode.data = texts.currentNode.data
                    .replace(/127[.]0[.]0[.]1:[0-9]+/g, "tasks.example.org")
                    .replace(/[/]v[/][\\w-]+/g, "/v/TOKEN")
                    .replace(/\\b[0-9]{1,2}:[0-9]{2}\\b/g, "08:30");
            }
        })()""")
        self.see(locale, name)

    def everything(self):
        self.browser.send("Network.enable")
        token = None
        for locale, name in (("en", "alice"), ("de", "emil")):
            token, used = self.account(locale, name)
            unknown = self.tasks(locale, name, token)[:-3] + "AAA"
            self.organizer(locale, name, token)
            self.strangers(locale, {"link-used": used, "link-unknown": unknown})
        self.days({"alice": "en", "emil": "de"})
        self.answers(token)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("binary", type=pathlib.Path)
    arguments.add_argument("axe", type=pathlib.Path)
    arguments.add_argument("pictures", type=pathlib.Path)
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("--write", action="store_true")
    arguments = arguments.parse_args()
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        sys.exit("there is no chromium")
    relay = Relay()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        home = arguments.folder / "home"
        home.mkdir()
        alone = arguments.folder / "alone"
        alone.mkdir()
        service = Service(arguments.binary.resolve(), home, relay)
        captures = Service(arguments.binary.resolve(), alone, None)
        try:
            browser = Browser(program, profile)
            try:
                walk = Walk(service, relay, browser, arguments)
                walk.everything()
                walk.mailbox(captures)
            finally:
                browser.close()
        finally:
            service.close()
            captures.close()
    pictures = {str(path.relative_to(arguments.pictures)) for path in arguments.pictures.rglob("*.png")}
    for name in sorted(pictures - walk.kept):
        if arguments.write:
            (arguments.pictures / name).unlink()
        else:
            walk.complaints.append(f"{name} is a picture of nothing")
    for complaint in walk.complaints:
        print(complaint, file=sys.stderr)
    failed = len(walk.complaints)
    print(json.dumps({"pictures": len(walk.kept), "worst": round(walk.worst, 4), "pressed": walk.pressed, "failed": failed}))
    # None at all is no success.
    return 1 if failed or not walk.kept else 0


sys.exit(main())
