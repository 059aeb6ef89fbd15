#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Exported symbols = version map = prototypes in the headers, and nothing but gmem_*.

usage: check-exports.py [--some] NM INCLUDE-DIR (LIBRARY MAP)... [-- ARCHIVE...]

The archives are the layers: what they define for each other is named gmi_*. --some: not all libraries
were built, so a header may have more.
"""
import re
import subprocess
import sys

import headers


def defined(nm, arguments):
    output = subprocess.run([nm, *arguments], check=True, capture_output=True, text=True).stdout
    lines = [line.split() for line in output.splitlines()]
    return {fields[-1].split("@")[0] for fields in lines if len(fields) == 3 and fields[1] != "A"}


def mapped(path):
    text = headers.COMMENT.sub("", open(path, encoding="utf-8").read())
    return {name for part in re.findall(r"global:(.*?)local:", text, re.S)
            for name in re.findall(r"([\w*]+);", part)}


def differences(what, a, b, of_a, of_b):
    problems = ["%s: %s is in %s and not in %s" % (what, name, of_a, of_b) for name in sorted(a - b)]
    return problems + ["%s: %s is in %s and not in %s" % (what, name, of_b, of_a)
                       for name in sorted(b - a)]


def check_libraries(nm, pairs):
    problems, exported = [], set()
    for library, version_map in pairs:
        symbols = defined(nm, ["-D", "--defined-only", library])
        name = library.rsplit("/", 1)[-1]
        problems += differences(name, symbols, mapped(version_map), "the library", "its map")
        problems += ["%s exports %s" % (name, s) for s in sorted(symbols)
                     if not s.startswith("gmem_")]
        problems += ["%s: %s is exported by two libraries" % (name, s)
                     for s in sorted(symbols & exported)]
        exported |= symbols
        print("%s: %d symbols" % (name, len(symbols)))
    return problems, exported


def check_archives(nm, archives):
    problems = []
    for archive in archives:
        symbols = defined(nm, ["--defined-only", "--extern-only", archive])
        problems += ["%s defines %s" % (archive.rsplit("/", 1)[-1], s) for s in sorted(symbols)
                     if not s.startswith(("gmi_", "gmem_", "__odr_asan", "__asan", "__tsan"))]
    return problems


def main():
    some = sys.argv[1] == "--some"
    nm, include, *rest = sys.argv[1 + some:]
    split = rest.index("--") if "--" in rest else len(rest)
    pairs = list(zip(rest[:split:2], rest[1:split:2]))
    problems, exported = check_libraries(nm, pairs)
    prototypes = {f.name for f in headers.functions(include)}
    if some:
        prototypes &= exported
    problems += differences("headers", exported, prototypes, "a library", "a header")
    problems += check_archives(nm, rest[split + 1:])
    print("\n".join(problems))
    sys.exit(1 if problems or not exported else 0)


main()
