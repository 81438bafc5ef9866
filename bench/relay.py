#!/usr/bin/env python3
"""Relays mail into smtp-sink: Godwit beside Postfix, Exim and OpenSMTPD. From the first message handed in to the last one in the sink.

usage: ./dev bench relay [--runs 5] [--sessions 1,10,100] [--sizes 1024,102400] [--peers postfix,exim,opensmtpd] [--scale 1.0]
Load: smtp-source -d (connections kept). Each server has its own sink. Processor time is that of all processes of the server, until it rests again.
"""
import re
import subprocess
import threading
import time

from measure import Meter, join, settle, smtp_source
from opening import Stage, parser_of

RELAY = "relay.test"
# Messages a run by size and whether there are several sessions: (the peers, ours). So that a run takes seconds on either side.
COUNTS = {(1024, False): (300, 1000), (1024, True): (1500, 9000), (102400, False): (150, 400), (102400, True): (600, 2500)}


class Counted:
    """smtp-sink, whose running counters (-c) say when a message was taken. It takes everything and drops it."""

    def __init__(self, port):
        self.port = port
        # With -M it would leave its last message unanswered, and so in the sender's queue.
        self.process = subprocess.Popen(["smtp-sink", "-u", "nobody", "-c", f"127.0.0.1:{port}", "1024"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.taken, self.last, self.grown = 0, 0.0, threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        rest = b""
        while data := self.process.stdout.read1(65536):
            found = re.findall(rb"mesg=(\d+)\s", (rest + data))
            rest = data[-80:]
            if found and int(found[-1]) > self.taken:
                with self.grown:
                    self.taken, self.last = int(found[-1]), time.monotonic()
                    self.grown.notify_all()

    def wait(self, count, seconds):
        """Waits until it has taken so many since it was made; when that was."""
        with self.grown:
            if not self.grown.wait_for(lambda: self.taken >= count, seconds):
                raise SystemExit(f"bench: {self.taken} of {count} messages in the sink after {seconds} s")
            return self.last

    def stop(self):
        self.process.kill()
        self.process.wait()


def servers_of(stage, peers):
    """[(name, port, group, sink)]: who is asked for, and Godwit."""
    found = []
    for name in peers:
        sink = stage.take(Counted(stage.port()))
        peer = stage.postfix({RELAY: f"relay:[127.0.0.1]:{sink.port}"}) if name == "postfix" else stage.relaying(name, RELAY, sink.port)
        found.append((name, lambda peer=peer: peer.port, peer.group, sink))
    sink = stage.take(Counted(stage.port()))
    godwit = stage.godwit(routes=[f"{RELAY}=127.0.0.1:{sink.port}"])
    found.append(("godwit", lambda: godwit.port(25), godwit.group, sink))
    return found


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--sessions", default="1,10,100")
    parser.add_argument("--sizes", default="1024,102400")
    parser.add_argument("--peers", default="postfix,exim,opensmtpd")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the messages of a run")
    options = parser.parse_args()
    peers = [name for name in options.peers.split(",") if name]
    with Stage("relay", options.program) as stage:
        servers = servers_of(stage, peers)
        results = stage.start()
        for size in map(int, options.sizes.split(",")):
            for sessions in map(int, options.sessions.split(",")):
                counts = COUNTS.get((size, sessions > 1), (300, 1000))
                for _ in range(options.runs):
                    for name, port, group, sink in servers:
                        count = max(sessions, int(counts[name == "godwit"] * options.scale))
                        settle(group)
                        before = sink.taken
                        with Meter(group) as meter:
                            began = time.monotonic()
                            join(smtp_source(port(), sessions, count, size, "load@client.test", f"x@{RELAY}"))
                            accepted = time.monotonic() - began
                            seconds = sink.wait(before + count, 180) - began
                            settle(group, seconds=10)
                        if sink.taken != before + count:
                            raise SystemExit(f"bench: {name} sent {sink.taken - before} messages for {count}")
                        results.add(name, f"{size // 1024} KiB x {sessions} sessions", per_s=count / seconds, accepted_per_s=count / accepted, cpu_ms=meter.cpu / count * 1000, peak_mib=meter.peak_mib)
        for name in peers:
            results.table("godwit", name, [("per_s", "msg/s", "more"), ("cpu_ms", "CPU ms/msg", "less"), ("peak_mib", "peak MiB", "less")])
        results.spread("per_s", "msg/s")
        results.save()


if __name__ == "__main__":
    main()
