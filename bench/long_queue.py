#!/usr/bin/env python3
"""A long queue. Up to 100,000 messages, Godwit beside Postfix: accepts mail for a domain that cannot be reached, lists it, starts again with it.

Above that Godwit alone, for Postfix takes too long: fills the queue over 1,003 sites, starts again, and measures the start, the first
delivery that is due, memory, and what an administrator does with such a queue.

usage: ./dev bench queue [--messages 20000] [--sessions 50]
       ./dev bench queue --messages 1000000 [--keep FOLDER] [--starts 3]
       ./dev bench queue --messages 1000000 --keep FOLDER --starts 5 --no-changes    once more, without filling
"""
import json
import os
import shutil
import socket
import subprocess
import threading
import time

from filling import Sink, fill
from measure import HELD, Meter, Results, join, settle, smtp_source
from opening import Stage, parser_of

BESIDE_MAX = 100_000
# Of a thousand messages: to the sink, to be held, to a thousand small sites; the rest is one site's.
TO_SINK, TO_HOLD, TO_SMALL = 2, 50, 100
SMALL_SITES = 1000
USER = ("alice@example.test", "secret")


def beside(options):
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


def recipient_of(number):
    place = number % 1000
    if place < TO_SINK:
        return f"n{number}@sink.test"
    if place < TO_SINK + TO_HOLD:
        return f"n{number}@kept.test"
    if place < TO_SINK + TO_HOLD + TO_SMALL:
        return f"n{number}@s{number // 1000 % SMALL_SITES}.small.test"
    return f"n{number}@bulk.test"


def identity_of(number):
    """A message's id as it is shown."""
    letters = "0123456789abcdefghjkmnpqrstvwxyz"
    return "".join(letters[number >> shift & 31] for shift in range(45, -1, -5))


class Watch:
    """The most memory of one process while it runs: resident, and of that its own (without mapped files). MiB."""

    def __init__(self, pid):
        self.pid, self.resident, self.own, self.done = pid, 0, 0, threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self):
        while not self.done.wait(0.05):
            try:
                lines = dict(l.split(":", 1) for l in open(f"/proc/{self.pid}/status") if l.startswith(("VmRSS", "RssAnon")))
            except OSError:
                return
            self.resident = max(self.resident, int(lines.get("VmRSS", "0 kB").split()[0]) / 1024)
            self.own = max(self.own, int(lines.get("RssAnon", "0 kB").split()[0]) / 1024)

    def since(self):
        """What it was; counts anew."""
        time.sleep(0.1)
        seen = dict(resident_mib=self.resident, own_mib=self.own)
        self.resident = self.own = 0
        return seen


def greeted(port, seconds=120):
    """Waits for the greeting of an SMTP server; the time of it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as s:
                if s.recv(3) == b"220":
                    return time.monotonic()
        except OSError:
            time.sleep(0.005)
    raise SystemExit("bench: no greeting")


def server_pid(godwit):
    """The process itself: a shell that joins the control group has become it."""
    return godwit.process.pid


class Alone:
    def __init__(self, options, stage):
        self.options, self.stage = options, stage
        self.dead, self.sink = stage.port(), Sink(stage.port())
        self.godwit = stage.godwit(accounts=[USER], routes=[f"*=127.0.0.1:{self.dead}", f"sink.test=127.0.0.1:{self.sink.port}"])

    def command(self, *words):
        began = time.monotonic()
        done = subprocess.run([self.options.program, *words, "--dir", f"{self.stage.folder}/godwit"], capture_output=True, timeout=1200)
        if done.returncode:
            raise SystemExit(f"bench: {words}: {done.stderr[-500:]!r}")
        return time.monotonic() - began, done.stdout

    @property
    def folder(self):
        return f"{self.stage.folder}/godwit"

    def run(self):
        kept = self.options.keep
        if kept and os.path.exists(kept):
            self.results = Results(self.stage.name, self.stage.folder, self.godwit.group)
        else:
            self.fill()
            kept = kept or f"{self.stage.folder}/kept"
            shutil.copytree(self.folder, kept)
            # The last ones for the sink were refused a moment ago and wait a minute: they fall due while nothing runs.
            time.sleep(self.options.rest)
        for number in range(self.options.starts):
            self.stop()
            shutil.rmtree(self.folder, ignore_errors=True)
            shutil.copytree(kept, self.folder)
            os.sync()
            self.start_again()
        time.sleep(self.options.minute)
        self.results.add("godwit", f"{self.options.minute} s after", value=self.sink.received, load=os.getloadavg()[0], **self.watch.since())
        self.start_after_a_kill()
        self.look()
        if not self.options.no_changes:
            self.operate()
        self.results.save(messages=self.options.messages)

    def fill(self):
        messages = self.options.messages
        self.results = results = self.stage.start(self.godwit)
        watch = Watch(server_pid(self.godwit))
        began = time.monotonic()
        fill(self.godwit.port(587), USER, self.options.sessions, messages, recipient_of, progress=lambda n: print(f"    {n} at {time.monotonic() - began:.0f} s", flush=True))
        seconds = time.monotonic() - began
        results.add("godwit", f"accept {messages}", value=messages / seconds, **watch.since())
        self.held(messages)
        watch.done.set()
        seconds = time.monotonic()
        self.godwit.stop()
        results.add("godwit", "stop, s", value=time.monotonic() - seconds)

    def held(self, messages):
        seconds, out = self.command("queue", "hold", "--site", "kept.test", "--json")
        self.results.add("godwit", "hold a site, s", value=seconds, deliveries=json.loads(out)["deliveries"])

    def stop(self):
        if self.godwit.process:
            began = time.monotonic()
            self.godwit.stop()
            self.results.add("godwit", "stop, s", value=time.monotonic() - began)

    def start_again(self):
        """Godwit's start until it is ready, and until the first message that is due has arrived."""
        greeting = {}
        port = self.godwit.port(25)
        greeted_at = threading.Thread(target=lambda: greeting.setdefault("at", greeted(port)), daemon=True)
        greeted_at.start()
        self.sink.start()
        cpu = self.godwit.group.cpu()
        began = time.monotonic()
        self.godwit.start()
        ready = time.monotonic()
        cpu = self.godwit.group.cpu() - cpu
        self.watch = Watch(server_pid(self.godwit))
        while self.sink.first is None and time.monotonic() - began < 120:
            time.sleep(0.001)
        if self.sink.first is None:
            raise SystemExit("bench: nothing came to the sink")
        greeted_at.join()
        size = sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(self.folder) for name in names)
        self.results.add("godwit", "start: ready, s", value=ready - began, greets=greeting["at"] - began, cpu_s=cpu, load=os.getloadavg()[0], folder_mib=size // 2**20)
        self.results.add("godwit", "start: first delivery, s", value=self.sink.first - began, behind_ready=self.sink.first - ready, **self.watch.since())

    def start_after_a_kill(self):
        self.godwit.process.kill()
        self.godwit.process.wait()
        logs = sum(os.path.getsize(f"{self.folder}/kv/{name}") for name in os.listdir(f"{self.folder}/kv") if name.endswith(".log"))
        began = time.monotonic()
        self.godwit.start()
        self.watch = Watch(server_pid(self.godwit))
        self.results.add("godwit", "start after a kill, s", value=time.monotonic() - began, load=os.getloadavg()[0], logs_mib=logs // 2**20, **self.watch.since())

    def look(self):
        seconds, out = self.command("queue", "list", "--limit", "100", "--json")
        page = json.loads(out)
        self.results.add("godwit", "list, a page of 100, s", value=seconds, rows=len(page["rows"]))
        middle = identity_of(int(self.options.messages * 0.9))
        seconds, out = self.command("queue", "list", "--limit", "100", "--after", middle, "--json")
        self.results.add("godwit", "list, a later page, s", value=seconds, rows=len(json.loads(out)["rows"]))
        identity = page["rows"][0]["id"]
        seconds, out = self.command("queue", "show", identity)
        self.results.add("godwit", "show, s", value=seconds)
        seconds, out = self.command("status", "--json")
        self.results.add("godwit", "status, s", value=seconds)
        seconds, out = self.command("queue", "summary", "--json")
        rows = json.loads(out)
        self.results.add("godwit", "summary, s", value=seconds, sites=len(rows), deliveries=sum(r["deliveries"] for r in rows))
        seconds, out = self.command("queue", "list", "--json")
        self.results.add("godwit", "list of all, s", value=seconds, rows=out.count(b'"accepted_at"'), **self.watch.since())
        seconds, out = self.command("backup", f"{self.stage.folder}/backup", "--json")
        self.results.add("godwit", "backup, s", value=seconds, rows=json.loads(out)["rows"], **self.watch.since())
        seconds, out = self.command("fsck", "--quick", "--json")
        self.results.add("godwit", "fsck --quick, s", value=seconds, load=os.getloadavg()[0], **self.watch.since())

    def operate(self):
        """Changes to all of it, while mail goes on: the slowest of the messages handed in meanwhile says whether it starves."""
        for verb in ("hold", "release", "delete"):
            stop, waits = threading.Event(), []
            knocking = threading.Thread(target=knock, args=(self.godwit.port(587), stop, waits))
            knocking.start()
            seconds, out = self.command("queue", verb, "--all", "--json")
            stop.set()
            knocking.join()
            waits.sort()
            self.results.add("godwit", f"{verb} all, s", value=seconds, deliveries=json.loads(out)["deliveries"], mail_p95_ms=waits[len(waits) * 95 // 100] * 1000, mail_max_ms=waits[-1] * 1000, **self.watch.since())
        seconds, out = self.command("queue", "list", "--json")
        self.results.add("godwit", "list when empty, s", value=seconds, rows=out.count(b'"accepted_at"'))


def knock(port, stop, waits):
    """Hands in a message for the sink every tenth of a second, and notes how long each took."""
    while not stop.wait(0.1):
        began = time.monotonic()
        fill(port, USER, 1, 1, lambda _: "knock@sink.test", size=200)
        waits.append(time.monotonic() - began)


def main():
    parser = parser_of(__doc__, runs=None)
    parser.add_argument("--messages", type=int, default=20000)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--alone", action="store_true", help="as with more than 100,000")
    parser.add_argument("--rest", type=int, default=70, help="seconds between stop and start")
    parser.add_argument("--keep", help="a folder for the queue as it was filled; once it is there, nothing is filled")
    parser.add_argument("--starts", type=int, default=1, help="starts that are measured, each with the queue as it was filled")
    parser.add_argument("--no-changes", action="store_true", help="leave out hold, release and delete of all")
    parser.add_argument("--minute", type=int, default=60, help="seconds of load after the new start")
    options = parser.parse_args()
    if options.messages <= BESIDE_MAX and not options.alone:
        beside(options)
        return
    with Stage("queue", options.program) as stage:
        Alone(options, stage).run()


if __name__ == "__main__":
    main()
