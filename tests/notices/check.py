"""Reads notices as mail programs do, with a parser that knows nothing of ours: check.py FOLDER, which examples/notices.rs
has filled. One line of JSON, and the reasons when it failed."""

import email
import email.policy
import html.parser
import json
import pathlib
import re
import sys

# What no mail of ours contains, whatever people typed.
FORBIDDEN_TAGS = {"script", "img", "iframe", "object", "embed", "link", "base", "form", "input", "svg", "video", "audio"}
HEADERS = ["From", "To", "Date", "Message-ID", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type"]
SINGLE = {"from", "to", "cc", "reply-to", "date", "message-id", "subject", "in-reply-to", "references", "bcc", "sender"}


class Page(html.parser.HTMLParser):
    """What a browser would see."""

    def __init__(self):
        super().__init__()
        self.tags, self.links, self.found, self.text, self.open = set(), [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in ("meta", "br", "hr"):
            self.open.append(tag)
        for name, value in attrs:
            value = value or ""
            if name == "href":
                self.links.append(value)
            if name.startswith("on") or name in ("src", "srcset", "background", "action"):
                self.found.append(f"<{tag} {name}>")
            if "url(" in value.lower():
                self.found.append(f"<{tag} {name}={value[:60]}>")

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.found.append(f"</{tag}> closes nothing")

    def handle_data(self, data):
        self.text.append(data)


def shape(source):
    """What RFC 5322 §2.1 asks of lines."""
    if not source.endswith(b"\r\n") or re.search(rb"[^\r]\n|\r[^\n]", source):
        yield "lines do not end in CRLF"
    if any(len(line) > 998 for line in source.split(b"\r\n")):
        yield "a line is too long"
    if not source.isascii():
        yield "it is not ASCII"


def headers(message, expected):
    for name in HEADERS:
        if message[name] is None:
            yield f"no {name}"
    names = [name.lower() for name in message.keys()]
    for name in SINGLE:
        if names.count(name) > 1:
            yield f"{name} more than once"
    if "bcc" in names:
        yield "a Bcc"
    for name, value in message.items():
        if getattr(value, "defects", None):
            yield f"{name}: {value.defects}"
    subject = expected["subject"].replace("=?", "= ?")
    if str(message["Subject"]) != subject:
        yield f"subject: {message['Subject']!r} and not {subject!r}"
    if message["Date"].datetime is None:
        yield f"date: {message['Date']!r}"
    if [address.addr_spec for address in message["To"].addresses] != ["ada@example.org"]:
        yield f"to: {message['To']!r}"
    reply_to = message["Reply-To"] and [address.addr_spec for address in message["Reply-To"].addresses]
    if reply_to != (expected["reply_to"] and [expected["reply_to"]]):
        yield f"reply to: {reply_to!r}"
    thread = expected["thread"] and f"<{expected['thread']}@example.org>"
    if message["References"] != thread or message["In-Reply-To"] != thread:
        yield f"thread: {message['References']!r}"
    url = expected["unsubscribe_url"]
    if message["List-Unsubscribe"] != (url and f"<{url}>"):
        yield f"unsubscribe: {message['List-Unsubscribe']!r}"
    if message["List-Unsubscribe-Post"] != (url and "List-Unsubscribe=One-Click"):
        yield f"unsubscribe by post: {message['List-Unsubscribe-Post']!r}"


def forms(message, expected):
    """The alternatives, in the order of RFC 2046 §5.1.4, each as it was written."""
    named = [("text/plain", "text"), ("text/html", "html"), ("text/calendar", "calendar")]
    wanted = [(kind, expected[name]) for kind, name in named if expected[name] is not None]
    if len(wanted) > 1 and message.get_content_type() != "multipart/alternative":
        yield f"it is {message.get_content_type()}"
    parts = list(message.iter_parts()) if message.is_multipart() else [message]
    if [part.get_content_type() for part in parts] != [kind for kind, _ in wanted]:
        yield f"forms: {[part.get_content_type() for part in parts]}"
        return
    for part, (kind, text) in zip(parts, wanted):
        if part.get_content_charset() != "utf-8":
            yield f"{kind}: charset {part.get_content_charset()!r}"
        if part.defects:
            yield f"{kind}: {part.defects}"
        # How many empty lines end it is nobody's business.
        if part.get_content().replace("\r\n", "\n").rstrip("\n") != text.replace("\r\n", "\n").rstrip("\n"):
            yield f"{kind}: it is not what was written"


def looks(source, typed):
    page = Page()
    page.feed(source)
    page.close()
    if page.open:
        yield f"never closed: {page.open}"
    if page.tags & FORBIDDEN_TAGS:
        yield f"tags: {page.tags & FORBIDDEN_TAGS}"
    yield from page.found
    for link in page.links:
        if not re.match(r"https://(tasks|meet)\.example\.org(/|$|#)", link):
            yield f"a link to {link!r}"
    if typed is not None and "49" in "".join(page.text):
        yield "what was typed was taken for a template"
    for remote in ("@import", "url(", "@font-face"):
        if remote in re.sub(r"(?s)<body.*", "", source):
            yield f"remote content: {remote}"


def main(folder):
    mails = sorted(pathlib.Path(folder).glob("*.eml"))
    failed = 0
    for path in mails:
        source = path.read_bytes()
        expected = json.loads(path.with_suffix(".json").read_text())
        message = email.message_from_bytes(source, policy=email.policy.default)
        found = [str(defect) for defect in message.defects]
        for check in (shape(source), headers(message, expected), forms(message, expected)):
            found += check
        if expected["html"] is not None:
            found += looks(expected["html"], expected["typed"])
        if not expected["text"].strip():
            found.append("no text")
        failed += bool(found)
        for complaint in found:
            print(f"{path.name}: {complaint[:1000]}", file=sys.stderr)
    print(json.dumps({"notices": len(mails), "failed": failed}))
    # None at all is no success.
    return 1 if failed or not mails else 0


sys.exit(main(sys.argv[1]))
