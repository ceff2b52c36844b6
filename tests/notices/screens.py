"""Looks at notices in a browser: screens.py FOLDER PICTURES [--write]. FOLDER is what examples/notices.rs has filled.

Every HTML form is shown at 375 and 800 px, light and dark, and complained about when it cannot be read (see looks.js). The
samples in English, and in German, whose words are the longest, are compared with the pictures of the repository, a folder
for each language, or replace them with --write. What differs is left in FOLDER."""

import argparse
import json
import pathlib
import shutil
import sys
import tempfile

from chromium import Chromium
from pictures import THRESHOLD, compare, picture

WIDTHS = (375, 800)
SCHEMES = ("light", "dark")
# Of these there are pictures; the other languages are only complained about.
LOCALES = ("en", "de")
# Pictures are of the same letters on every machine.
FONT = "<style>* { font-family: 'Liberation Sans' !important; }</style>"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("pictures", type=pathlib.Path)
    arguments.add_argument("--write", action="store_true")
    arguments = arguments.parse_args()
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        sys.exit("there is no chromium")
    looks = (pathlib.Path(__file__).parent / "looks.js").read_text()
    complaints, compared, worst, kept = [], 0, 0.0, set()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Chromium(program, profile)
        try:
            for path in sorted(arguments.folder.glob("*.html")):
                kind, locale, content = path.stem.split(".")
                html = path.read_text().replace("</head>", FONT + "</head>")
                for width in WIDTHS:
                    for scheme in SCHEMES:
                        browser.show(html, width, scheme)
                        where = f"{path.stem} at {width} px, {scheme}"
                        complaints += [f"{where}: {complaint}" for complaint in browser.evaluate(looks)]
                        if locale not in LOCALES or content != "sample":
                            continue
                        name = f"{locale}/{kind}-{width}-{scheme}.png"
                        kept.add(name)
                        seen, known = picture(browser.picture(width)), arguments.pictures / name
                        differs = compare(seen, known, arguments.write)
                        compared, worst = compared + 1, max(worst, differs)
                        if differs > THRESHOLD:
                            seen.save(arguments.folder / name.replace("/", "-"))
                            complaints.append(f"{where}: {differs:.1%} differ from {known}")
        finally:
            browser.close()
    stray = {str(path.relative_to(arguments.pictures)) for path in arguments.pictures.rglob("*.png")} - kept
    complaints += [f"{name} is a picture of nothing" for name in sorted(stray)]
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    print(json.dumps({"pictures": compared, "worst": round(worst, 4), "failed": len(complaints)}))
    # None at all is no success.
    return 1 if complaints or not compared else 0


sys.exit(main())
