"""Judges one run: verdict.py STORE REPORT LOG. One line of JSON, and the reasons on standard error when it failed."""

import json
import sys

# followChanges: schemathesis.toml says why.
NOT_TRIED = 1


def complaints(report):
    """What the report of schemathesis says against the run."""
    for failure in report["failures"]:
        yield f"failure: {json.dumps(failure)[:1000]}"
    for error in report["errors"]:
        yield f"error: {json.dumps(error)[:1000]}"
    if report["exit_code"] != 0 or not report["complete"]:
        yield f"it ended with {report['exit_code']}: {report['stop_reason']}"
    # What was never tried, or tried by nobody in particular, has not passed.
    operations = report["operations"]
    if not operations["total"] or operations["tested"] != operations["total"] - NOT_TRIED:
        yield f"not every operation was tried: {json.dumps(operations)}"
    for name, phase in report["phases"].items():
        if phase["status"] != "success":
            yield f"phase {name}: {json.dumps(phase)}"
    if report["warnings"]["missing_auth"]:
        yield f"without being signed in: {report['warnings']['missing_auth']}"


def accidents(log):
    """Answers of 500 and above, errors and panics, and how many requests there were."""
    requests, found = 0, []
    for line in log:
        try:
            event = json.loads(line)
        except ValueError:
            # The log is JSON: what is not was written by something that went wrong.
            found.append(f"log: {line.strip()}")
            continue
        requests += event.get("message") == "request"
        if (event.get("status") or 0) >= 500 or event.get("level") == "ERROR":
            found.append(f"log: {line.strip()}")
    return requests, found


def main(store, report_file, log_file):
    with open(report_file, encoding="utf-8") as file:
        report = json.load(file)
    with open(log_file, encoding="utf-8") as file:
        requests, found = accidents(file)
    found = [*complaints(report), *found]
    cases = report["test_cases"]
    if requests < cases["generated"] - cases["without_checks"]:
        found.append(f"the server saw {requests} requests: fewer than there were cases")
    line = {
        "schemathesis": store,
        "cases": cases["generated"],
        "requests": requests,
        "failures": len(found),
        "seed": report["seed"],
        "seconds": round(report["running_time"]),
    }
    print(json.dumps(line))
    for complaint in found[:100]:
        print(complaint, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
