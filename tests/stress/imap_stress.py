#!/usr/bin/env python3
"""Many sessions change the same mailboxes at once, each by chance; each keeps its own view as a client would, and it must always be right.

usage: imap_stress.py [--program PATH] [--seconds 60] [--sessions 12] [--seed N]
At every checkpoint all sessions stop, and each compares what it was told with what the server has: sequence numbers, UIDs, flags, mod-sequences, bytes.
Between them every answer is held against the rules: EXPUNGE only where it may be told, EXISTS never less, UIDs that rise, mod-sequences that rise.
Ends with 1 and the conversation of the session that saw something wrong.
"""
import argparse
import collections
import os
import random
import re
import shutil
import socket
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "interop"))
sys.dont_write_bytecode = True
import harness  # noqa: E402

BOXES = ("Stress/one", "Stress/two", "Stress/three")
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "\\Deleted", "\\Draft", "blue", "green")
CHECKPOINT_SECONDS = 5
ROOM = 400  # Messages of a mailbox from which on more go than come.
KEPT_LINES = 200


class Wrong(Exception):
    pass


class Message:
    """What a session knows of one message; None where it was not told."""

    def __init__(self, uid=None):
        self.uid, self.flags, self.modseq = uid, None, 0


class Ledger:
    """What all sessions together know: which bytes lie under which UID of a mailbox, and which UIDs are gone."""

    def __init__(self):
        self.lock = threading.Lock()
        self.bytes = {box: {} for box in BOXES}

    def added(self, box, uid, digest):
        with self.lock:
            known = self.bytes[box].setdefault(uid, digest)
            if known != digest:
                raise Wrong(f"UID {uid} of {box} was given twice")

    def digest(self, box, uid):
        with self.lock:
            return self.bytes[box].get(uid)


def numbers(text):
    """The numbers of a sequence set without `*`."""
    found = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        low, high = sorted((int(first), int(last or first)))
        found.extend(range(low, high + 1))
    return found


class Session(threading.Thread):
    def __init__(self, stress, name, seed, kind):
        super().__init__(daemon=True, name=f"session-{name}")
        self.stress, self.label, self.kind = stress, f"{name} ({kind})", kind
        self.random = random.Random(seed)
        self.said = collections.deque(maxlen=KEPT_LINES)
        self.tags = 0
        self.box, self.view, self.uidvalidity, self.highest, self.gone = None, [], None, 0, set()
        self.counts = collections.Counter()
        self.error = None

    # --- the conversation
    def connect(self):
        self.socket = socket.create_connection(("127.0.0.1", self.stress.port), 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.line()
        self.command("LOGIN stress stress")
        if self.kind == "qresync":
            self.command("ENABLE QRESYNC")
        elif self.kind == "condstore":
            self.command("ENABLE CONDSTORE")

    def octets(self, count):
        while len(self.buffer) < count:
            data = self.socket.recv(262144)
            if not data:
                raise Wrong("the server ended the connection")
            self.buffer += data
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def line(self):
        while b"\r\n" not in self.buffer:
            data = self.socket.recv(262144)
            if not data:
                raise Wrong("the server ended the connection")
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        self.said.append(f"S: {line[:400].decode('latin-1')}")
        return line.decode("latin-1")

    def send(self, text):
        self.said.append(f"C: {text[:400]}")
        self.socket.sendall(text.encode("latin-1") if isinstance(text, str) else text)

    def command(self, text, literal=None, may_fail=False):
        """Sends it and takes in all that is answered; the tagged line. Only what may tell EXPUNGE lets it through."""
        self.tags += 1
        tag = f"t{self.tags}"
        verb = text.split()[0].upper()
        self.may_expunge = verb not in ("FETCH", "STORE", "SEARCH")
        self.fetched, self.found, self.copyuid = {}, None, None
        self.send(f"{tag} {text}\r\n")
        if literal is not None:
            self.socket.sendall(literal + b"\r\n")
        while True:
            line = self.line()
            if line.startswith(tag + " "):
                break
            self.untagged(line)
        self.counts[verb if verb != "UID" else "UID " + text.split()[1]] += 1
        status = line.split()[1]
        if status == "BAD" or (status == "NO" and not may_fail):
            raise Wrong(f"{text[:200]!r} was answered {line!r}")
        if modseq := re.search(r"HIGHESTMODSEQ (\d+)", line):
            self.highest = max(self.highest, int(modseq.group(1)))
        return line

    # --- what is told
    def untagged(self, line):
        if m := re.match(r"\* (\d+) EXISTS$", line):
            count = int(m.group(1))
            if count < len(self.view):
                raise Wrong(f"EXISTS fell from {len(self.view)} to {count}")
            if self.has_begun:
                self.later += count - len(self.view)
            self.has_begun = True
            self.view.extend(Message() for _ in range(count - len(self.view)))
        elif m := re.match(r"\* (\d+) EXPUNGE$", line):
            if self.kind == "qresync":
                raise Wrong("EXPUNGE after ENABLE QRESYNC")
            self.expunged(int(m.group(1)))
        elif m := re.match(r"\* VANISHED( \(EARLIER\))? ([\d:,]+)$", line):
            self.vanished(numbers(m.group(2)), bool(m.group(1)))
        elif m := re.match(r"\* (\d+) FETCH \(", line):
            self.fetch(int(m.group(1)), line)
        elif line.startswith("* SEARCH"):
            self.found = [int(word) for word in re.sub(r"\(.*", "", line).split()[2:]]
        elif m := re.match(r"\* OK \[UIDVALIDITY (\d+)\]", line):
            self.uidvalidity = int(m.group(1))
        elif m := re.match(r"\* OK \[HIGHESTMODSEQ (\d+)\]", line):
            self.selected_at = int(m.group(1))
        elif line.startswith("* OK [COPYUID"):
            self.copyuid = line
        elif line.startswith("* BYE"):
            raise Wrong(f"BYE: {line}")

    def expunged(self, number):
        if not self.may_expunge:
            raise Wrong("EXPUNGE in answer to FETCH, STORE or SEARCH (RFC 9051 7.5.1)")
        if not 1 <= number <= len(self.view):
            raise Wrong(f"EXPUNGE of {number} of {len(self.view)}")
        uid = self.view.pop(number - 1).uid
        if uid is not None:
            self.gone.add(uid)

    def vanished(self, uids, is_earlier):
        if self.kind != "qresync":
            raise Wrong("VANISHED before ENABLE QRESYNC")
        if not is_earlier and not self.may_expunge:
            raise Wrong("VANISHED in answer to FETCH, STORE or SEARCH")
        if is_earlier:
            self.earlier.update(uids)
            return
        self.learn_uids(uids)
        for uid in uids:
            if not any(message.uid == uid for message in self.view):
                raise Wrong(f"VANISHED {uid}, which the session did not have")
            self.view = [message for message in self.view if message.uid != uid]
            self.gone.add(uid)

    def learn_uids(self, uids):
        """Messages told by EXISTS alone that vanish before their UID was told: UIDs rise, so they lie between known ones. Which of one gap it was nobody can tell,
        so what was told of these by number is forgotten."""
        known = {message.uid for message in self.view}
        if not set(uids) <= known:
            for message in self.view:
                if message.uid is None:
                    message.flags, message.modseq = None, 0
        for uid in sorted(set(uids) - known):
            place = next((i for i, message in enumerate(self.view) if message.uid is None and uid > max((m.uid for m in self.view[:i] if m.uid), default=0)
                          and uid < min((m.uid for m in self.view[i + 1:] if m.uid), default=uid + 1)), None)
            if place is None:
                raise Wrong(f"VANISHED {uid}, for which there is no room among {[message.uid for message in self.view]}")
            self.view[place].uid = uid

    def fetch(self, number, line):
        body = None
        if m := re.search(r"BODY\[\] \{(\d+)\}$", line):
            body = self.octets(int(m.group(1)))
            line += self.line()
        if not 1 <= number <= len(self.view):
            raise Wrong(f"FETCH of {number} of {len(self.view)}")
        message = self.view[number - 1]
        if m := re.search(r"\bUID (\d+)", line):
            uid = int(m.group(1))
            if message.uid not in (None, uid):
                raise Wrong(f"number {number} was UID {message.uid} and is told as {uid}")
            if uid in self.gone:
                raise Wrong(f"UID {uid} is told after it was gone")
            message.uid = uid
        if m := re.search(r"FLAGS \(([^)]*)\)", line):
            message.flags = frozenset(flag for flag in m.group(1).split() if flag != "\\Recent")
        if m := re.search(r"MODSEQ \((\d+)\)", line):
            modseq = int(m.group(1))
            if modseq < message.modseq:
                raise Wrong(f"the mod-sequence of {message.uid} fell from {message.modseq} to {modseq}")
            message.modseq = modseq
        self.fetched[number] = body
        if body is not None and message.uid is not None:
            wanted = self.stress.ledger.digest(self.box, message.uid)
            if wanted is not None and wanted != harness.sha(body):
                raise Wrong(f"UID {message.uid} of {self.box} has other bytes")

    # --- what a client does
    def select(self, box):
        """Afresh, or, for QRESYNC, by what was known when it was left."""
        known = self.kept.get(box) if self.kind == "qresync" else None
        # What was selected before may still be told of until [CLOSED].
        self.command("UNSELECT") if self.box else None
        self.box, self.view, self.gone, self.earlier, self.selected_at = box, [], set(), set(), 0
        self.has_begun, self.later = False, 0  # Of this SELECT: was the first EXISTS told, and how many came after it.
        if not known:
            self.command(f"SELECT {box}")
            self.learn_all()
        else:
            uidvalidity, modseq, before = known
            self.command(f"SELECT {box} (QRESYNC ({uidvalidity} {modseq} 1:4294967295))")
            told = {message.uid: message for message in self.view if message.uid is not None}
            merged = {uid: message for uid, message in before.items() if uid not in self.earlier | self.gone}
            merged.update(told)
            # Messages that came while SELECT was answered are told by EXISTS alone.
            new = len(self.view) - len(merged)
            if not 0 <= new <= self.later:
                raise Wrong(f"after QRESYNC {len(merged)} messages are known and {len(self.view)} exist, {self.later} of them later")
            self.view = [merged[uid] for uid in sorted(merged)] + [Message() for _ in range(new)]
            self.counts["resync"] += 1
        self.highest = max(self.highest if known else 0, self.selected_at)

    def learn_all(self):
        if self.view:
            self.command("UID FETCH 1:* (UID FLAGS)" if self.kind == "plain" else "UID FETCH 1:* (UID FLAGS MODSEQ)")

    def leave(self):
        if self.kind == "qresync" and all(message.uid is not None and message.flags is not None for message in self.view):
            self.command("NOOP")
            if all(message.uid is not None and message.flags is not None for message in self.view):
                # What the session was told is whole up to its last mod-sequence, which SELECT told first.
                self.kept[self.box] = (self.uidvalidity, self.selected_at, {message.uid: message for message in self.view})
        self.select(self.random.choice(BOXES))

    def some(self, by_uid, most=12):
        """A set of some messages; None when there is none."""
        if not self.view:
            return None
        first = self.random.randrange(len(self.view))
        chosen = list(range(first, min(len(self.view), first + self.random.randrange(1, most))))
        if by_uid:
            uids = [self.view[i].uid for i in chosen if self.view[i].uid is not None]
            return ",".join(map(str, uids)) or None
        return f"{chosen[0] + 1}:{chosen[-1] + 1}"

    def append(self):
        data = harness.message(harness.token(), body="".join(self.random.choice("abcdef \n") for _ in range(self.random.randrange(10, 4000))).replace("\n", "\r\n"))
        box = self.random.choice(BOXES)
        answer = self.command(f"APPEND {box} ({' '.join(self.random.sample(FLAGS, self.random.randrange(3)))}) {{{len(data)}+}}", data)
        uid = int(re.search(r"\[APPENDUID \d+ (\d+)\]", answer).group(1))
        self.stress.ledger.added(box, uid, harness.sha(data))

    def store(self):
        by_uid = self.random.random() < 0.6
        chosen = self.some(by_uid)
        if not chosen:
            return
        sign, silent = self.random.choice(("+", "-", "")), self.random.random() < 0.4
        flags = self.random.sample(FLAGS, self.random.randrange(1, 3))
        unchanged = self.kind != "plain" and self.random.random() < 0.2
        # Whoever asks for silence knows what it did.
        targets = [message for i, message in enumerate(self.view) if (message.uid in set(map(int, chosen.split(",")))) ] if by_uid else self.view[numbers(chosen)[0] - 1:numbers(chosen)[-1]]
        before = {id(message): (message.flags, message.modseq) for message in targets}
        since = max((message.modseq for message in targets), default=0)
        condition = f"(UNCHANGEDSINCE {since}) " if unchanged else ""
        answer = self.command(f"{'UID ' if by_uid else ''}STORE {chosen} {condition}{sign}FLAGS{'.SILENT' if silent else ''} ({' '.join(flags)})", may_fail=True)
        is_sure = answer.split()[1] == "OK" and "MODIFIED" not in answer
        if silent:
            for message in targets:
                old, _ = before[id(message)]
                if message.flags is not old:
                    continue  # The server told what it is now.
                if not is_sure or old is None:
                    message.flags = None
                else:
                    message.flags = frozenset(old | set(flags) if sign == "+" else old - set(flags) if sign == "-" else flags)

    def copy(self):
        by_uid, verb = self.random.random() < 0.7, self.random.choice(("COPY", "MOVE"))
        chosen = self.some(by_uid, 5)
        target = self.random.choice(BOXES)
        if not chosen or (verb == "MOVE" and target == self.box):
            return
        answer = self.command(f"{'UID ' if by_uid else ''}{verb} {chosen} {target}", may_fail=True)
        # MOVE tells it before the first EXPUNGE (RFC 6851 4.3), COPY at its end.
        if m := re.search(r"\[COPYUID \d+ ([\d:,]+) ([\d:,]+)\]", self.copyuid or answer):
            sources, copies = numbers(m.group(1)), numbers(m.group(2))
            if len(sources) != len(copies):
                raise Wrong(f"COPYUID names {len(sources)} and {len(copies)}")
            for source, made in zip(sources, copies):
                digest = self.stress.ledger.digest(self.box, source)
                if digest:
                    self.stress.ledger.added(target, made, digest)

    def expunge(self):
        if self.random.random() < 0.5:
            self.command("EXPUNGE")
        elif chosen := self.some(True, 40):
            self.command(f"UID EXPUNGE {chosen}")

    def look(self):
        by_uid = self.random.random() < 0.5
        if chosen := self.some(by_uid, 30):
            items = self.random.choice(("FLAGS", "(UID FLAGS)", "(UID BODY.PEEK[])", "(UID FLAGS MODSEQ)" if self.kind != "plain" else "(UID INTERNALDATE)"))
            self.command(f"{'UID ' if by_uid else ''}FETCH {chosen} {items}", may_fail=True)

    def search(self):
        key, flag = self.random.choice((("SEEN", "\\Seen"), ("DELETED", "\\Deleted"), ("KEYWORD blue", "blue")))
        self.command(f"SEARCH {key}")
        if any(number > len(self.view) for number in self.found or []):
            raise Wrong(f"SEARCH found {self.found} of {len(self.view)}")

    def idle(self):
        self.tags += 1
        self.may_expunge, self.fetched = True, {}
        self.send(f"t{self.tags} IDLE\r\n")
        while not (line := self.line()).startswith("+"):
            self.untagged(line)
        self.socket.settimeout(self.random.uniform(0.02, 0.3))
        try:
            for _ in range(50):
                self.untagged(self.line())
        except (TimeoutError, socket.timeout):
            pass
        self.socket.settimeout(30)
        self.send("DONE\r\n")
        while not (line := self.line()).startswith(f"t{self.tags} "):
            self.untagged(line)
        self.counts["IDLE"] += 1

    def check(self):
        """All stand still: what this session was told must be what is there."""
        self.command("NOOP")
        told = [(message.uid, message.flags, message.modseq) for message in self.view]
        for message in self.view:
            message.flags, message.modseq = None, 0
        self.command("FETCH 1:* (UID FLAGS MODSEQ BODY.PEEK[])" if self.kind != "plain" else "FETCH 1:* (UID FLAGS BODY.PEEK[])") if self.view else None
        true = [(message.uid, message.flags, message.modseq) for message in self.view]
        if len(told) != len(true) or sorted(self.fetched) != list(range(1, len(true) + 1)):
            raise Wrong(f"{len(told)} messages known, {len(self.fetched)} there")
        for number, (mine, theirs) in enumerate(zip(told, true), 1):
            if mine[0] is not None and mine[0] != theirs[0] or mine[1] is not None and mine[1] != theirs[1] or mine[2] > theirs[2]:
                raise Wrong(f"number {number}: known as {mine}, and is {theirs}")
            if self.kind == "qresync" and mine[1] is not None and mine[2] and mine[2] != theirs[2]:
                raise Wrong(f"number {number}: a change of {theirs[0]} was not told: known as {mine}, and is {theirs}")
        if [uid for uid, _, _ in true] != sorted({uid for uid, _, _ in true}):
            raise Wrong("UIDs do not rise with the numbers")
        self.stress.truths.append((self.box, tuple((uid, flags) for uid, flags, _ in true), self.label))
        self.counts["checkpoint"] += 1

    def step(self):
        crowded = len(self.view) > ROOM
        choices = [(self.append, 1 if crowded else 14), (self.store, 24), (self.copy, 2 if crowded else 10), (self.expunge, 20 if crowded else 6), (self.look, 20), (self.search, 6), (self.idle, 4),
                   (lambda: self.command("NOOP"), 6), (self.leave, 3)]
        self.random.choices([choice for choice, _ in choices], [weight for _, weight in choices])[0]()

    def run(self):
        try:
            self.earlier, self.kept, self.has_begun, self.later = set(), {}, False, 0
            self.connect()
            self.select(self.random.choice(BOXES))
            while not self.stress.is_over():
                if self.stress.is_checkpoint():
                    self.stress.barrier.wait(60)
                    self.check()
                    self.stress.barrier.wait(60)
                    self.stress.compare(self)
                    self.stress.barrier.wait(60)
                else:
                    self.step()
            self.command("UNSELECT")
        except threading.BrokenBarrierError:
            pass
        except Exception as error:  # A session that ends wrongly ends the run.
            self.error = error
            self.stress.failed = True
            self.stress.barrier.abort()


class Stress:
    def __init__(self, port, sessions, seconds, seed):
        self.port, self.ledger, self.failed = port, Ledger(), False
        self.begun, self.seconds, self.rounds = time.monotonic(), seconds, 0
        self.barrier = threading.Barrier(sessions)
        self.truths = []
        kinds = ("plain", "condstore", "qresync")
        self.sessions = [Session(self, i + 1, seed * 1000 + i, kinds[i % 3]) for i in range(sessions)]

    def is_over(self):
        """The last round ends with a checkpoint, so that all leave together."""
        return self.failed or self.rounds * CHECKPOINT_SECONDS >= self.seconds

    def is_checkpoint(self):
        return time.monotonic() - self.begun >= (self.rounds + 1) * CHECKPOINT_SECONDS

    def compare(self, session):
        """One of them holds what all saw side by side."""
        if session is not self.sessions[0]:
            return
        for box in BOXES:
            seen = {truth for name, truth, _ in self.truths if name == box}
            if len(seen) > 1:
                raise Wrong(f"sessions see {box} differently while nobody changes it")
        self.truths.clear()
        self.rounds += 1

    def run(self):
        for session in self.sessions:
            session.start()
        for session in self.sessions:
            session.join(self.seconds * 3 + 120)
        return [session for session in self.sessions if session.error or session.is_alive()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=os.path.join(harness.ROOT, "build/dev/godwit"))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--sessions", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="godwit-stress-")
    world = harness.World(os.path.abspath(options.program), folder)
    failed = True
    try:
        world.start()
        with world.imap("stress", None) as client:
            for box in BOXES:
                client.create(box)
        stress = Stress(world.port("imap"), options.sessions, options.seconds, options.seed)
        wrong = stress.run()
        counts = sum((session.counts for session in stress.sessions), collections.Counter())
        for session in wrong:
            print(f"not ok session {session.label} in {session.box}: {session.error!r}".replace("\n", "\n    "))
            print("    " + "\n    ".join(session.said))
        code = world.stop()
        if code != 0:
            print(f"not ok the server ended with {code}\n    " + world.log_tail(6000).replace("\n", "\n    "))
        failed = bool(wrong) or code != 0
        verdict = "not ok" if failed else "ok"
        print(f"{verdict} stress_{options.sessions}_sessions")
        print(f"stress: seed {options.seed}, {options.seconds} s, " + ", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    finally:
        world.close()
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
