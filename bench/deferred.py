#!/usr/bin/env python3
"""What do 100,000 deferred messages cost while they wait? Share of a core over a minute in which none of them was tried.

usage: ./dev bench deferred [--messages 100000] [--domains 1000] [--window 60] [--within 1500] [--only godwit]
All go to hosts that answer 421. Godwit tries again after 1, 5, 10 and 20 minutes, each 10 % more or less, Postfix by its scan of the deferred
queue every 5 minutes: windows are taken one after the other until one passes without a connection. The first window, with its attempts, is told too.
"""
import contextlib
import time

from destinations import HostsProcess
from filling import fill
from measure import Meter, settle
from opening import Stage, parser_of

USER = ("alice@example.test", "secret")


def waits(hosts, group, options, results, name):
    """Windows one after the other until one had no attempt in it."""
    end = time.monotonic() + options.within
    number = 0
    while time.monotonic() < end:
        tried = len(hosts.lines())
        with Meter(group) as meter:
            time.sleep(options.window)
        attempts = len(hosts.lines()) - tried
        if number == 0 or attempts == 0:
            results.add(name, "waiting" if attempts == 0 else "the first window", core_percent=meter.cpu / meter.wall * 100, attempts=attempts, window=number, peak_mib=meter.peak_mib)
        if attempts == 0:
            return
        number += 1
    raise SystemExit(f"bench: no {options.window} s without an attempt within {options.within} s")


def main():
    parser = parser_of(__doc__, runs=None)
    parser.add_argument("--messages", type=int, default=100000)
    parser.add_argument("--domains", type=int, default=1000)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--window", type=float, default=60.0)
    parser.add_argument("--within", type=float, default=1500.0)
    parser.add_argument("--only", choices=["godwit", "postfix"])
    options = parser.parse_args()
    with Stage("deferred", options.program) as stage, contextlib.ExitStack() as exits:
        busy = stage.port()
        # In clear and without AUTH for Postfix, which takes everything from loopback.
        postfix = stage.postfix({".later.test": f"smtp:[127.0.0.1]:{busy}"})
        godwit = stage.godwit(accounts=[USER], routes=[f"*=127.0.0.1:{busy}"])
        servers = [(name, port, server) for name, port, server in (("postfix", lambda: postfix.port, postfix), ("godwit", lambda: godwit.port(587), godwit)) if options.only in (None, name)]
        results = stage.start(*(server for _, _, server in servers))
        for name, port, server in servers:
            hosts = HostsProcess(stage.folder, [f"busy=127.0.0.1:{busy}"])
            exits.callback(hosts.stop)
            began = time.monotonic()
            fill(port(), USER if name == "godwit" else (USER[0], None), options.sessions, options.messages, lambda n: f"n{n}@d{n % options.domains}.later.test")
            results.add(name, f"accept {options.messages}", per_s=options.messages / (time.monotonic() - began))
            settle(server.group, seconds=30)
            waits(hosts, server.group, options, results, name)
            server.stop()
            hosts.stop()
        results.save(messages=options.messages)


if __name__ == "__main__":
    main()
