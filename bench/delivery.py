#!/usr/bin/env python3
"""Mail that ends in a mailbox: Godwit beside Postfix + Dovecot (LMTP, sdbox). Counted by IMAP STATUS.

usage: ./dev bench delivery [--runs 5] [--sessions 1,10,100] [--size 4096]
The rate counts until the last message is in its mailbox; processor time is that of all the processes of either side.
"""
import imaplib
import re
import time

from measure import LOCAL, Meter, join, settle, smtp_source
from opening import Stage, parser_of

USERS, SECRET = 10, "pass"


def delivered(port):
    total = 0
    for i in range(USERS):
        client = imaplib.IMAP4("127.0.0.1", port, timeout=60)
        client.login(f"u{i}", SECRET)
        total += int(re.search(rb"MESSAGES (\d+)", client.status("INBOX", "(MESSAGES)")[1][0]).group(1))
        client.logout()
    return total


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--sessions", default="1,10,100")
    parser.add_argument("--size", type=int, default=4096)
    options = parser.parse_args()
    with Stage("delivery", options.program) as stage:
        dovecot = stage.dovecot(SECRET)
        postfix = stage.postfix({LOCAL: f"lmtp:inet:127.0.0.1:{dovecot.ports['lmtp']}"})
        godwit = stage.godwit(accounts=[(f"u{i}", SECRET) for i in range(USERS)])
        results = stage.start()
        for sessions in map(int, options.sessions.split(",")):
            for _ in range(options.runs):
                for name in ("postfix+dovecot", "godwit"):
                    mine = name == "godwit"
                    account = [godwit.group] if mine else [postfix.group, dovecot.group]
                    # One load generator a user, as smtp-source writes to one recipient.
                    writers = min(USERS, sessions)
                    each = (6000 if mine else 600) // writers if sessions > 1 else (1000 if mine else 200)
                    count = each * writers
                    where = godwit.port(143) if mine else dovecot.ports["imap"]
                    before = delivered(where)
                    settle(*account)
                    with Meter(*account) as meter:
                        began = time.monotonic()
                        load = [smtp_source(godwit.port(25) if mine else postfix.port, sessions // writers, each, options.size, "load@client.test", f"u{i}@{LOCAL}") for i in range(writers)]
                        for process in load:
                            join(process)
                        while not mine and postfix.queue_length():
                            time.sleep(0.02)
                        seconds = time.monotonic() - began
                    end = time.monotonic() + 30
                    while (got := delivered(where) - before) < count and time.monotonic() < end:
                        time.sleep(0.1)
                    if got != count:
                        raise SystemExit(f"bench: {name} delivered {got} of {count}")
                    results.add(name, f"{options.size // 1024} KiB x {sessions} sessions", per_s=count / seconds, cpu_ms=meter.cpu / count * 1000, peak_mib=meter.peak_mib)
        results.table("godwit", "postfix+dovecot", [("per_s", "delivered/s", "more"), ("cpu_ms", "CPU ms/msg", "less"), ("peak_mib", "peak MiB", "less")])
        results.save()


if __name__ == "__main__":
    main()
