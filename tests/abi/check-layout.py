#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sizes, offsets and constants of the public headers are those on record.

usage: check-layout.py [--update | --complete] RECORD INCLUDE-DIR BUILD-INCLUDE-DIR COMPILER...

A changed or lost line breaks programs that exist. An added one is a new struct, member or constant,
which --update records and --complete demands on record.
"""
import pathlib
import subprocess
import sys
import tempfile

import headers


def program(include):
    lines = ["#include <stddef.h>", "#include <stdio.h>"]
    lines += ["#include <libgmem/%s>" % h.name for h in headers.headers(include)]
    lines += ["int main(void)", "{"]
    for header, name, members in headers.structs(include):
        lines.append('printf("%s struct %s size %%zu\\n", sizeof(struct %s));' % (header, name, name))
        for member in members:
            lines.append('printf("%s %s.%s at %%zu size %%zu\\n", offsetof(struct %s, %s), '
                         'sizeof(((struct %s *)0)->%s));'
                         % (header, name, member, name, member, name, member))
    for header, name in headers.constants(include):
        lines.append('printf("%s %s is %%#llx\\n", (unsigned long long)(%s));' % (header, name, name))
    return "\n".join(lines + ["return 0;", "}"])


def current(include, build_include, compiler):
    with tempfile.TemporaryDirectory() as directory:
        binary = pathlib.Path(directory) / "layout"
        subprocess.run([*compiler, "-x", "c", "-", "-o", binary, "-I%s" % pathlib.Path(include).parent,
                        "-I%s" % pathlib.Path(build_include).parent],
                       input=program(include), text=True, check=True)
        output = subprocess.run([binary], capture_output=True, text=True, check=True).stdout
    return [line for line in output.splitlines() if not line.startswith("version.h")]


def main():
    option = sys.argv[1] if sys.argv[1].startswith("--") else ""
    update = option == "--update"
    record, include, build_include, *compiler = sys.argv[2 if option else 1:]
    now = current(include, build_include, compiler)
    if update:
        pathlib.Path(record).write_text("\n".join(now) + "\n")
    recorded = pathlib.Path(record).read_text().splitlines()
    problems = ["on record, not now: " + line for line in recorded if line not in now]
    added = ["not on record: " + line for line in now if line not in recorded]
    print("%d lines" % len(now))
    print("\n".join(problems + added))
    if option == "--complete":
        problems += added
    sys.exit(1 if problems or not now else 0)


main()
