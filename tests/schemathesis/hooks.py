"""Somebody for schemathesis to be, and somebody else when an operation has ended that."""

import json
import os
import re
import time
import urllib.error
import urllib.request
import uuid

import schemathesis

BASE = os.environ["BASE"]
PASSWORD = "correct horse battery staple"
ENDING = {"deleteMe", "logout", "logoutAll", "endSession", "changeMe", "replaceMe"}
# To anybody but an administrator nothing of this is there.
FOR_ADMINISTRATORS = ("/api/jobs", "/api/stats", "/api/deliveries", "/api/suppressions", "/api/nodes")
# Seconds; less than an access token is good for.
LIFETIME = 20 * 60


def call(path, body, token=None):
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(BASE + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def somebody():
    name = "p" + uuid.uuid4().hex[:20]
    call("/api/auth/register", {"username": name, "email": f"{name}@example.org", "password": PASSWORD})
    return call("/api/auth/login", {"username": name, "password": PASSWORD})["access_token"]


def administrator():
    who = {"username": os.environ["ADMIN"], "password": os.environ["ADMIN_PASSWORD"]}
    return call("/api/auth/login", who)["access_token"]


def counts(token):
    request = urllib.request.Request(BASE + "/api/auth/me", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request):
            return True
    except urllib.error.HTTPError:
        return False


@schemathesis.auth(refresh_interval=None)
class SignedIn:
    token = None
    administrator = None
    since = 0.0
    meeting = None
    doubtful = True

    def get(self, case, context):
        if case.operation.path.startswith(FOR_ADMINISTRATORS):
            if not SignedIn.administrator or time.monotonic() - SignedIn.since > LIFETIME:
                SignedIn.administrator, SignedIn.since = administrator(), time.monotonic()
            return SignedIn.administrator
        if SignedIn.doubtful and not (SignedIn.token and counts(SignedIn.token)):
            SignedIn.token = somebody()
            meeting = {"title": "Plans", "meeting_date": "2099-01-01T00:00:00Z"}
            SignedIn.meeting = call("/api/meetings/", meeting, SignedIn.token)["id"]
        SignedIn.doubtful = case.operation.definition.raw.get("operationId") in ENDING
        return SignedIn.token

    def set(self, case, data, context):
        case.headers = case.headers or {}
        gateway = case.operation.definition.raw.get("operationId") in {"takeReply", "takeBounces"}
        case.headers["Authorization"] = f"Bearer {os.environ['INBOUND_SECRET'] if gateway else data}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """A key stands for one request: made unique where it is valid, as clients do. Every id of a meeting that could be one
    is that of a meeting that is there: nobody finds it by chance, and what is wrong beside it would never be seen."""
    headers = case.headers or {}
    key = headers.get("Idempotency-Key")
    if isinstance(key, str) and re.fullmatch("[!-~]{1,255}", key):
        headers["Idempotency-Key"] = (uuid.uuid4().hex + key)[:255]
    parameters = case.path_parameters or {}
    id = str(parameters.get("id"))
    if case.operation.path.startswith("/api/meetings/{id}") and re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", id):
        parameters["id"] = SignedIn.meeting or id


def only_known_zones(part, known):
    if isinstance(part, dict):
        if part.get("type") == "string" and part.get("example") == "Europe/Berlin":
            part["enum"] = known + ([None] if part.get("nullable") else [])
        if part.get("in") == "query" and part.get("name") == "zone":
            part["schema"]["enum"] = known
        for member in part.values():
            only_known_zones(member, known)
    elif isinstance(part, list):
        for item in part:
            only_known_zones(item, known)


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """A few zones stand for the six hundred, whose names are no part of the schema: it would change with each release of
    the time zone database."""
    known = [name for name in raw_schema["x-time-zones"]["names"] if name in ("UTC", "Europe/Berlin", "America/Vancouver")]
    only_known_zones(raw_schema, known)


@schemathesis.serializer("message/rfc822")
def as_it_is(context, value):
    """A mail is sent byte for byte."""
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")
