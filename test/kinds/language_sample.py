"""Texts whose language is known, and what langid says of them: python language_sample.py RESULTS.

The texts are the messages that Django shows, translated by people who speak the language.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

import django
import langid
import polib

LANGUAGES = [
    "af",
    "ar",
    "az",
    "be",
    "bg",
    "bn",
    "ca",
    "cs",
    "cy",
    "da",
    "de",
    "el",
    "en",
    "eo",
    "es",
    "et",
    "eu",
    "fa",
    "fi",
    "fr",
    "ga",
    "gu",
    "he",
    "hi",
    "hr",
    "hu",
    "hy",
    "id",
    "is",
    "it",
    "ja",
    "ka",
    "kk",
    "km",
    "kn",
    "ko",
    "lt",
    "lv",
    "mk",
    "ml",
    "mn",
    "mr",
    "my",
    "nb",
    "ne",
    "nl",
    "pa",
    "pl",
    "pt",
    "ro",
    "ru",
    "sk",
    "sl",
    "sq",
    "sr",
    "sv",
    "sw",
    "ta",
    "te",
    "th",
    "tr",
    "uk",
    "ur",
    "vi",
    "zh_Hans",
]
MOST = 600
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{[^}]*\}|<[^>]+>|&\w+;")


def main():
    out = []
    root = Path(django.__file__).parent
    for language in LANGUAGES:
        seen, told = set(), []
        for path in sorted(root.glob(f"**/locale/{language}/LC_MESSAGES/*.po")):
            for entry in polib.pofile(str(path)):
                texts = [entry.msgstr, *entry.msgstr_plural.values()]
                if language == "en":
                    texts = [entry.msgid]
                elif entry.fuzzy or entry.msgstr == entry.msgid:
                    continue
                for text in texts:
                    text = " ".join(PLACEHOLDER.sub(" ", text).split())
                    if len(text) >= 20 and text not in seen:
                        seen.add(text)
                        told.append(text)
        # The whole sample is large, and langid takes its time.
        told.sort(key=lambda t: hashlib.sha256(t.encode()).digest())
        for i, text in enumerate(told[:MOST]):
            peer = langid.classify(text)[0] if i < MOST // 8 else None
            out.append({"language": language[:2], "text": text, "langid": peer})
    with open(sys.argv[1], "w") as f:
        json.dump(out, f)


main()
