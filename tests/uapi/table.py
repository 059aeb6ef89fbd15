# SPDX-License-Identifier: MIT
"""Reads lib/uapi/uapi_table.h: one macro call a line."""
import re
from collections import namedtuple

Entry = namedtuple('Entry', 'line kind args')

KINDS = {
    'NUM': 3, 'NUMX': 4, 'SIZE': 4, 'END': 5, 'FLD': 6, 'FLDX': 7, 'FLEX': 5,
    'LIT': 3, 'LSIZE': 3, 'LFLD': 5, 'IOC': 5,
}
MERGED = ('NUM', 'NUMX', 'SIZE', 'END', 'FLD', 'FLDX', 'FLEX')
LITERAL = ('LIT', 'LSIZE', 'LFLD')


def split_args(text):
    """Splits at the commas outside parentheses."""
    args, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c == '(') - (c == ')')
        if c == ',' and depth == 0:
            args.append(text[start:i].strip())
            start = i + 1
    return args + [text[start:].strip()]


def without_comments(text):
    return re.sub(r'/\*.*?\*/', lambda m: '\n' * m[0].count('\n'), text, flags=re.S)


def read_table(path):
    entries = []
    with open(path) as f:
        lines = without_comments(f.read()).split('\n')
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith('#undef '):
            continue
        m = re.fullmatch(r'([A-Z]+)\((.*)\)\s*', line)
        args = split_args(m[2]) if m else []
        if not m or KINDS.get(m[1]) != len(args):
            raise SystemExit(f'{path}:{number}: not one entry: {line}')
        entries.append(Entry(number, m[1], args))
    return entries


def parse_since(word):
    """V(6, 8) -> (6, 8); anything else is no release."""
    m = re.fullmatch(r'V\((\d+), (\d+)\)', word)
    return (int(m[1]), int(m[2])) if m else None


def entry_name(e):
    return e.args[0] + ('.' + e.args[1] if e.kind in ('FLD', 'FLDX', 'FLEX', 'LFLD') else '')
