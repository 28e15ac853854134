"""Reads texts as Python's libraries do: dates, formats of dates, regular expressions, JSON and printed numbers.

Usage: python_results.py CASES RESULTS. A case is [what, argument, text].
"""

import json
import re
import sys
from datetime import datetime, timezone

from dateutil.parser import parse

BASE = datetime(2026, 11, 29)


def date(_, text):
    try:
        moment = parse(text, default=BASE)
        if moment.tzinfo is not None:
            moment = moment.astimezone(timezone.utc).replace(tzinfo=None)
        return moment.isoformat()
    except Exception:
        return None


def strptime(form, text):
    try:
        datetime.strptime(text, form)
        return True
    except (ValueError, re.error):
        return False


def regex(pattern, text):
    return re.search(pattern, text) is not None


def is_json(_, text):
    try:
        json.loads(text)
        return True
    except ValueError:
        return False


def number(_, text):
    return repr(float(text))


def main(cases, results):
    with open(cases) as f:
        todo = json.load(f)
    with open(results, "w") as f:
        json.dump([globals()[what](argument, text) for what, argument, text in todo], f)


if __name__ == "__main__":
    main(*sys.argv[1:])
