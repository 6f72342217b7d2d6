#!/usr/bin/env python3
"""Print the table of metrics of docs/observability.md, out of metrics.def and counters.def."""

import pathlib
import re

SRC = pathlib.Path(__file__).resolve().parents[1] / "src"


def families():
    """[(name, kind, labels, help)], in the order of /metrics."""
    listed = re.findall(r'^X\((\w+), (\w+), "([^"]*)", "((?:[^"\\]|\\.)*)"\)',
                        (SRC / "observe/metrics.def").read_text(), re.M)
    elsewhere = set(re.findall(r'"(\w+)"', (SRC / "server/metrics/metrics.c").read_text()
                               .split("TOLD_ELSEWHERE[] = {")[1].split("}")[0]))
    counters = re.findall(r'^X\((\w+), "([^"]*)"\)', (SRC / "server/metrics/counters.def").read_text(), re.M)
    assert elsewhere <= {name for name, _ in counters}, elsewhere
    return listed + [("arc_" + name, "COUNTER", "", text) for name, text in counters if name not in elsewhere]


def rows():
    for name, kind, labels, text in families():
        shown = name + ("_total" if kind == "COUNTER" else "")
        quoted = ", ".join(f"`{label}`" for label in labels.split(",") if label)
        plain = text.replace('\\"', '"')
        yield f"| `{shown}` | {kind.lower()} | {quoted} | {plain} |"


if __name__ == "__main__":
    print("\n".join(rows()))
