#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each public header compiles alone, as C99 and C++17, without a warning and without a kernel header.

usage: check-headers.py INCLUDE-DIR BUILD-INCLUDE-DIR [COMPILER...]
"""
import pathlib
import re
import shutil
import subprocess
import sys

FLAGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]


def compile_alone(compiler, language, standard, header, includes):
    command = [compiler, "-x", language, "-std=" + standard, *FLAGS,
               *("-I" + str(i) for i in includes), "-"]
    run = subprocess.run(command, input="#include <libgmem/%s>\n" % header, text=True,
                         capture_output=True)
    return [] if run.returncode == 0 else ["%s as %s with %s:\n%s" % (header, standard, compiler,
                                                                     run.stderr)]


def main():
    include = pathlib.Path(sys.argv[1])
    includes = [include.parent, pathlib.Path(sys.argv[2]).parent]
    compilers = [(c, language, standard)
                 for c, language, standard in [("gcc", "c", "c99"), ("clang", "c", "c99"),
                                               ("g++", "c++", "c++17"), ("clang++", "c++", "c++17")]
                 if shutil.which(c)]
    problems = []
    for header in sorted(include.glob("*.h")):
        if re.search(r"^\s*#\s*include\s*[<\"](linux|asm)/", header.read_text(), re.M):
            problems.append("%s includes a kernel header" % header.name)
        for compiler in compilers:
            problems += compile_alone(*compiler, header.name, includes)
    print("compilers: " + ", ".join("%s as %s" % (c, s) for c, _, s in compilers))
    print("\n".join(problems))
    sys.exit(1 if problems or not compilers else 0)


main()
