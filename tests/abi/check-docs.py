#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each public function has its comment in the header, and a manual page that names it.

usage: check-docs.py INCLUDE-DIR [MAN-DIR]
"""
import pathlib
import re
import sys

import headers


def check_comment(function):
    comment = function.comment
    if not re.search(r"\* %s\(\) - \S" % function.name, comment):
        return ["no comment that begins with its name"]
    problems = ["no '%s'" % word for word in ("Threads:", "Kernel:") if word not in comment]
    if function.returns_value and "Return:" not in comment:
        problems.append("no 'Return:'")
    if not re.search(r"^ \* As gmem_\w+\(\)", comment, re.M):
        problems += ["@%s is not described" % name for name in function.parameters
                     if not re.search(r"@%s:" % name, comment)]
    return problems


def main():
    include, *man = sys.argv[1:]
    pages = "".join(p.read_text() for d in man for p in pathlib.Path(d).glob("*.[37]"))
    problems = []
    functions = headers.functions(include)
    for f in functions:
        problems += ["%s: %s(): %s" % (f.header, f.name, p) for p in check_comment(f)]
        if man and not re.search(r"^\.Fn %s\b|^\.Fo %s$" % (f.name, f.name), pages, re.M):
            problems.append("%s: %s(): no manual page has its prototype" % (f.header, f.name))
    print("%d functions" % len(functions))
    print("\n".join(problems))
    sys.exit(1 if problems or not functions else 0)


main()
