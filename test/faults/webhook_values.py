"""Signs and verifies webhooks with the official library: python webhook_values.py CASES RESULTS.

Each case has a secret, an id, a time in seconds and a body; one with a signature is verified, one without is signed.
"""

import json
import sys
from datetime import datetime, timezone

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def answer(case):
    hook = Webhook(case["secret"])
    if "signature" not in case:
        at = datetime.fromtimestamp(case["timestamp"], tz=timezone.utc)
        return hook.sign(case["id"], at, case["body"])
    headers = {
        "webhook-id": case["id"],
        "webhook-timestamp": str(case["timestamp"]),
        "webhook-signature": case["signature"],
    }
    try:
        hook.verify(case["body"], headers)
    except WebhookVerificationError as e:
        return str(e)
    return "verified"


def main():
    with open(sys.argv[1]) as f:
        cases = json.load(f)
    with open(sys.argv[2], "w") as f:
        json.dump([answer(c) for c in cases], f)


main()
