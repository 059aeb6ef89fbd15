#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every constant, struct and field of lib/uapi stands in its table, with the same first release.

usage: check-table.py DIR
"""
import re
import sys

sys.dont_write_bytecode = True
from table import entry_name, parse_since, read_table

HEADERS = ('uapi_kvm.h', 'uapi_sev.h', 'uapi_tdx.h', 'uapi_rfc.h')
DEFINE = re.compile(r'#define GMI_(\w+)\s+(.+?)\s*/\* (.+?) \*/')
STRUCT = re.compile(r'^struct gmi_(\w+) \{\n(.*?)^\}', re.M | re.S)

problems = []


def problem(where, text):
    problems.append(f'{where}: {text}')


def comment_matches(tag, comment):
    word = re.split(r'[; ]', comment)[0]
    since = parse_since(tag)
    if since:
        return re.fullmatch(r'%d\.%d(\.\d+)?' % since, word)
    return comment.startswith('7.4 expected') if tag == 'QUEUED' else word == tag.lower()


def check_constants(header, text, table):
    seen = set()
    for number, line in enumerate(text.split('\n'), 1):
        if not line.startswith('#define GMI_') or re.fullmatch(r'#define GMI_UAPI_\w+_H', line):
            continue
        where = f'{header}:{number}'
        m = DEFINE.fullmatch(line)
        if not m:
            problem(where, 'no trailing comment with the first release')
            continue
        seen.add(m[1])
        if m[1] not in table:
            problem(where, f'GMI_{m[1]} is not in the table')
        elif not comment_matches(table[m[1]], m[3]):
            problem(where, f'GMI_{m[1]}: "{m[3]}", but the table says {table[m[1]]}')
        if re.fullmatch(r'0x[0-9a-f]{8}u', m[2]) and m[1] not in ioctls | NOT_IOCTLS:
            problem(where, f'GMI_{m[1]} looks like an ioctl and has no IOC entry')
    return seen


NOT_IOCTLS = {'GUEST_MEMFD_MAGIC', 'ANON_INODE_FS_MAGIC', 'SEV_RET_NO_FW_CALL'}


def fields_of(body):
    """Names of a struct's members, those of nested named structs with their path."""
    levels = [[]]
    for line in re.sub(r'/\*.*?\*/', '', body, flags=re.S).split('\n'):
        line = line.strip()
        if line in ('struct {', 'union {'):
            levels.append([])
        elif m := re.fullmatch(r'\}(?: (\w+))?;', line):
            inner = levels.pop()
            levels[-1] += [f'{m[1]}.{name}' if m[1] else name for name in inner]
        elif m := re.fullmatch(r'.+?(\w+)(\[\w*\])*;', line):
            levels[-1].append(m[1])
    return levels[0]


def check_structs(header, text, fields, sizes):
    for m in STRUCT.finditer(text):
        owner, prefix = m[1], ''
        if owner.startswith('kvm_exit_'):
            owner, prefix = 'kvm_run', owner.removeprefix('kvm_exit_') + '.'
        if owner not in sizes:
            problem(header, f'struct gmi_{owner} has no size in the table')
        for field in fields_of(m[2]):
            if f'{owner}.{prefix}{field}' not in fields:
                problem(header, f'{owner}.{prefix}{field} is not in the table')


directory = sys.argv[1]
entries = read_table(f'{directory}/uapi_table.h')
numbers = {e.args[0]: e.args[-1] for e in entries if e.kind in ('NUM', 'NUMX', 'LIT')}
sizes = {e.args[0] for e in entries if e.kind in ('SIZE', 'END', 'LSIZE')}
fields = {entry_name(e) for e in entries if e.kind in ('FLD', 'FLDX', 'FLEX', 'LFLD')}
ioctls = {e.args[0] for e in entries if e.kind == 'IOC'}

declared = set()
for header in HEADERS:
    with open(f'{directory}/{header}') as f:
        text = f.read()
    declared |= check_constants(header, text, numbers)
    check_structs(header, text, fields, sizes)
for name in sorted(set(numbers) - declared):
    problem('uapi_table.h', f'GMI_{name} is not declared')

print(f'{len(declared)} constants, {len(sizes)} structs, {len(fields)} fields, '
      f'{len(ioctls)} ioctls')
print('\n'.join(problems))
sys.exit(1 if problems or not declared else 0)
