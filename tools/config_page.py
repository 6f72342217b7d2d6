#!/usr/bin/env python3
"""Does docs/configuration.md end with what `arc config reference` prints?   tools/config_page.py ARC [--write]"""

import pathlib
import subprocess
import sys

PAGE = pathlib.Path(__file__).resolve().parents[1] / "docs" / "configuration.md"
BEGIN = "`arc config reference` prints these tables; a test compares.\n\n"


def reference(arc):
    return subprocess.run([arc, "config", "reference"], capture_output=True, text=True, check=True).stdout


def main():
    page = PAGE.read_text()
    head, _, tables = page.partition(BEGIN)
    now = reference(sys.argv[1])
    if tables == now:
        return 0
    if sys.argv[2:] == ["--write"]:
        PAGE.write_text(head + BEGIN + now)
        return 0
    print(f"{PAGE}: its tables are not what the program says; {sys.argv[0]} {sys.argv[1]} --write makes them so")
    return 1


if __name__ == "__main__":
    sys.exit(main())
