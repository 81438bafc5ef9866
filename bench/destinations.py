#!/usr/bin/env python3
"""Do 1,000 slow or dead destinations hold up the healthy ones? Delivery time of healthy mail with and without them, from 250 to the last dot at its host.

usage: ./dev bench destinations [--bad 1000] [--each 3] [--healthy 20] [--rate 20] [--seconds 30] [--runs 3] [--only godwit]
A third of the bad ones refuse connections, a third take them and are silent, a third take two seconds for each answer; each has an address
of its own on loopback, so that it is a site of its own. Every bad one has mail waiting before the second measurement begins. Peer: Postfix.
"""
import contextlib
import smtplib
import subprocess
import sys
import os
import threading
import time

from measure import ROOT
from opening import Stage, parser_of

SENDER = "alice@example.test"


def bad_address(number):
    return f"127.1.{number // 250}.{number % 250 + 1}"


class HostsProcess:
    """bench/hosts.py, and what it notes."""

    def __init__(self, folder, places):
        self.path = os.path.join(folder, f"hosts-{time.monotonic_ns()}.log")
        self.process = subprocess.Popen([sys.executable, os.path.join(ROOT, "bench", "hosts.py"), self.path, *places], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        if self.process.stdout.readline() != b"ready\n":
            raise SystemExit("bench: the hosts do not start")

    def lines(self):
        """The words of each line so far."""
        with open(self.path) as f:
            return [line.split() for line in f.read().split("\n")[:-1]]

    def stop(self):
        self.process.kill()
        self.process.wait()


def hand_in(port, recipients, pace=0.0):
    """One message to each, one after the other, `pace` seconds apart; {local part: when it was acknowledged}."""
    at = {}
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.ehlo("client.test")
        due = time.monotonic()
        for recipient in recipients:
            with_header = f"From: <{SENDER}>\r\nTo: <{recipient}>\r\nSubject: x\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <{recipient}>\r\n\r\nHello.\r\n"
            client.sendmail(SENDER, [recipient], with_header)
            at[recipient.partition("@")[0]] = time.monotonic()
            due += pace
            time.sleep(max(0.0, due - time.monotonic()))
    return at


def measured(port, hosts, options, round_name):
    """Milliseconds from 250 to the host, of `rate` messages a second to the healthy ones in turn, sorted; and how many never came."""
    count = int(options.rate * options.seconds)
    recipients = [f"{round_name}-{n}@h{n % options.healthy}.healthy.test" for n in range(count)]
    at = hand_in(port, recipients, 1 / options.rate)
    end = time.monotonic() + options.patience
    while True:
        came = {words[2]: float(words[1]) for words in hosts.lines() if words[0] == "good" and words[2] in at}
        if len(came) == len(at) or time.monotonic() > end:
            break
        time.sleep(0.2)
    return sorted((came[name] - at[name]) * 1000 for name in came), len(at) - len(came)


def places_of(stage, options):
    """(ports by kind, the places hosts.py serves, [(domain, address, port)] of the bad ones, the good one's port)."""
    good, slow, silent, dead = (stage.port() for _ in range(4))
    kinds = ((slow, "slow"), (silent, "silent"), (dead, None))
    bad, places = [], [f"good=127.0.0.1:{good}"]
    for n in range(options.bad):
        port, kind = kinds[n % 3]
        bad.append((f"b{n}.bad.test", bad_address(n), port))
        if kind:
            places.append(f"{kind}={bad_address(n)}:{port}")
    return places, bad, good


def main():
    parser = parser_of(__doc__, runs=3)
    parser.add_argument("--bad", type=int, default=1000)
    parser.add_argument("--each", type=int, default=3, help="messages for each of the bad ones")
    parser.add_argument("--healthy", type=int, default=20)
    parser.add_argument("--rate", type=float, default=20.0, help="messages a second for the healthy ones")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--patience", type=float, default=120.0, help="seconds for the last of them to come")
    parser.add_argument("--only", choices=["godwit", "postfix"])
    options = parser.parse_args()
    for run in range(options.runs):
        with Stage("destinations", options.program) as stage, contextlib.ExitStack() as exits:
            places, bad, good = places_of(stage, options)
            # The default for a peer is the same: it has no map of MX hosts here, each domain is a destination.
            postfix = stage.postfix({f"{d}": f"smtp:[{a}]:{p}" for d, a, p in bad} | {".healthy.test": f"smtp:[127.0.0.1]:{good}"})
            godwit = stage.godwit(routes=[f"{d}={a}:{p}" for d, a, p in bad] + [f"h{n}.healthy.test=127.0.0.1:{good}" for n in range(options.healthy)])
            results = stage.start()
            for name, port in (("postfix", postfix.port), ("godwit", godwit.port(25))):
                if options.only not in (None, name):
                    continue
                hosts = HostsProcess(stage.folder, places)
                exits.callback(hosts.stop)
                alone, lost = measured(port, hosts, options, f"alone{run}")
                report(results, name, "alone", alone, lost)
                fillers = [threading.Thread(target=hand_in, args=(port, [f"x{n}-{i}@{d}" for n, (d, _, _) in enumerate(bad[part::8]) for i in range(options.each)])) for part in range(8)]
                for thread in fillers:
                    thread.start()
                for thread in fillers:
                    thread.join()
                beside, lost = measured(port, hosts, options, f"beside{run}")
                report(results, name, f"beside {options.bad} bad ones", beside, lost)
                ratio = at_percent(beside, 95) / max(0.001, at_percent(alone, 95))
                print(f"  {name}: p95 beside is {ratio:.2f} times p95 alone (Godwit's bar: below 2)\n", flush=True)
                hosts.stop()
            results.save(run=run)


def at_percent(values, percent):
    return values[min(len(values) - 1, len(values) * percent // 100)] if values else float("nan")


def report(results, name, case, values, lost):
    results.add(name, case, p50_ms=at_percent(values, 50), p95_ms=at_percent(values, 95), max_ms=at_percent(values, 100), count=len(values), lost=lost)


if __name__ == "__main__":
    main()
