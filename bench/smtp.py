#!/usr/bin/env python3
"""Accepts mail, durably: Godwit beside Postfix, both to a domain whose mail is dropped after it was accepted.

usage: ./dev bench smtp [--runs 5] [--sessions 1,10,100] [--sizes 1024,102400] [--scale 1.0]
Load: smtp-source -d (connections kept). The rate counts until the last 250; processor time counts until the queue is empty again.
"""
import time

from measure import DISCARD, Meter, join, settle, smtp_source
from opening import Stage, parser_of

# Messages a run, so that a run takes seconds on either side: (peer, ours) by size and whether there are several sessions.
COUNTS = {(1024, False): (600, 2000), (1024, True): (2500, 12000), (102400, False): (300, 600), (102400, True): (900, 3000)}


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--sessions", default="1,10,100")
    parser.add_argument("--sizes", default="1024,102400")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the messages of a run")
    parser.add_argument("--only", choices=["godwit", "postfix"])
    options = parser.parse_args()
    with Stage("smtp", options.program) as stage:
        postfix = stage.postfix({DISCARD: "discard:"})
        godwit = stage.godwit()
        servers = [(name, server) for name, server in (("postfix", postfix), ("godwit", godwit)) if options.only in (None, name)]
        results = stage.start(*(server for _, server in servers))
        for size in map(int, options.sizes.split(",")):
            for sessions in map(int, options.sessions.split(",")):
                counts = COUNTS.get((size, sessions > 1), (400, 1000))
                for _ in range(options.runs):
                    for name, server in servers:
                        mine = name == "godwit"
                        account = server.group
                        count = max(sessions, int(counts[mine] * options.scale))
                        settle(account)
                        with Meter(account) as meter:
                            began = time.monotonic()
                            join(smtp_source(godwit.port(25) if mine else postfix.port, sessions, count, size, "load@client.test", f"x@{DISCARD}"))
                            seconds = time.monotonic() - began
                            while not mine and postfix.queue_length():
                                time.sleep(0.02)
                            if mine:
                                settle(account, seconds=10)
                        results.add(name, f"{size // 1024} KiB x {sessions} sessions", per_s=count / seconds, cpu_ms=meter.cpu / count * 1000, peak_mib=meter.peak_mib)
        results.table("godwit", "postfix", [("per_s", "msg/s", "more"), ("cpu_ms", "CPU ms/msg", "less"), ("peak_mib", "peak MiB", "less")])
        results.save()


if __name__ == "__main__":
    main()
