#!/usr/bin/env python3
"""What a mailbox's size costs: STATUS, SELECT by the first session of the account, and a delivery, at 1,000 messages and at a million, in turns.

usage: sizes.py [--program PATH] [--messages N] [--tries N]
"""
import argparse
import os
import smtplib
import statistics
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests/interop"))
sys.path.insert(0, os.path.join(ROOT, "bench"))
import harness  # noqa: E402
from mailload import Imap, letter  # noqa: E402

SMALL = 1000
ACCOUNTS = {"bob": SMALL, "carol": None}


def log_in(world, name):
    client = Imap(world.port("imap"))
    client.login(f"{name}@{harness.DOMAIN}", name)
    return client


def fill(world, name, count):
    """A thousand letters, and copies of them."""
    client = log_in(world, name)
    client.fill("INBOX", (letter(i) for i in range(min(count, SMALL))))
    client.command("SELECT INBOX")
    there = min(count, SMALL)
    while there < count:
        more = min(there, count - there)
        client.command(f"COPY 1:{more} INBOX")
        there += more
    client.close()


def deliver(world, name):
    with smtplib.SMTP("127.0.0.1", world.port("smtp"), timeout=60) as client:
        client.ehlo()
        client.mail("load@outside.test")
        client.rcpt(f"{name}@{harness.DOMAIN}")
        begun = time.monotonic()
        code, text = client.data(harness.message("during", body="x" * 3000 + "\r\n"))
        if code != 250:
            raise SystemExit(f"bench: {code} {text}")
        return time.monotonic() - begun


def once(world, name):
    client = log_in(world, name)
    times = {"STATUS (MESSAGES UNSEEN UIDNEXT SIZE)": client.command("STATUS INBOX (MESSAGES UNSEEN UIDNEXT SIZE)")[0],
             "SELECT, no session of the account before": client.command("SELECT INBOX")[0]}
    client.close()
    # The account's sessions share what they know of a mailbox; the last takes it along.
    time.sleep(0.3)
    times["delivery by SMTP, from DATA to 250"] = deliver(world, name)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=os.path.join(ROOT, "build/release/godwit"))
    parser.add_argument("--messages", type=int, default=1000000)
    parser.add_argument("--tries", type=int, default=20)
    parser.add_argument("--folder", default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="godwit-sizes-", dir=options.folder) as base:
        world = harness.World(os.path.abspath(options.program), base).start()
        try:
            counts = {name: count or options.messages for name, count in ACCOUNTS.items()}
            for name, count in counts.items():
                begun = time.monotonic()
                fill(world, name, count)
                print(f"{name}: {count} messages in {time.monotonic() - begun:.0f} s", flush=True)
            found = {name: [] for name in counts}
            for _ in range(options.tries):
                for name in counts:
                    found[name].append(once(world, name))
            print(f"| what | {' | '.join(f'{count:,} messages, ms' for count in counts.values())} |")
            print("|---|---|---|")
            for what in found["bob"][0]:
                cells = []
                for name in counts:
                    values = sorted(one[what] * 1000 for one in found[name])
                    cells.append(f"{statistics.median(values):.2f} ({values[0]:.2f} to {values[-1]:.2f})")
                print(f"| {what} | {' | '.join(cells)} |")
        finally:
            world.close()


if __name__ == "__main__":
    main()
