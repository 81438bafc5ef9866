"""The remote mail server: takes, refuses, hangs up, and remembers what it took, with its hash.

What it does with a recipient stands in front of the address: ok, tmp (451 the first time), cut (takes the message and hangs up
without a word, the first time), brk (hangs up within the message, the first time), no (550), nod (550 after the dot), later (451 until it is opened).
"""
import random
import re
import socket
import threading

from ledger import sha


class Arrival:
    """One message that this server took on for one recipient."""

    def __init__(self, generation, digest):
        self.generation, self.digest = generation, digest
        self.replied = False   # The 250 was handed to the system.
        self.was_cut = False   # This server hung up instead of answering.
        self.settled = False   # The sender went on after it: it has committed the outcome.


class Sink:
    def __init__(self, world, server):
        self.world, self.server = world, server
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.seen = {}           # key -> times it was named
        self.open = set()        # "later" keys that are taken now
        self.lock = threading.Lock()
        self.taken = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection, self.server.generation), daemon=True).start()

    def serve(self, connection, generation):
        try:
            connection.settimeout(60)
            Talk(self, connection, generation).run()
        except (OSError, EOFError):
            pass
        finally:
            connection.close()

    def verdict(self, key):
        """What RCPT is answered; counts the calls."""
        kind = key.split("-")[0]
        with self.lock:
            times = self.seen[key] = self.seen.get(key, 0) + 1
            if kind == "no":
                return 550
            if kind == "tmp" and times == 1:
                return 451
            if kind == "later" and key not in self.open:
                return 451
        return 250

    def take(self, key, mail, digest, generation):
        """A message is ours for this recipient. A second one of the same id is W1 or a fault of the server."""
        world = self.world
        with world.lock:
            job = world.job(key, mail)
            expected = world.digests.get(key.split("-")[1])
            if key not in world.kinds or expected is None:
                world.problem("bytes", f"the remote server got mail for {key}, which nobody sent")
            elif digest != expected:
                world.problem("bytes", f"the remote server got other bytes for {key} ({mail})")
            if job.deleted is True or job.held is True:
                world.problem("queue", f"{key} ({mail}) went out although it was {'deleted' if job.deleted else 'held'}")
            before = job.arrivals[-1] if job.arrivals else None
            if before is not None and before.settled:
                world.problem("twice", f"{key} ({mail}) went out again after its outcome was committed")
            elif before is not None and before.replied and before.generation == generation:
                world.problem("twice", f"{key} ({mail}) went out twice within one run of the server")
            elif before is not None:
                world.counts["w1_cut" if before.was_cut else "w1"] += 1
            arrival = Arrival(generation, digest)
            job.arrivals.append(arrival)
            self.taken += 1
        return arrival


class Talk:
    def __init__(self, sink, connection, generation):
        self.sink, self.connection, self.generation = sink, connection, generation
        self.buffer = b""
        self.random = random.Random()
        self.open = []   # Arrivals that are answered and not yet known to be settled.
        self.keys = []

    def line(self):
        while b"\r\n" not in self.buffer:
            self.more()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def more(self):
        data = self.connection.recv(65536)
        if not data:
            raise EOFError
        self.buffer += data

    def say(self, text):
        self.connection.sendall(text + b"\r\n")

    def run(self):
        offers = [b"sink.test", b"SIZE 100000000", b"8BITMIME"] + [word for word in (b"PIPELINING", b"CHUNKING") if self.random.random() < 0.6]
        self.say(b"220 sink.test ESMTP")
        pieces = []
        while True:
            line = self.line()
            verb = line[:4].upper()
            with self.sink.world.lock:
                for arrival in self.open:
                    arrival.settled = True
                self.open = []
            if verb in (b"EHLO", b"HELO"):
                self.say(b"\r\n".join(b"250%b%b" % (b" " if i == len(offers) - 1 else b"-", offer) for i, offer in enumerate(offers)))
            elif verb == b"MAIL":
                self.keys, pieces = [], []
                self.say(b"250 2.1.0 Ok")
            elif verb == b"RCPT":
                key = re.search(rb"<([^@>]+)@", line).group(1).decode()
                code = self.sink.verdict(key)
                if code == 250:
                    self.keys.append(key)
                self.say({250: b"250 2.1.5 Ok", 451: b"451 4.2.0 Not now", 550: b"550 5.1.1 Nobody of that name"}[code])
            elif verb == b"DATA":
                if not self.keys:
                    self.say(b"554 5.5.1 No recipients")
                    continue
                self.say(b"354 Go on")
                self.end(self.text())
            elif verb == b"BDAT":
                words = line.split()
                size = int(words[1])
                while len(self.buffer) < size:
                    self.hang_up_within(len(self.buffer) > 100)
                    self.more()
                pieces.append(self.buffer[:size])
                self.buffer = self.buffer[size:]
                if not self.keys:
                    self.say(b"554 5.5.1 No recipients")
                elif len(words) > 2:
                    self.end(b"".join(pieces))
                else:
                    self.say(b"250 2.0.0 Go on")
            elif verb == b"QUIT":
                self.say(b"221 2.0.0 Bye")
                return
            else:
                self.say(b"250 2.0.0 Ok")

    def hang_up_within(self, is_far):
        if is_far and any(key.startswith("brk-") and self.sink.seen.get(key) == 1 for key in self.keys):
            raise EOFError

    def text(self):
        while b"\r\n.\r\n" not in self.buffer:
            self.hang_up_within(len(self.buffer) > 100)
            self.more()
        self.hang_up_within(True)
        text, _, self.buffer = self.buffer.partition(b"\r\n.\r\n")
        text += b"\r\n"
        return (text[1:] if text.startswith(b"..") else text).replace(b"\r\n..", b"\r\n.")

    def end(self, text):
        if any(key.startswith("nod-") for key in self.keys):
            self.say(b"550 5.7.1 Not this one")
            self.keys = []
            return
        self.hang_up_within(True)
        found = re.search(rb"\tid ([0-9A-Za-z]+)", text)
        digest = sha(text[max(text.find(b"From: <"), 0):])
        arrivals = [self.sink.take(key, found.group(1).decode() if found else "", digest, self.generation) for key in self.keys]
        if any(key.startswith("cut-") and self.sink.seen.get(key) == 1 for key in self.keys):
            for arrival in arrivals:
                arrival.was_cut = True
            raise EOFError
        self.say(b"250 2.0.0 Taken")
        with self.sink.world.lock:
            for arrival in arrivals:
                arrival.replied = True
        self.open = arrivals
        self.keys = []
