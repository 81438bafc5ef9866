#!/usr/bin/env python3
"""Mail handed in over LMTP, as front-end servers do: Godwit's LMTP beside Dovecot's (sdbox). Both sync before they answer. Counted by IMAP STATUS.

usage: ./dev bench lmtp [--runs 3] [--sessions 1,10] [--size 4096] [--scale 1]
The rate counts from the first connection to the last 250 of the transactions; processor time is that of all the processes of either side.
Ten mailboxes; each session hands all its messages to one of them and keeps its connection.
"""
import time

from delivery import SECRET, USERS, delivered
from measure import LOCAL, Meter, join, settle, smtp_source
from opening import Stage, parser_of


def main():
    parser = parser_of(__doc__, runs=3)
    parser.add_argument("--sessions", default="1,10")
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--scale", type=float, default=1, help="of the number of messages")
    options = parser.parse_args()
    with Stage("lmtp", options.program) as stage:
        dovecot = stage.dovecot(SECRET)
        godwit = stage.godwit(accounts=[(f"u{i}", SECRET) for i in range(USERS)])
        results = stage.start()
        servers = (("dovecot", dovecot.ports["lmtp"], dovecot.ports["imap"], dovecot.group), ("godwit", godwit.port(24), godwit.port(143), godwit.group))
        for sessions in map(int, options.sessions.split(",")):
            for _ in range(options.runs):
                for name, port, imap, account in servers:
                    # One load generator a mailbox, as smtp-source writes to one recipient. Some seconds' work for either.
                    writers = min(USERS, sessions)
                    whole = (20000 if name == "godwit" else 3000) if sessions > 1 else (5000 if name == "godwit" else 1500)
                    each = max(1, int(whole * options.scale) // writers)
                    before = delivered(imap)
                    settle(account)
                    with Meter(account) as meter:
                        began = time.monotonic()
                        load = [smtp_source(port, sessions // writers, each, options.size, "load@client.test", f"u{i}@{LOCAL}", lmtp=True) for i in range(writers)]
                        for process in load:
                            join(process)
                        seconds = time.monotonic() - began
                    # Nothing is waited for: what was answered with 250 is in its mailbox.
                    if (got := delivered(imap) - before) != each * writers:
                        raise SystemExit(f"bench: {name} delivered {got} of {each * writers}")
                    results.add(name, f"{options.size // 1024} KiB x {sessions} sessions", per_s=each * writers / seconds, cpu_ms=meter.cpu / each / writers * 1000, peak_mib=meter.peak_mib)
        results.table("godwit", "dovecot", [("per_s", "250s/s", "more"), ("cpu_ms", "CPU ms/msg", "less"), ("peak_mib", "peak MiB", "less")])
        results.spread("per_s", "messages/s")
        results.save()


if __name__ == "__main__":
    main()
