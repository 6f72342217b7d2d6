#!/usr/bin/env python3
"""House rules that a machine can see. Each prints `ok NAME` or `not ok NAME` with what it found."""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SRC = ROOT / "src"

# A foreign header, and the only folders that may know it.
CONFINED = {
    "duckdb.h": {"sql"},
    "sqlite3.h": {"meta"},
    "microhttpd.h": {"server"},
    "gnutls/gnutls.h": {"server", "cli"},
    "gnutls/abstract.h": {"server"},
    "gnutls/x509.h": {"server"},
    "openssl/evp.h": {"auth"},
    "jansson.h": {"wire", "sql"},
    "xxhash.h": {"base"},
    "zlib.h": {"wire", "columnar", "server", "cli"},
    "zstd.h": {"wire", "columnar", "server", "cli"},
}
# Calls with a better one in base/ or os/.
BANNED = r"\b(strcpy|strcat|sprintf|strtok|localtime|gmtime|atoi|atol|atof|rand|srand|gets|system)\s*\("
RAW_MEMORY = r"(?<![\w_])(malloc|calloc|realloc|free)\s*\("


def sources(*endings):
    for path in sorted(SRC.rglob("*")):
        if path.suffix in endings:
            yield path


def code_of(path):
    """The text without comments and string literals."""
    text = path.read_text()
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', lambda m: "\n" * m[0].count("\n"), text, flags=re.S)


def floors():
    uses = {}
    for m in re.finditer(r"arka_folder\((\w+)([^)]*)\)", (SRC / "CMakeLists.txt").read_text()):
        below = re.search(r"USES\s+([a-z\s]+)", m[2])
        uses[m[1]] = set(below[1].split() if below else ())
    for path in sources(".c", ".h", ".cc", ".def"):
        folder = path.relative_to(SRC).parts[0]
        if folder not in uses:
            yield f"{path.relative_to(ROOT)}: folder {folder} is not in src/CMakeLists.txt"
            continue
        for n, line in enumerate(path.read_text().splitlines(), 1):
            m = re.match(r'\s*#\s*include\s+["<]([\w/.]+)[">]', line)
            if not m:
                continue
            other = m[1].split("/")[0]
            where = f"{path.relative_to(ROOT)}:{n}"
            if "/" in m[1] and other in uses and other != folder and other not in uses[folder]:
                yield f"{where}: {folder} may not include {m[1]}"
            if m[1].endswith("_priv.h") and other != folder:
                yield f"{where}: {m[1]} is private to {other}"
            allowed = CONFINED.get(m[1])
            if allowed and folder not in allowed:
                yield f"{where}: only {', '.join(sorted(allowed))} may include {m[1]}"


def banned_calls():
    for path in sources(".c", ".h"):
        test = path.name.endswith("_test.c")
        for n, line in enumerate(code_of(path).splitlines(), 1):
            m = re.search(BANNED, line)
            if m:
                yield f"{path.relative_to(ROOT)}:{n}: {m[1]} is banned"
            m = re.search(RAW_MEMORY, line)
            if m and not test and path.name != "mem.c" and "->" not in line and "." + m[1] not in line:
                yield f"{path.relative_to(ROOT)}:{n}: {m[1]} past base/mem.h"


def headers_stand_alone():
    flags = ["-std=gnu17", "-D_GNU_SOURCE", f"-I{SRC}", f"-I{ROOT}/include", f"-I{ROOT}/.deps/duckdb"]
    for path in sources(".h"):
        r = subprocess.run(["gcc", "-fsyntax-only", "-x", "c", *flags, str(path)], capture_output=True, text=True)
        if r.returncode:
            yield f"{path.relative_to(ROOT)}: {r.stderr.splitlines()[0] if r.stderr else 'does not compile'}"


def tracked():
    out = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True).stdout
    return [p for p in out.split("\0") if p]


def no_machine_paths():
    # The prefix is put together so that this file does not find itself.
    pattern = re.compile("/" + r"(work|root|home/\w+)/")
    for name in tracked():
        path = ROOT / name
        if not path.is_file() or path.suffix in (".bin", ".arrows", ".parquet"):
            continue
        for n, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if pattern.search(line):
                yield f"{name}:{n}: {line.strip()[:80]}"


def no_leftovers():
    pattern = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b|^\s*#if 0")
    for path in sources(".c", ".h", ".cc"):
        for n, line in enumerate(path.read_text().splitlines(), 1):
            if pattern.search(line):
                yield f"{path.relative_to(ROOT)}:{n}: {line.strip()[:80]}"


def prose(name):
    """A page's text without its code."""
    return re.sub(r"^```.*?^```$|`[^`\n]*`", "", (ROOT / name).read_text(), flags=re.M | re.S)


def anchors(path):
    """What a link may name in a page: its headings, as their readers make addresses of them."""
    heads = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def links_lead_somewhere():
    for name in tracked():
        if not name.endswith(".md") or not (ROOT / name).is_file():
            continue
        for link in re.findall(r"\]\(([^)\s]+)\)", prose(name)):
            if re.match(r"[a-z]+:", link):
                continue
            file, _, anchor = link.partition("#")
            to = (ROOT / name).parent / file if file else ROOT / name
            if not to.exists():
                yield f"{name}: there is no {link}"
            elif anchor and to.suffix == ".md" and anchor not in anchors(to):
                yield f"{name}: there is no heading {link}"


def named_files_exist():
    """Files of ours that pages and comments name in full, as `src/base/buf.h` or base/buf.h."""
    folders = "|".join(p.name for p in sorted(SRC.iterdir()) if p.is_dir())
    pattern = re.compile(rf"(?<![\w/.{{}}-])(?:(?:src|tests|tools|scripts|docs|bench|cmake|packaging)/[\w/-]+|(?:{folders})/\w+)"
                         r"\.(?:c|h|def|py|md|sh|cmake|conf|service)\b(?![\w(/])")
    for name in tracked():
        if pathlib.Path(name).suffix not in (".c", ".h", ".def", ".md", ".py", ".cmake") or not (ROOT / name).is_file():
            continue
        for file in set(pattern.findall((ROOT / name).read_text())):
            if not ((ROOT / file).exists() or (SRC / file).exists() or ((ROOT / name).parent / file).exists()):
                yield f"{name}: there is no {file}"


def scripts_can_be_run():
    for name in tracked():
        path = ROOT / name
        if path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as f:
            script = f.read(2) == b"#!"
        if script != os.access(path, os.X_OK):
            yield f"{name}: " + ("begins with #! and cannot be run" if script else "can be run and is no script")


def main():
    failed = 0
    for check in (floors, banned_calls, headers_stand_alone, no_machine_paths, no_leftovers, links_lead_somewhere,
                  named_files_exist, scripts_can_be_run):
        found = list(check())
        print(("not ok " if found else "ok ") + check.__name__)
        for line in found[:20]:
            print("    " + line)
        failed += bool(found)
    return 1 if failed else 0


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
