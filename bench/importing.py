#!/usr/bin/env python3
"""Imports a large Maildir while mail is delivered: messages a second, peak memory of server and command, and what deliveries waited.

usage: importing.py [--program PATH] [--messages N] [--folder DIR]
"""
import argparse
import json
import os
import random
import smtplib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests/interop"))
import harness  # noqa: E402


def lay_out(root, count):
    """Messages of 1 to 20 KiB, about 4 KiB in the mean, over 20 folders."""
    chance = random.Random(7)
    words = [bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(5000)]
    folders = [root, *(f"{root}/.Folder {n}" for n in range(19))]
    for folder in folders:
        for part in ("cur", "new", "tmp"):
            os.makedirs(f"{folder}/{part}", exist_ok=True)
    for number in range(count):
        body = b" ".join(chance.choices(words, k=int(min(3500, 150 + chance.expovariate(1 / 450)))))
        octets = (f"From: a{number % 97}@example.org\nTo: b@example.org\nSubject: message {number}\nDate: Mon, 23 Nov 2020 10:00:00 +0000\n"
                  f"Message-ID: <{number}@example.org>\n\n").encode() + b"\n".join(body[at:at + 70] for at in range(0, len(body), 70)) + b"\n"
        with open(f"{folders[number % len(folders)]}/cur/{1600000000 + number}.M{number}P1.host:2,S", "wb") as file:
            file.write(octets)


def peak(process):
    with open(f"/proc/{process}/status") as file:
        return next(int(line.split()[1]) // 1024 for line in file if line.startswith("VmHWM"))


class Deliveries:
    """One message after the other to bob, and how long each took."""

    def __init__(self, world):
        self.world, self.waits, self.ending = world, [], threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        with smtplib.SMTP("127.0.0.1", self.world.port("smtp"), timeout=60) as client:
            while not self.ending.is_set():
                begun = time.monotonic()
                client.sendmail("load@outside.test", [f"bob@{harness.DOMAIN}"], harness.message("during", body="x" * 3000 + "\r\n"))
                self.waits.append(time.monotonic() - begun)
                time.sleep(0.02)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()

    def show(self):
        waits = sorted(self.waits)
        return f"{len(waits)} deliveries: median {statistics.median(waits) * 1000:.1f} ms, 99 of 100 below {waits[len(waits) * 99 // 100] * 1000:.0f} ms, longest {waits[-1] * 1000:.0f} ms"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=os.path.join(ROOT, "build/release/godwit"))
    parser.add_argument("--messages", type=int, default=200000)
    parser.add_argument("--folder", default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="godwit-import-", dir=options.folder) as base:
        maildir = f"{base}/maildir"
        lay_out(maildir, options.messages)
        world = harness.World(os.path.abspath(options.program), base).start()
        try:
            with Deliveries(world) as alone:
                time.sleep(10)
            print("before:", alone.show())
            at_rest = peak(world.process.pid)
            with Deliveries(world) as beside:
                begun = time.monotonic()
                command = subprocess.Popen([world.program, "import", "maildir", "carol", maildir, "--dir", world.data, "--json"], stdout=subprocess.PIPE, text=True)
                most = 0
                while command.poll() is None:
                    try:
                        most = max(most, peak(command.pid))
                    except (OSError, StopIteration):
                        break
                    time.sleep(0.2)
                report = json.loads(command.communicate()[0])
                seconds = time.monotonic() - begun
            print("meanwhile:", beside.show())
            print(f"{report['imported']} messages, {report['octets'] // 2**20} MiB in {seconds:.0f} s, {report['imported'] / seconds:.0f}/s; failed {report['failed']}")
            print(f"peak memory: server {peak(world.process.pid)} MiB ({at_rest} before), command {most} MiB")
            begun = time.monotonic()
            again = json.loads(subprocess.run([world.program, "import", "maildir", "carol", maildir, "--dir", world.data, "--json"], stdout=subprocess.PIPE, text=True).stdout)
            print(f"again: {again['imported']} imported, {again['known']} known, {time.monotonic() - begun:.1f} s")
            begun = time.monotonic()
            out = json.loads(subprocess.run([world.program, "export", "maildir", "carol", f"{base}/out", "--dir", world.data, "--json"], stdout=subprocess.PIPE, text=True).stdout)
            print(f"export: {out['exported']} messages in {time.monotonic() - begun:.0f} s; server {peak(world.process.pid)} MiB")
        finally:
            world.close()


if __name__ == "__main__":
    main()
