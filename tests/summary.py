# SPDX-License-Identifier: MIT
"""Sum up a test run: failures with their output, skips with their reason, counts, and one total.

usage: summary.py RESULTS [TESTLOG.json [KEEP]]

RESULTS holds the lines that tests/harness appends; TESTLOG.json is meson's. A test that appended no
line counts as one, by its exit status. All lines are appended to KEEP.
"""
import collections
import json
import os
import sys

Result = collections.namedtuple("Result", "verdict binary test kernel reason")

VERDICTS = {"OK": "PASS", "EXPECTEDFAIL": "PASS", "SKIP": "SKIP"}
OUTPUT_LINES = 80


def read_results(path):
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            fields = line.rstrip("\n").split("\t")
            yield Result(*(fields + [""] * 5)[:5])


def read_log(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8", errors="replace") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def identify(entry):
    """The binary and the kernel of one of meson's tests, as the harness writes them."""
    command = entry["command"] or ["?"]
    if isinstance(command, str):
        command = command.split()
    return os.path.basename(command[0]), entry.get("env", {}).get("GMEM_TEST_KERNEL")


def belongs(result, binary, kernel):
    return result.binary == binary and result.kernel in (kernel, "none")


def last_output(entry):
    text = (entry.get("stdout") or "") + (entry.get("stderr") or "")
    return text.rstrip("\n").split("\n")[-OUTPUT_LINES:]


def judge_by_status(entry, results):
    """What meson saw and the test's own lines do not say."""
    verdict = VERDICTS.get(entry["result"], "FAIL")
    binary, kernel = identify(entry)
    own = [r for r in results if belongs(r, binary, kernel) and r.verdict != "COUNT"]
    if own and (verdict != "FAIL" or any(r.verdict == "FAIL" for r in own)):
        return None
    reason = ""
    if verdict == "SKIP":
        reason = last_output(entry)[-1]
    elif verdict == "FAIL":
        reason = "%s, exit status %s" % (entry["result"].lower(), entry.get("returncode"))
    return Result(verdict, entry["name"].split(" / ")[-1], "*", kernel or "none", reason)


def print_failures(results, log):
    failed = [r for r in results if r.verdict == "FAIL"]
    if not failed:
        return
    print("\nfailed:")
    for r in failed:
        print("    %s %s on %s: %s" % (r.binary, r.test, r.kernel, r.reason))
    for entry in log:
        if VERDICTS.get(entry["result"], "FAIL") == "FAIL":
            print("\noutput of %s:" % entry["name"])
            print("\n".join("    " + line for line in last_output(entry)))


def print_skips(results):
    skips = collections.defaultdict(lambda: collections.defaultdict(list))
    for r in results:
        if r.verdict == "SKIP":
            skips[r.reason or "no reason given"][r.kernel].append(r.binary + "/" + r.test)
    if skips:
        print("\nskipped:")
    for reason in sorted(skips):
        print("  %s:" % reason)
        for kernel, tests in sorted(skips[reason].items()):
            print("    on %s: %s" % (kernel, " ".join(sorted(tests))))


def print_table(results):
    table = collections.defaultdict(collections.Counter)
    for r in results:
        if r.verdict in ("PASS", "FAIL", "SKIP"):
            table[(r.binary.split("-")[0].split(" ")[0], r.kernel)][r.verdict] += 1
    print("\n%-12s %-18s %8s %8s %8s" % ("suite", "kernel", "passed", "failed", "skipped"))
    for (suite, kernel), n in sorted(table.items()):
        print("%-12s %-18s %8d %8d %8d" % (suite, kernel, n["PASS"], n["FAIL"], n["SKIP"]))


def print_assertions(results):
    counts = collections.Counter()
    for r in results:
        if r.verdict == "COUNT" and r.binary.startswith(("contract-", "guest-")) and r.reason.isdigit():
            counts[r.kernel] += int(r.reason)
    if counts:
        print("\ncontract assertions: " + ", ".join("%s %d" % c for c in sorted(counts.items())))


def keep(results, path):
    with open(path, "a", encoding="utf-8") as lines:
        for r in results:
            lines.write("\t".join(r) + "\n")


def main():
    results = list(read_results(sys.argv[1]))
    log = read_log(sys.argv[2]) if len(sys.argv) > 2 else []
    results += [r for r in (judge_by_status(e, results) for e in log) if r]
    if len(sys.argv) > 3:
        keep(results, sys.argv[3])
    print_failures(results, log)
    print_skips(results)
    print_table(results)
    print_assertions(results)
    n = collections.Counter(r.verdict for r in results)
    print("\ntotal: %d passed, %d failed, %d skipped" % (n["PASS"], n["FAIL"], n["SKIP"]))
    sys.exit(1 if n["FAIL"] or not n["PASS"] else 0)


main()
