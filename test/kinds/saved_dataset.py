"""Saves datasets as Hugging Face's library does, and what is in them: python saved_dataset.py DIR RESULTS."""

import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import datasets

datasets.disable_progress_bars()


def main():
    folder = Path(sys.argv[1])
    rows = {
        "text": [f"sentence {i}" if i % 7 else None for i in range(1000)],
        "label": [i % 3 for i in range(1000)],
        "tokens": [list(range(i % 4)) for i in range(1000)],
    }
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["a", "b", "c"]),
            "tokens": datasets.Sequence(datasets.Value("int32")),
        }
    )
    whole = datasets.Dataset.from_dict(rows, features=features)
    whole.save_to_disk(folder / "whole", num_shards=3)
    (folder / "whole" / "cache-0123456789abcdef.arrow").write_bytes(b"not a table")
    splits = whole.train_test_split(test_size=0.25, shuffle=False)
    splits.save_to_disk(folder / "splits")

    def values(d):
        return {
            "text": d["text"][:],
            "label": [str(v) for v in d["label"]],
            "tokens": ["[" + ", ".join(map(str, v)) + "]" for v in d["tokens"]],
        }

    out = {
        "whole": values(whole),
        "splits/train": values(splits["train"]),
        "splits/test": values(splits["test"]),
    }
    with open(sys.argv[2], "w") as f:
        json.dump(out, f)


main()
