"""What the program says of itself: help, manual page, completion. All of it is made of the verbs' data."""

import re
import shutil
import subprocess

import pytest

SHELLS = {"bash": ["bash", "-n"], "zsh": ["zsh", "-n"], "fish": ["fish", "-n"]}


def said(arc_run, *args):
    r = arc_run(*args)
    assert (r.returncode, r.stderr) == (0, ""), r
    return r.stdout


@pytest.fixture(scope="module")
def verbs():
    """{verb: ({option: value or None}, [subverb])}, as the help has them."""
    from conftest import run_arc
    found = {}
    for verb in re.findall(r"^  (\w+) +\S", said(run_arc, "help"), re.M):
        text = said(run_arc, "help", verb)
        options = {name: value for name, value in re.findall(r"^  (--[a-z-]+)(?: ([^\s]+))?", text, re.M)}
        subverbs = re.findall(r"^(?:Usage:|      ) arc " + verb + r" ([a-z]+) ", text, re.M) if verb == "wal" else \
            re.findall(r"^  ([a-z]+) +\S", text, re.M) if verb in ("bench", "completion") else []
        found[verb] = options, subverbs
    return found


def tool(name):
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return name


def test_the_help_has_verbs_with_options(verbs):
    assert {"serve", "query", "write", "wal", "repair", "bench", "completion", "version", "help"} <= set(verbs)
    assert {"--config", "--host", "--port", "--data", "--sandbox"} <= set(verbs["serve"][0])
    assert verbs["wal"][1] == ["ls", "cat", "verify"]
    assert verbs["bench"][1] == ["write", "query", "disk", "overload", "visible", "recovery", "tables"]
    assert len(verbs["bench"][0]) > 30


@pytest.mark.parametrize("verb", ["serve", "query", "write", "wal", "repair", "bench", "completion", "version"])
def test_each_way_of_asking_gives_the_same_help(arc_run, verb):
    text = said(arc_run, "help", verb)
    assert text.startswith(f"arc {verb}: ") and "\nUsage: arc " + verb in text
    assert said(arc_run, verb, "--help") == text == said(arc_run, verb, "-h")


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_have_every_verb_and_option_and_parse(arc_run, verbs, shell, tmp_path):
    script = said(arc_run, "completion", shell)
    for verb, (options, subverbs) in verbs.items():
        for word in [verb, *subverbs]:
            assert re.search(rf"\b{word}\b", script), word
        for option in options:
            wanted = f"-l {option[2:]} " if shell == "fish" else option
            assert wanted in script, (verb, option)
    path = tmp_path / "script"
    path.write_text(script)
    subprocess.run([tool(shell), *SHELLS[shell][1:], path], check=True, timeout=60)


def bash_words(arc_run, tmp_path, *words):
    path = tmp_path / "script"
    path.write_text(said(arc_run, "completion", "bash"))
    r = subprocess.run(["bash", "-c", 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _arc; '
                        'printf "%s\\n" "${COMPREPLY[@]}"', "bash", path, *words],
                       capture_output=True, text=True, check=True, timeout=60)
    return r.stdout.split()


def test_bash_completes(arc_run, verbs, tmp_path):
    def words(*given):
        return bash_words(arc_run, tmp_path, "arc", *given)

    assert words("") == [*verbs, "--help", "--version"]
    assert words("wr") == ["write"]
    assert words("query", "--f") == ["--format"]
    assert words("query", "--format", "") == ["table", "json", "csv", "arrow"]
    assert words("query", "--format", "c") == ["csv"]
    assert words("query", "--url", "") == []
    assert words("query", "SEL") == []
    assert words("serve", "--sandbox", "") == ["auto", "required", "off"]
    assert words("serve", "--") == [*verbs["serve"][0], "--help"]
    assert words("wal", "") == ["ls", "cat", "verify", "--help"]
    assert "--limit" in words("wal", "cat", "--") and "--limit" not in words("wal", "ls", "--")
    assert words("bench", "disk", "--f") == ["--file-mb", "--files"]
    assert words("help", "b") == ["bench"]
    assert words("help", "s") == ["serve", "settings"]


def test_fish_completes(arc_run, tmp_path):
    path = tmp_path / "arc.fish"
    path.write_text(said(arc_run, "completion", tool("fish")))
    r = subprocess.run(["fish", "--no-config", "-c", f'source {path}; complete -C "arc wal "; complete -C "arc query --fo"'],
                       capture_output=True, text=True, timeout=60, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert [line.split("\t")[0] for line in r.stdout.splitlines()] == ["cat", "ls", "verify", "--format"]


@pytest.mark.parametrize("args", [[], ["csh"], ["bash", "zsh"]])
def test_another_shell_is_called_wrongly(arc_run, args):
    r = arc_run("completion", *args)
    assert (r.returncode, r.stdout) == (2, "")
    assert r.stderr.startswith("arc completion: expected bash, zsh or fish")


def test_the_manual_page_is_whole_and_clean(arc_run, verbs, tmp_path):
    page = tmp_path / "arc.1"
    page.write_text(said(arc_run, "help", "--man"))
    lint = subprocess.run([tool("mandoc"), "-T", "lint", page], capture_output=True, text=True, timeout=60)
    assert (lint.returncode, lint.stdout) == (0, "")
    plain = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=200", page], capture_output=True, text=True, timeout=60).stdout
    plain = re.sub(".\b", "", plain)
    for verb, (options, subverbs) in verbs.items():
        assert f"arc {verb}" in plain
        for word in [*options, *subverbs]:
            assert word in plain, (verb, word)
    keys = re.findall(r"^([a-z0-9_.]+) = ", said(arc_run, "help", "settings"), re.M)
    assert len(keys) > 50
    for key in keys:
        assert key in plain, key
    assert plain.startswith("ARC(1)") and "EXIT STATUS" in plain and "/var/lib/arc" in plain
