#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares every entry of lib/uapi/uapi_table.h with the kernel's own headers.

usage: check-headers.py installed|newest DIR CC...

DIR is lib/uapi. Both sets of declarations are compiled into one program, which compares them.
What the headers at hand do not know is listed as not checked; it is a failure where they are of
a release that should know it. Exit status 77: skipped.
"""
import os
import platform
import re
import subprocess
import sys
import tempfile
import textwrap
from collections import Counter

sys.dont_write_bytecode = True
from table import LITERAL, MERGED, entry_name, parse_since, read_table

PROLOGUE = '''
#include <stdio.h>
#include <linux/version.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <linux/magic.h>
#include <linux/psp-sev.h>
#include "uapi_kvm.h"
#include "uapi_rfc.h"
#include "uapi_sev.h"
#include "uapi_tdx.h"

typedef unsigned long long number;
static int failures;

static void compare(int line, const char *name, const char *what, number ours, number kernels)
{
	if (ours == kernels)
		return;
	failures++;
	printf("uapi_table.h:%d: %s: %s is 0x%llx here and 0x%llx in the kernel\\n", line, name, what,
	       ours, kernels);
}
'''


# Written out in each line, not as macros: the compiler must name the entry's line, not a macro's.

def number_of(x):
    """A 32-bit -1 and 0xffffffff are the same number."""
    return f'(sizeof({x}) <= 4 ? (number)(unsigned int)({x}) : (number)({x}))'


def offset_of(struct, field):
    return f'__builtin_offsetof(struct {struct}, {field})'


def size_of(struct, field):
    return f'sizeof(((struct {struct} *)0)->{field})'


def comparisons(e):
    """(what, our expression, the kernel's expression) for each thing an entry says."""
    a = e.args
    if e.kind in ('NUM', 'NUMX'):
        kernel = a[0] if e.kind == 'NUM' else a[2]
        return [('the number', number_of('GMI_' + a[0]), number_of(kernel))]
    if e.kind == 'SIZE':
        return [('the size', f'sizeof(struct gmi_{a[0]})', f'sizeof(struct {a[2]})')]
    if e.kind == 'END':
        return [('the size', f'sizeof(struct gmi_{a[0]})', offset_of(a[2], a[3]))]
    kernel = a[3] if e.kind == 'FLEX' else a[4]
    field = a[5] if e.kind == 'FLDX' else a[1]
    result = [('the offset', offset_of('gmi_' + a[0], a[1]), offset_of(kernel, field))]
    if e.kind != 'FLEX':
        result += [('the size', size_of('gmi_' + a[0], a[1]), size_of(kernel, field))]
    return result


def program(entries):
    """One function an entry, so that the compiler complains once about each unknown one."""
    text = PROLOGUE
    for e in entries:
        calls = ' '.join(f'compare({e.line}, "{entry_name(e)}", "{what}", {ours}, {kernels});'
                         for what, ours, kernels in comparisons(e))
        text += f'#line {e.line} "entry"\nstatic void entry{e.line}(void) {{ {calls} }}\n'
    text += '#line 1 "main"\nint main(void)\n{\n\tprintf("%d\\n", LINUX_VERSION_CODE);\n'
    text += ''.join(f'\tentry{e.line}();\n' for e in entries)
    return text + '\treturn failures != 0;\n}\n'


def compile_c(cc, includes, directory, source, output):
    """output None: check only. Returns the finished process."""
    args = ['-w', '-std=gnu11', '-I', directory, *includes, '-x', 'c', '-']
    args += ['-o', output] if output else ['-fsyntax-only']
    if not output:
        clang = '__clang__' in subprocess.run([*cc, '-dM', '-E', '-x', 'c', '/dev/null'],
                                              capture_output=True, text=True, check=True).stdout
        args.append('-ferror-limit=0' if clang else '-fmax-errors=0')
    return subprocess.run([*cc, *args], input=source, capture_output=True, text=True,
                          env={**os.environ, 'LC_ALL': 'C'})


def give_up(stderr):
    sys.exit('the comparison does not compile:\n' + '\n'.join(stderr.splitlines()[:20]))


def unknown_lines(cc, includes, directory, entries):
    """Table lines that the kernel's headers have no declaration for."""
    result = compile_c(cc, includes, directory, program(entries), None)
    lines = set()
    for m in re.finditer(r'^(.+?):(\d+):(?:\d+:)? (?:fatal )?error: .*', result.stderr, re.M):
        if m[1] != 'entry':
            give_up(result.stderr)
        lines.add(int(m[2]))
    if result.returncode and not lines:
        give_up(result.stderr)
    return lines


def run_comparison(cc, includes, directory, entries):
    """(header version, mismatches) of a program that has only known entries."""
    with tempfile.TemporaryDirectory() as work:
        result = compile_c(cc, includes, directory, program(entries), f'{work}/compare')
        if result.returncode:
            give_up(result.stderr)
        result = subprocess.run([f'{work}/compare'], capture_output=True, text=True, timeout=60)
    code, *mismatches = result.stdout.splitlines()
    if result.returncode not in (0, 1) or bool(mismatches) != bool(result.returncode):
        sys.exit(f'the comparison ended with {result.returncode}')
    code = int(code)
    return (code >> 16, code >> 8 & 255, code & 255), mismatches


def names_of(entries):
    """Constants by name, the fields of a struct as one word with their number."""
    structs = Counter(e.args[0] for e in entries if e.kind not in ('NUM', 'NUMX', 'LIT'))
    return [e.args[0] for e in entries if e.kind in ('NUM', 'NUMX', 'LIT')] + \
        [f'{name}({count})' for name, count in structs.items()]


def show(title, entries):
    if entries:
        print(f'{title}: {len(entries)}')
        print(textwrap.fill(' '.join(names_of(entries)), 100,
                            initial_indent='    ', subsequent_indent='    ',
                            break_long_words=False, break_on_hyphens=False))


def find_headers(which):
    here = os.path.dirname(os.path.abspath(__file__))
    result = subprocess.run([f'{here}/kernel-headers', which], stdout=subprocess.PIPE, text=True)
    if result.returncode == 77:
        print('skipped: no kernel headers are installed and none can be fetched')
        sys.exit(77)
    if result.returncode:
        sys.exit('kernel-headers failed')
    root, origin = result.stdout.splitlines()
    if root == '/':
        return [], origin
    dirs = [f'{root}/usr/include/x86_64-linux-gnu', f'{root}/usr/include']
    if not os.path.exists(f'{dirs[0]}/asm/kvm.h') or not os.path.exists(f'{dirs[1]}/linux/kvm.h'):
        sys.exit(f'{root} holds no kernel headers')
    return [arg for d in dirs for arg in ('-isystem', d)], origin


def main(which, directory, *cc):
    if platform.machine() != 'x86_64':
        print('skipped: the table is that of x86-64')
        sys.exit(77)
    includes, origin = find_headers(which)
    table = read_table(f'{directory}/uapi_table.h')
    merged = [e for e in table if e.kind in MERGED]
    unknown = unknown_lines(cc, includes, directory, merged)
    known = [e for e in merged if e.line not in unknown]
    version, mismatches = run_comparison(cc, includes, directory, known)

    def due(e):
        since = parse_since(e.args[-1])
        return since is not None and since <= version[:2]

    missing = [e for e in merged if e.line in unknown and due(e)]
    print('kernel headers %d.%d.%d, %s' % (*version, origin))
    checkable = sum(e.kind != 'IOC' for e in table)
    print(f'compared: {len(known)} of {checkable} entries')
    show('not checked, of a later release than these headers',
         [e for e in merged if e.line in unknown and not due(e)])
    show('compared, though their release is later (backported?)', [e for e in known if not due(e)])
    for tag in sorted({e.args[-1] for e in table if e.kind in LITERAL}):
        show(f'not checked, in no header of the kernel ({tag})',
             [e for e in table if e.kind in LITERAL and e.args[-1] == tag])
    show('FAILED, these headers should know them', missing)
    print(f'FAILED, different: {len(mismatches)}' if mismatches else 'no difference')
    print('\n'.join(mismatches))
    sys.exit(1 if missing or mismatches or not known else 0)


main(*sys.argv[1:])
