#!/usr/bin/env python3
"""Accepts mail, durably: Godwit beside Postfix, both to a domain whose mail is dropped after it was accepted.

usage: ./dev bench smtp [--runs 5] [--sessions 1,10,100] [--sizes 1024,102400] [--scale 1.0]
Load: smtp-source -d (connections kept). The rate counts until the last 250; processor time counts until the queue is empty again.
"""
import argparse
import os
import time

from measure import DISCARD, Godwit, Group, Meter, Postfix, Results, free_ports, join, root_needed, settle, smtp_source, workplace

# Messages a run, so that a run takes seconds on either side: (peer, ours) by size and whether there are several sessions.
COUNTS = {(1024, False): (600, 2000), (1024, True): (2500, 12000), (102400, False): (300, 600), (102400, True): (900, 3000)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--sessions", default="1,10,100")
    parser.add_argument("--sizes", default="1024,102400")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the messages of a run")
    parser.add_argument("--only", choices=["godwit", "postfix"])
    options = parser.parse_args()
    root_needed()
    with workplace() as folder:
        group = Group(f"postfix-bench-{os.getpid()}")
        port, = free_ports(1)
        # in_flow_delay 0: Postfix takes mail at full speed, even when its queue manager lags.
        postfix = Postfix(f"{folder}/postfix", port, "peer.test", transports={DISCARD: "discard:"}, maildir=False, settings="in_flow_delay = 0\n", wrap=group.wrap())
        godwit = Godwit(options.program, f"{folder}/godwit")
        results = Results("smtp", folder, godwit.group)
        servers = [s for s in ("postfix", "godwit") if options.only in (None, s)]
        try:
            if "postfix" in servers:
                postfix.start()
                group.root_pid = postfix.master_pid()
            if "godwit" in servers:
                godwit.start()
            for size in map(int, options.sizes.split(",")):
                for sessions in map(int, options.sessions.split(",")):
                    counts = COUNTS.get((size, sessions > 1), (400, 1000))
                    for _ in range(options.runs):
                        for name in servers:
                            mine = name == "godwit"
                            account = godwit.group if mine else group
                            count = max(sessions, int(counts[mine] * options.scale))
                            settle(account)
                            with Meter(account) as meter:
                                began = time.monotonic()
                                join(smtp_source(godwit.port(25) if mine else port, sessions, count, size, f"load@{'client.test'}", f"x@{DISCARD}"))
                                seconds = time.monotonic() - began
                                while not mine and postfix.queue_length():
                                    time.sleep(0.02)
                                if mine:
                                    settle(account, seconds=10)
                            results.add(name, f"{size // 1024} KiB x {sessions} sessions", per_s=count / seconds, cpu_ms=meter.cpu / count * 1000, peak_mib=meter.peak_mib)
        finally:
            godwit.stop()
            postfix.stop()
        results.table("godwit", "postfix", [("per_s", "msg/s", "more"), ("cpu_ms", "CPU ms/msg", "less"), ("peak_mib", "peak MiB", "less")])
        results.save()


if __name__ == "__main__":
    main()
