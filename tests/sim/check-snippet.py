#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A document shows the lines of a program that is compiled and run, and no others.

usage: check-snippet.py DOCUMENT PROGRAM

The lines between "/* [test] */" and "/* [end] */" of the program, without their first tab and with the
others as four spaces, are a code block of the document.
"""
import re
import sys

document, program = (open(path, encoding="utf-8").read() for path in sys.argv[1:3])
lines = re.search(r"/\* \[test\] \*/\n(.*?)\t/\* \[end\] \*/", program, re.S).group(1)
snippet = "\n".join(line.removeprefix("\t").replace("\t", "    ") for line in lines.splitlines())
blocks = re.findall(r"^```c\n(.*?)\n```$", document, re.S | re.M)
if snippet not in blocks:
    print("%s does not show this:\n%s" % (sys.argv[1], snippet))
    sys.exit(1)
print("%d lines" % snippet.count("\n"))
