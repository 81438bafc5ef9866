#!/usr/bin/env python3
"""A long queue: accepts mail for a domain that cannot be reached, then lists it, then starts again with it. Godwit beside Postfix.

usage: ./dev bench queue [--messages 20000] [--sessions 50]
"""
import subprocess
import time

from measure import HELD, Meter, join, settle, smtp_source
from opening import Stage, parser_of


def main():
    parser = parser_of(__doc__, runs=None)
    parser.add_argument("--messages", type=int, default=20000)
    parser.add_argument("--sessions", type=int, default=50)
    options = parser.parse_args()
    with Stage("queue", options.program) as stage:
        # A port where nobody listens: every attempt fails at once and the entry waits for its next one.
        dead = stage.port()
        postfix = stage.postfix({HELD: f"smtp:[127.0.0.1]:{dead}"})
        godwit = stage.godwit(routes=[f"{HELD}=127.0.0.1:{dead}"])
        results = stage.start()
        for name, where, account, listing in (("postfix", postfix.port, postfix.group, ["postqueue", "-c", f"{stage.folder}/postfix/etc", "-j"]),
                                              ("godwit", godwit.port(25), godwit.group, [options.program, "queue", "list", "--json", "--dir", f"{stage.folder}/godwit"])):
            with Meter(account) as meter:
                began = time.monotonic()
                join(smtp_source(where, options.sessions, options.messages, 1024, "load@client.test", f"x@{HELD}"), 600)
                seconds = time.monotonic() - began
                settle(account, seconds=120)
            results.add(name, f"accept {options.messages}", value=options.messages / seconds, cpu_ms=meter.cpu / options.messages * 1000, peak_mib=meter.peak_mib)
            began = time.monotonic()
            done = subprocess.run(listing, capture_output=True, timeout=300)
            results.add(name, "list, s", value=time.monotonic() - began, bytes=len(done.stdout))
            if done.returncode or len(done.stdout) < options.messages * 20:
                raise SystemExit(f"bench: {name} lists too little: {done.stderr[-300:]!r}")
            (postfix if name == "postfix" else godwit).stop()
            began = time.monotonic()
            (postfix if name == "postfix" else godwit).start()
            results.add(name, "start again, s", value=time.monotonic() - began)
        print(f"\n{results.header}\n\n| case | postfix | godwit |\n|---|---:|---:|")
        for case in dict.fromkeys(r["case"] for r in results.rows):
            print(f"| {case} | {results.median('postfix', case, 'value'):.4g} | {results.median('godwit', case, 'value'):.4g} |")
        results.save()


if __name__ == "__main__":
    main()
