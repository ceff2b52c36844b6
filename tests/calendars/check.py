"""Reads calendar objects with two parsers: check.py FOLDER. One line of JSON, and the reasons when it failed."""

import json
import pathlib
import re
import sys
from datetime import datetime, timezone

import icalendar
import vobject

ADDRESS = "mailto:bob.o'hara+x%3Dy%2Fz@example.org"


def by_icalendar(source):
    calendar = icalendar.Calendar.from_ical(source)
    (event,) = calendar.walk("VEVENT")
    attendees = event.get("ATTENDEE", [])
    attendees = attendees if isinstance(attendees, list) else [attendees]
    organizer = event["ORGANIZER"]
    return {
        "method": str(calendar["METHOD"]),
        "uid": str(event["UID"]),
        "sequence": int(event["SEQUENCE"]),
        "starts_at": event.decoded("DTSTART"),
        "ends_at": event.decoded("DTEND"),
        "summary": str(event["SUMMARY"]),
        "description": maybe(event.get("DESCRIPTION")),
        "location": maybe(event.get("LOCATION")),
        "organizer": (str(organizer), organizer.params["CN"]),
        "attendees": [(str(one), one.params["CN"], sorted(one.params)) for one in attendees],
        # It takes a backslash before these for an escape, which RFC 5545 §3.2 does not know.
        "names": lambda name: re.sub(r"\\([,;:\\])", r"\1", name),
        "alarms": len(calendar.walk("VALARM")),
        "errors": calendar.errors + event.errors,
    }


def by_vobject(source):
    (calendar,) = vobject.readComponents(source.decode())
    (event,) = calendar.vevent_list
    attendees = event.contents.get("attendee", [])
    return {
        "method": calendar.method.value,
        "uid": event.uid.value,
        "sequence": int(event.sequence.value),
        "starts_at": event.dtstart.value,
        "ends_at": event.dtend.value,
        "summary": event.summary.value,
        "description": event.description.value if "description" in event.contents else None,
        "location": event.location.value if "location" in event.contents else None,
        "organizer": (event.organizer.value, uncaret(event.organizer.cn_param)),
        "attendees": [(one.value, uncaret(one.cn_param), sorted(one.params)) for one in attendees],
        "names": lambda name: name,
        "alarms": len(event.contents.get("valarm", [])),
        "errors": [],
    }


def maybe(text):
    return None if text is None else str(text)


def uncaret(text):
    """RFC 6868, of which vobject knows nothing."""
    pieces = text.split("^^")
    return "^".join(piece.replace("^n", "\n").replace("^'", '"') for piece in pieces)


def complaints(read, expected):
    """What a parser read that was not written, or did not read that was."""
    published = expected["method"] == "PUBLISH"
    words = ["CN", "CUTYPE", "PARTSTAT", "ROLE"]
    for key in ("method", "uid", "sequence", "summary", "description", "location"):
        if read[key] != expected[key]:
            yield f"{key}: {read[key]!r} and not {expected[key]!r}"
    for key in ("starts_at", "ends_at"):
        if read[key] != datetime.fromtimestamp(expected[key], timezone.utc):
            yield f"{key}: {read[key]!r} and not {expected[key]}"
    if read["organizer"] != ("mailto:ada@example.org", read["names"](expected["organizer"])):
        yield f"organizer: {read['organizer']!r}"
    if published and read["attendees"]:
        yield f"attendees: {read['attendees']!r}"
    if not published:
        (address, name, parameters), *others = read["attendees"]
        if others or (address, name) != (ADDRESS, read["names"](expected["attendee"])):
            yield f"attendees: {read['attendees']!r}"
        if [word for word in parameters if word != "RSVP"] != words:
            yield f"parameters: {parameters}"
    if read["alarms"] != published:
        yield f"alarms: {read['alarms']}"
    if read["errors"]:
        yield f"errors: {read['errors']}"


def shape(source):
    """What RFC 5545 §3.1 asks of lines."""
    if not source.endswith(b"\r\n") or b"\n" in source.replace(b"\r\n", b"") or b"\r" in source.replace(b"\r\n", b""):
        yield "lines do not end in CRLF"
    for line in source.split(b"\r\n"):
        if len(line) > 75:
            yield f"a line of {len(line)} octets"
        # Fails when a fold fell into a character.
        line.decode()


def main(folder):
    objects = sorted(pathlib.Path(folder).glob("*.ics"))
    failed = 0
    for path in objects:
        source = path.read_bytes()
        expected = json.loads(path.with_suffix(".json").read_text())
        found = [f"shape: {complaint}" for complaint in shape(source)]
        for parse in (by_icalendar, by_vobject):
            try:
                found += [f"{parse.__name__}: {complaint}" for complaint in complaints(parse(source), expected)]
            except Exception as error:
                found.append(f"{parse.__name__}: {error!r}")
        failed += bool(found)
        for complaint in found:
            print(f"{path.name}: {complaint[:1000]}", file=sys.stderr)
    print(json.dumps({"calendars": len(objects), "failed": failed}))
    # None at all is no success.
    return 1 if failed or not objects else 0


sys.exit(main(sys.argv[1]))
