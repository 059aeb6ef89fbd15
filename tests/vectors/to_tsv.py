#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Print one table of an SNP vectors.json as tab-separated values.

usage: to_tsv.py VECTORS_JSON launch|refused|debian|id_block|id_auth|vmsa|cpu_sig

The first line names the columns. A cell "-" means "not given"; the text of a kernel command line is
preceded by a colon, so that an empty one differs from none.
"""
import json
import sys

LAUNCH = ["id", "mode", "vmm", "vcpus", "vcpu_sig", "cpu", "guest_features", "ovmf", "kernel",
          "initrd", "append", "ovmf_hash_seed", "svsm", "vars_size", "sections", "rip", "expected"]
REFUSED = LAUNCH[:-1] + ["careful", "digest"]


def cpu_of(row):
    if row.get("vcpu_fms"):
        return "/".join(str(n) for n in row["vcpu_fms"])
    return row.get("vcpu_type")


def extend(row):
    row["cpu"] = cpu_of(row)
    row["digest"] = row.get("tool", {}).get("digest")
    if row.get("append") is not None:
        row["append"] = ":" + row["append"]
    if row.get("sections"):
        row["sections"] = ",".join("/".join(str(n) for n in s) for s in row["sections"])
    return row


def main():
    path, table = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    rows = vectors[table]
    if table == "launch":
        columns, rows = LAUNCH, [extend(row) for row in rows]
    elif table == "refused":
        columns, rows = REFUSED, [extend(row) for row in rows]
    elif table == "debian":
        columns, rows = ["file", "sha256"], rows["files"]
    else:
        columns = [key for key in rows[0] if key not in ("source", "note")]
    print("\t".join(columns))
    for row in rows:
        print("\t".join("-" if row.get(c) is None else str(row[c]) for c in columns))


if __name__ == "__main__":
    main()
