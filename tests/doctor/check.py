#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks `slipring doctor --json` from standard input: its fields, its counts, and that it has what is asked for.

Arguments, each of the form CHECK=STATUS or CHECK=STATUS:TEXT: a finding of that check (or any, for *) with that status exists whose sentence,
advice or values hold the text. !CHECK=STATUS: none does.
"""
import json
import sys

FIELDS = {"section", "check", "status", "found", "advice", "values"}
SECTIONS = ["shared memory", "channels", "names", "room and limits", "kernel", "machine"]


def main():
    report = json.load(sys.stdin)
    findings = report["findings"]
    assert set(report) == {"version", "layout_version", "problems", "notes", "findings"}, set(report)
    for finding in findings:
        assert set(finding) == FIELDS, finding
        assert finding["status"] in ("ok", "note", "problem"), finding
        assert finding["found"], finding
        assert finding["status"] != "problem" or finding["advice"], f"a problem without advice: {finding}"
        assert isinstance(finding["values"], dict)
    for status, count in (("problem", report["problems"]), ("note", report["notes"])):
        assert sum(f["status"] == status for f in findings) == count, (status, count)
    order = [SECTIONS.index(f["section"]) for f in findings]
    assert order == sorted(order), order

    for wish in sys.argv[1:]:
        none = wish.startswith("!")
        check, _, rest = wish.lstrip("!").partition("=")
        status, _, text = rest.partition(":")
        found = [
            f
            for f in findings
            if check in ("*", f["check"]) and f["status"] == status and text in f["found"] + " " + f["advice"] + " " + json.dumps(f["values"])
        ]
        if bool(found) == none:
            print(json.dumps(findings, indent=1))
            sys.exit(f"doctor {'has' if none else 'lacks'} {wish}")


main()
