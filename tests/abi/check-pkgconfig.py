#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A program of one file links with what pkg-config says, from the build directory and installed.

usage: check-pkgconfig.py BUILD-DIR MESON PKG-CONFIG shared|static|both CC...

Shared and static, as far as they were built. The static program must have no interpreter.
"""
import os
import subprocess
import sys
import tempfile

PROGRAM = """
#include <libgmem/libgmem.h>
#include <string.h>
int main(void)
{
	if (strcmp(gmem_version(), GMEM_VERSION_STRING))
		return 1;
	return gmem_ctx_create(NULL, NULL) != -22 || !gmem_errinfo()->arg;
}
"""


def run(arguments, **environment):
    result = subprocess.run(arguments, capture_output=True, text=True,
                            env={**os.environ, **environment})
    if result.returncode:
        raise SystemExit("%s: exit status %d\n%s%s" % (" ".join(arguments), result.returncode,
                                                       result.stdout, result.stderr))
    return result.stdout


def link_and_run(cc, pkg_config, where, libdir, source, static, **environment):
    program = source[:-2]
    asked = ["--static"] if static else []
    flags = run([pkg_config, *asked, "--cflags", "--libs", "libgmem"],
                PKG_CONFIG_PATH=where, **environment).split()
    run([*cc, *(["-static"] if static else []), "-o", program, source, *flags])
    run([program], LD_LIBRARY_PATH=libdir)
    with open(program, "rb") as image:
        if static and b"/ld-" in image.read():
            raise SystemExit("%s: the static program has an interpreter" % where)


def main():
    build, meson, pkg_config, kinds, *cc = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch:
        source = os.path.join(scratch, "one.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        root = os.path.join(scratch, "root")
        run([meson, "install", "-C", build, "--no-rebuild", "--quiet"], DESTDIR=root)
        installed = [path for path, _, files in os.walk(root) if "libgmem.pc" in files][0]
        for static in [False, True]:
            if kinds not in ("both", "static" if static else "shared"):
                continue
            link_and_run(cc, pkg_config, build, os.path.join(build, "lib"), source, static)
            link_and_run(cc, pkg_config, installed, os.path.dirname(installed), source, static,
                         PKG_CONFIG_SYSROOT_DIR=root)
            print("%s: linked and ran, uninstalled and installed" %
                  ("static" if static else "shared"))


main()
