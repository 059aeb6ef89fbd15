# SPDX-License-Identifier: MIT
"""Reads the public headers: prototypes with their comments, structs with their members, constants."""
import pathlib
import re

COMMENT = re.compile(r"/\*.*?\*/", re.S)
PROTOTYPE = re.compile(
    r"(?P<comment>/\*\*(?:[^*]|\*(?!/))*\*/)?\s*\n"
    r"(?P<result>(?:const )?(?:struct )?\w+ \**)(?P<name>gmem_\w+)\((?P<arguments>[^;{]*?)\)"
    r"(?: __attribute__\(\(.*\)\))?;")
STRUCT = re.compile(r"struct (gmem_\w+) \{(.*?)\n\};", re.S)
ENUM = re.compile(r"enum gmem_\w+ \{(.*?)\n\};", re.S)
DEFINE = re.compile(r"^#define (GMEM_\w+)[ \t]+(\S.*)$", re.M)


class Function:
    def __init__(self, match, header):
        self.header = header
        self.name = match["name"]
        self.returns_value = match["result"].strip() != "void"
        self.comment = match["comment"] or ""
        self.parameters = parameter_names(match["arguments"])


def parameter_names(arguments):
    """The last word of each parameter; of a pointer to a function, the word after its star."""
    names = []
    depth, part = 0, ""
    for char in arguments + ",":
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == "," and depth == 0:
            pointer = re.search(r"\(\*(\w+)\)", part)
            words = re.findall(r"\w+", part)
            if words and words != ["void"]:
                names.append(pointer[1] if pointer else words[-1])
            part = ""
        else:
            part += char
    return names


def headers(directory):
    return sorted(pathlib.Path(directory).glob("*.h"))


def functions(directory):
    return [Function(match, header.name)
            for header in headers(directory)
            for match in PROTOTYPE.finditer(header.read_text())]


def member_names(body):
    for declaration in COMMENT.sub("", body).split(";"):
        pointer = re.search(r"\(\*(\w+)\)", declaration)
        if pointer:
            yield pointer[1]
        elif declaration.strip():
            for part in declaration.split(","):
                yield re.search(r"(\w+)\s*(\[[^]]*\]\s*)*$", part)[1]


def structs(directory):
    """(header, struct, members), in the order of the headers."""
    for header in headers(directory):
        for name, body in STRUCT.findall(header.read_text()):
            yield header.name, name, list(member_names(body))


def constants(directory):
    """(header, name) of enumerators and of macros that are integers."""
    for header in headers(directory):
        text = COMMENT.sub("", header.read_text())
        for body in ENUM.findall(text):
            for enumerator in re.findall(r"(GMEM_\w+)", re.sub(r"=[^,]*", "", body)):
                yield header.name, enumerator
        for name, value in DEFINE.findall(text):
            if re.match(r"[-(]*(UINT|0x|\d)", value):
                yield header.name, name
