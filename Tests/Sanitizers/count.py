"""Counts the tests of each target in the JUnit document of a run, as rows for `publish`.

Usage: count.py DOCUMENT. Tests that were skipped are named on standard error and not counted.
"""

import collections
import sys

import junitparser

tried = collections.Counter()
failed = collections.Counter()
for suite in junitparser.JUnitXml.fromfile(sys.argv[1]):
    for case in suite:
        target = case.classname.split(".")[0]
        if case.is_skipped:
            print(f"skipped: {target}: {case.name}", file=sys.stderr)
            continue
        tried[target] += 1
        failed[target] += not case.is_passed
for target in tried:
    print(target, tried[target], failed[target], sep="\t")
