#!/usr/bin/env python3
"""Kills the real program under load, starts it again, and compares what it holds with a ledger of what it acknowledged.

The load: SMTP clients that deliver to local accounts and to a remote domain that is held in the queue, and IMAP clients that
APPEND, STORE, COPY, MOVE and EXPUNGE. A line goes to the ledger, with fsync, only after the server's answer was read, so the ledger is a
subset of what was acknowledged. What was asked but not answered when the kill came may have happened or not.

After each restart: every acknowledged local message is there once, byte for byte (sha256); every held message is in the queue; what was expunged stays gone, flags
stay set. Each cycle verifies what changed since the last one, the last cycle everything.

usage: crash_loop.py [--program PATH] [--cycles N] [--seed S] [--keep]
Prints `ok NAME` or `not ok NAME` lines and `crash:` lines with figures; ends with 1 when something acknowledged is lost.
"""
import argparse
import collections
import contextlib
import hashlib
import imaplib
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DOMAIN, HELD = "example.test", "held.test"
SMTP_ACCOUNTS = ["alice", "bob"]
IMAP_ACCOUNT = "writer"
START_SECONDS = 30


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Ledger:
    """Append-only, each line on disk before record() returns; kept in memory beside for comparing."""

    def __init__(self, path):
        self.file = open(path, "ab", buffering=0)
        self.lock = threading.Lock()
        self.lines = 0

    def record(self, **entry):
        with self.lock:
            self.file.write(json.dumps(entry).encode() + b"\n")
            os.fdatasync(self.file.fileno())
            self.lines += 1


class Expectations:
    """What the mailboxes and the queue must, may and must not hold."""

    def __init__(self):
        self.lock = threading.Lock()
        self.must = {}       # key -> sha256: acknowledged
        self.may = {}        # key -> sha256: asked, no answer
        self.gone = set()    # keys whose removal was acknowledged
        self.flagged = set()
        self.fresh = set()   # keys touched since the last verification


def key_of(box, word):
    return f"{box} {word}"


class Client(threading.Thread):
    """One load client. Ends when the server dies or the stop event is set."""

    def __init__(self, test, number):
        super().__init__(daemon=True)
        self.test, self.number = test, number
        self.random = random.Random(f"{test.seed}-{test.cycle}-{number}")

    def run(self):
        with contextlib.suppress(OSError, EOFError, imaplib.IMAP4.error, ValueError):
            self.work()

    def word(self):
        return f"w{self.random.getrandbits(64):016x}"

    def message(self, word):
        size = self.random.choice((0, 200, 2000, 6000, 6000, 60_000, 300_000))
        body = self.random.randbytes(size // 2 + 1).hex().encode()
        body = b"\r\n".join(body[i:i + 76] for i in range(0, len(body), 76)) + b"\r\n"
        return f"From: <alice@{DOMAIN}>\r\nTo: <x@{DOMAIN}>\r\nSubject: {word}\r\nMessage-ID: <{word}@load.test>\r\nDate: Thu, 01 Jan 1970 00:00:00 +0000\r\n\r\n".encode() + body


class Smtp(Client):
    """Speaks SMTP by hand, so that it is sure which byte of which answer it has seen."""

    def reply(self):
        while True:
            while b"\r\n" not in self.buffer:
                data = self.socket.recv(65536)
                if not data:
                    raise EOFError
                self.buffer += data
            line, _, self.buffer = self.buffer.partition(b"\r\n")
            if line[3:4] != b"-":
                return int(line[:3])

    def work(self):
        test = self.test
        self.socket, self.buffer = socket.create_connection(("127.0.0.1", test.port(587)), 10), b""
        self.reply()
        self.socket.sendall(b"EHLO load.test\r\n")
        self.reply()
        # \0alice\0alice
        self.socket.sendall(b"AUTH PLAIN AGFsaWNlAGFsaWNl\r\n")
        if self.reply() != 235:
            raise EOFError
        while not test.stopping.is_set():
            word = self.word()
            data = self.message(word)
            locals_ = self.random.sample(SMTP_ACCOUNTS, self.random.choice((1, 1, 2, 0)))
            held = not locals_ or self.random.random() < 0.3
            recipients = [f"{n}@{DOMAIN}" for n in locals_] + ([f"{word}@{HELD}"] if held else [])
            self.socket.sendall(b"MAIL FROM:<alice@%b>\r\n" % DOMAIN.encode() + b"".join(b"RCPT TO:<%b>\r\n" % r.encode() for r in recipients) + b"DATA\r\n")
            codes = [self.reply() for _ in range(len(recipients) + 2)]
            if codes != [250] * (len(recipients) + 1) + [354]:
                test.trouble(f"SMTP answered {codes}")
                return
            keys = [key_of(f"{n}/INBOX", word) for n in locals_] + ([key_of("queue", word)] if held else [])
            with test.expect.lock:
                for key in keys:
                    test.expect.may[key] = sha(data)
            self.socket.sendall(data + b".\r\n")
            if self.reply() != 250:
                test.trouble("SMTP refused after the dot")
                return
            test.acknowledge(keys, sha(data))


class Imap(Client):
    """APPENDs to a mailbox of its own, copies, moves, flags and expunges there."""

    def work(self):
        test, expect = self.test, self.test.expect
        box, archive = f"Box{self.number}", f"Archive{self.number}"
        client = imaplib.IMAP4("127.0.0.1", test.port(143), timeout=10)
        client.login(IMAP_ACCOUNT, IMAP_ACCOUNT)
        client.create(box)
        client.create(archive)
        client.select(box)
        mine = []
        while not test.stopping.is_set():
            word = self.word()
            data = self.message(word)
            key = key_of(f"{IMAP_ACCOUNT}/{box}", word)
            with expect.lock:
                expect.may[key] = sha(data)
            answer = client.append(box, None, None, data)
            if answer[0] != "OK":
                test.trouble(f"APPEND: {answer}")
                return
            found = re.search(rb"APPENDUID \d+ (\d+)", answer[1][0])
            test.acknowledge([key], sha(data))
            if not found:
                continue
            mine.append((found.group(1).decode(), word, sha(data)))
            uid, word, digest = self.random.choice(mine)
            key = key_of(f"{IMAP_ACCOUNT}/{box}", word)
            there = key_of(f"{IMAP_ACCOUNT}/{archive}", word)
            act = self.random.randrange(5)
            if act == 0:
                self.expect_ok(client.uid("STORE", uid, "+FLAGS", "(\\Flagged)"))
                with expect.lock:
                    expect.flagged.add(key)
                    expect.fresh.add(key)
            elif act == 1 and there not in expect.must:
                with expect.lock:
                    expect.may[there] = digest
                self.expect_ok(client.uid("COPY", uid, archive))
                test.acknowledge([there], digest)
                mine.remove((uid, word, digest))
            elif act == 2:
                self.unsure(key)
                self.expect_ok(client.uid("STORE", uid, "+FLAGS", "(\\Deleted)"))
                self.expect_ok(client.uid("EXPUNGE", uid))
                test.remove(key)
                mine.remove((uid, word, digest))
            elif act == 3 and there not in expect.must:
                # Until the answer: in one of the two, never in neither.
                with expect.lock:
                    expect.may[there] = digest
                self.unsure(key, there)
                self.expect_ok(client.uid("MOVE", uid, archive))
                test.remove(key)
                test.acknowledge([there], digest)
                mine.remove((uid, word, digest))

    def expect_ok(self, answer):
        if answer[0] != "OK":
            self.test.trouble(f"IMAP: {answer}")
            raise EOFError

    def unsure(self, key, pair=None):
        with self.test.expect.lock:
            expect = self.test.expect
            digest = expect.must.pop(key, None)
            if digest:
                expect.may[key] = digest
            if pair:
                self.test.either.append((key, pair))
            expect.flagged.discard(key)
            expect.fresh.add(key)


class Test:
    def __init__(self, options):
        self.options, self.seed, self.cycle = options, options.seed, 0
        self.folder = tempfile.mkdtemp(prefix="godwit-crash-")
        self.data = os.path.join(self.folder, "data")
        self.base = random.Random(os.getpid()).randrange(310, 500) * 100
        self.ledger = Ledger(os.path.join(self.folder, "ledger"))
        self.expect = Expectations()
        self.either = []        # (source, target) of moves without an answer
        self.stopping = threading.Event()
        self.process = None
        self.troubles, self.lost, self.wrong = [], [], []
        self.duplicates = self.unanswered_there = self.verified = 0
        self.start_times = []

    def port(self, standard):
        return self.base + standard

    def trouble(self, text):
        if not self.stopping.is_set() and len(self.troubles) < 50:
            self.troubles.append(f"cycle {self.cycle}: {text}")

    def acknowledge(self, keys, digest):
        self.ledger.record(there=keys, sha256=digest)
        with self.expect.lock:
            for key in keys:
                self.expect.may.pop(key, None)
                self.expect.must[key] = digest
                self.expect.fresh.add(key)

    def remove(self, key):
        self.ledger.record(gone=[key])
        with self.expect.lock:
            self.expect.must.pop(key, None)
            self.expect.may.pop(key, None)
            self.expect.gone.add(key)
            self.expect.fresh.add(key)

    # --- the program
    def start(self):
        command = [self.options.program, "dev", "--dir", self.data, "--base-port", str(self.base), "--domain", DOMAIN]
        for name in (*SMTP_ACCOUNTS, IMAP_ACCOUNT):
            command += ["--account", f"{name}:{name}"]
        began = time.monotonic()
        log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        ready = threading.Event()

        def read(stream):
            for line in stream:
                if b"ready" in line:
                    ready.set()
        threading.Thread(target=read, args=(self.process.stdout,), daemon=True).start()
        while not ready.wait(0.01):
            if self.process.poll() is not None:
                raise RuntimeError(f"did not start again: exit {self.process.returncode}\n{self.log_tail()}")
            if time.monotonic() - began > START_SECONDS:
                raise RuntimeError(f"not ready in {START_SECONDS} s\n{self.log_tail()}")
        self.start_times.append(time.monotonic() - began)

    def log_tail(self):
        with contextlib.suppress(OSError):
            return open(os.path.join(self.folder, "log"), errors="replace").read()[-3000:]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    # --- looking in
    def mailboxes(self):
        names = [f"{n}/INBOX" for n in SMTP_ACCOUNTS]
        client = imaplib.IMAP4("127.0.0.1", self.port(143), timeout=60)
        client.login(IMAP_ACCOUNT, IMAP_ACCOUNT)
        for line in client.list()[1]:
            name = line.decode().split()[-1].strip('"')
            if re.match(r"(Box|Archive)\d+$", name):
                names.append(f"{IMAP_ACCOUNT}/{name}")
        client.logout()
        return names

    def held(self):
        """{word: how often} of the queue."""
        out = subprocess.run([self.options.program, "queue", "list", "--json", "--dir", self.data], capture_output=True, text=True, timeout=120)
        if out.returncode:
            raise RuntimeError(f"queue list: {out.stdout[-500:]}{out.stderr[-500:]}")
        found = json.loads(out.stdout)
        entries = found if isinstance(found, list) else found.get("entries", found.get("queue", []))
        words = collections.Counter()
        for entry in entries:
            for word in set(re.findall(r"(w[0-9a-f]{16})@" + re.escape(HELD), json.dumps(entry))):
                words[word] += 1
        return words

    def compare(self, everything):
        """Bodies are fetched for what is new since the last comparison, or for all."""
        expect = self.expect
        seen = collections.Counter()
        for box in self.mailboxes():
            account, name = box.split("/")
            client = imaplib.IMAP4("127.0.0.1", self.port(143), timeout=60)
            client.login(account, account)
            count = int(client.select(name, readonly=True)[1][0])
            if count:
                rows = {}
                for item in client.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]:
                    if isinstance(item, tuple):
                        word = item[1].split(b":", 1)[1].strip().decode() if b":" in item[1] else ""
                        uid = re.search(rb"UID (\d+)", item[0])
                        rows[uid.group(1).decode()] = (word, item[0])
                for uid, (word, flags) in rows.items():
                    key = key_of(box, word)
                    seen[key] += 1
                    if key in expect.flagged and b"\\Flagged" not in flags:
                        self.wrong.append(f"cycle {self.cycle}: a flag is lost: {key}")
                wanted = [u for u, (w, _) in rows.items() if everything or key_of(box, w) in expect.fresh or key_of(box, w) in expect.may]
                for i in range(0, len(wanted), 50):
                    for item in client.uid("FETCH", ",".join(wanted[i:i + 50]), "(UID BODY.PEEK[])")[1]:
                        if not isinstance(item, tuple):
                            continue
                        word = rows[re.search(rb"UID (\d+)", item[0]).group(1).decode()][0]
                        key = key_of(box, word)
                        self.verified += 1
                        digest = expect.must.get(key) or expect.may.get(key)
                        # A delivered message has trace lines on top; the rest is what was sent.
                        start = item[1].find(b"From: <alice@")
                        if digest and sha(item[1][max(start, 0):]) != digest:
                            self.wrong.append(f"cycle {self.cycle}: other bytes: {key}")
            client.logout()
        for word, times in self.held().items():
            seen[key_of("queue", word)] += times
        for key in expect.must:
            if not seen[key]:
                self.lost.append(f"cycle {self.cycle}: lost: {key}")
        for key in expect.gone:
            if seen[key]:
                self.wrong.append(f"cycle {self.cycle}: came back: {key}")
        for source, target in self.either:
            if (source in expect.may or source in expect.must or target in expect.may or target in expect.must) and not seen[source] and not seen[target]:
                self.lost.append(f"cycle {self.cycle}: a MOVE left it in neither: {source}")
            if source in expect.may and seen[source] and seen[target]:
                self.wrong.append(f"cycle {self.cycle}: a MOVE left it in both: {source}")
        self.either = []
        self.duplicates += sum(times - 1 for key, times in seen.items() if times > 1)
        # What had no answer is settled now by what is there.
        for key, digest in list(expect.may.items()):
            if seen[key]:
                expect.must[key] = digest
                self.unanswered_there += 1
        expect.may.clear()
        for key in self.lost:
            expect.must.pop(key.split("lost: ")[-1], None)
        expect.fresh.clear()

    def trim(self):
        """Empties what the later cycles do not need, so that a cycle costs the same at the end as at the start."""
        for box in self.mailboxes():
            account, name = box.split("/")
            client = imaplib.IMAP4("127.0.0.1", self.port(143), timeout=60)
            client.login(account, account)
            if int(client.select(name)[1][0]) > 300:
                rows = client.fetch("1:200", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
                uids = ",".join(re.search(rb"UID (\d+)", item[0]).group(1).decode() for item in rows if isinstance(item, tuple))
                client.uid("STORE", uids, "+FLAGS.SILENT", "(\\Deleted)")
                # Not EXPUNGE: a kill between a client's STORE and its EXPUNGE leaves \Deleted on others, and those are in the ledger.
                if client.uid("EXPUNGE", uids)[0] != "OK":
                    raise RuntimeError("trim: UID EXPUNGE refused")
                for item in rows:
                    if isinstance(item, tuple):
                        self.remove(key_of(box, item[1].split(b":", 1)[1].strip().decode()))
            client.logout()

    def run(self):
        chance = random.Random(self.seed)
        began = time.monotonic()
        self.start()
        for self.cycle in range(1, self.options.cycles + 1):
            self.stopping.clear()
            clients = [Smtp(self, i) for i in range(4)] + [Imap(self, i) for i in range(4, 6)]
            for client in clients:
                client.start()
            time.sleep(chance.uniform(0.15, 1.0))
            self.kill()
            self.stopping.set()
            for client in clients:
                client.join(15)
            self.start()
            last = self.cycle == self.options.cycles
            self.compare(everything=last)
            if self.cycle % 10 == 0 and not last:
                self.trim()
                self.compare(everything=False)
            if self.cycle % 10 == 0 or last:
                print(f"crash: {self.cycle} cycles, {self.ledger.lines} acknowledgements, {self.verified} bodies compared, {len(self.lost)} lost, {len(self.wrong)} wrong, "
                      f"{self.duplicates} twice, {self.unanswered_there} there without an answer, slowest start {max(self.start_times):.2f} s, {time.monotonic() - began:.0f} s", flush=True)
            if len(self.lost) + len(self.wrong) > 20:
                break

    def finish(self):
        fsck = None
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.stopped = self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.stopped = None
            fsck = subprocess.run([self.options.program, "fsck", "--dir", self.data], capture_output=True, text=True, timeout=300)
        return fsck


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=os.path.join(ROOT, "build/release/godwit"))
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="leave the folder and say where it is")
    options = parser.parse_args()
    options.program = os.path.abspath(options.program)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
    test = Test(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    failed = False

    def verdict(name, wrong):
        nonlocal failed
        failed |= bool(wrong)
        print(f"not ok {name}\n    " + "\n    ".join(str(w).replace("\n", "\n    ") for w in wrong[:15]) if wrong else f"ok {name}", flush=True)
    try:
        print(f"crash: seed {options.seed}", flush=True)
        broken = []
        try:
            test.run()
        except Exception as error:
            broken.append(f"cycle {test.cycle}: {error!r}\n{test.log_tail()}")
        verdict("starts_and_answers_after_every_kill", broken)
        verdict("nothing_acknowledged_is_lost", test.lost)
        verdict("bytes_flags_and_removals_hold", test.wrong)
        verdict("nothing_is_there_twice", [f"{test.duplicates} messages more than once"] if test.duplicates else [])
        verdict("load_was_accepted", test.troubles or ([] if test.ledger.lines >= options.cycles else [f"only {test.ledger.lines} acknowledgements"]))
        fsck = test.finish()
        verdict("fsck_after_the_last_kill", [] if fsck and fsck.returncode == 0 else [f"exit {fsck and fsck.returncode}: {fsck and (fsck.stdout + fsck.stderr)[-1500:]}"])
        history = os.path.join(ROOT, "bench", "history")
        os.makedirs(history, exist_ok=True)
        with open(os.path.join(history, "crash.jsonl"), "a") as f:
            f.write(json.dumps(dict(at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), cycles=test.cycle, seed=options.seed, acknowledged=test.ledger.lines, verified=test.verified, lost=len(test.lost),
                                    wrong=len(test.wrong), duplicates=test.duplicates, slowest_start_s=round(max(test.start_times or [0]), 3))) + "\n")
    finally:
        if test.process and test.process.poll() is None:
            test.process.kill()
        if options.keep or failed:
            print(f"crash: kept {test.folder}")
        else:
            shutil.rmtree(test.folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
