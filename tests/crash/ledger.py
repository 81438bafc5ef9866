"""What the clients were told, and what the server may and must hold after a crash.

A line goes to the ledger file, with fdatasync, only after the server's answer was read: the ledger is a subset of what was acknowledged.
What was asked but not answered is unknown: it may have happened or not, whole and once.
"""
import collections
import hashlib
import json
import os
import threading
import time


def sha(data):
    return hashlib.sha256(data).hexdigest()[:32]


class Ledger:
    """Append-only, each line on disk before record() returns."""

    def __init__(self, path):
        self.file = open(path, "ab", buffering=0)
        self.lock = threading.Lock()
        self.lines = 0
        self.kinds = collections.Counter()

    def record(self, kind, **entry):
        with self.lock:
            self.file.write(json.dumps(dict(kind=kind, **entry)).encode() + b"\n")
            os.fdatasync(self.file.fileno())
            self.lines += 1
            self.kinds[kind] += 1


class Entry:
    """The copies of one message in one mailbox: between low and high of them, each with an id of its own where SMTP brought it."""

    __slots__ = ("word", "digest", "low", "high", "flags", "uids", "fresh", "trail")

    def __init__(self, word, digest):
        self.word, self.digest = word, digest
        self.low = self.high = 0
        self.flags = [frozenset()]  # One of these.
        self.uids = {}              # uid -> mail id, as last seen or told.
        self.fresh = True           # To be compared by its bytes.
        self.trail = []             # What was done to it last, for who reads a failure.

    def is_single(self):
        return self.low == self.high == 1 and len(self.uids) == 1

    def uid(self):
        return next(iter(self.uids))


class Box:
    """A mailbox as its clients remember it across crashes."""

    def __init__(self, account, name, exists="yes"):
        self.account, self.names, self.exists = account, [name], exists
        self.validity = None
        self.uid_next = 1      # At the last look: what is new has this UID or a higher one.
        self.mod_seq = 0
        self.history = {}      # uid -> word, for ever: a UID never names another message.
        self.entries = {}      # word -> Entry

    def entry(self, word, digest):
        found = self.entries.get(word)
        if found is None:
            found = self.entries[word] = Entry(word, digest)
        found.fresh = True
        return found

    def name(self):
        return self.names[0]

    def __repr__(self):
        return f"{self.account}/{'|'.join(self.names)}"


class Job:
    """One recipient of one accepted message that is to leave this server."""

    def __init__(self, key, mail):
        self.key, self.mail = key, mail
        self.acknowledged = False
        self.arrivals = []       # Of the sink.
        self.bounces = set()     # Places of failure reports: (account, uidvalidity, uid).
        self.held = None         # None: as the route says. True, False: acknowledged. "unsure".
        self.is_quarantined = False  # At the last look.
        self.deleted = None      # True: acknowledged, "unsure": asked.
        self.was_reported = False
        self.over = False        # Was seen to be settled.


class World:
    """Everything that was asked and acknowledged. All under `lock`."""

    def __init__(self, ledger):
        self.lock = threading.RLock()
        self.ledger = ledger
        self.boxes = []
        self.deleted = {}        # (account, name) -> the highest UIDVALIDITY it had.
        self.kinds = {}          # key of an outbound recipient -> what the sink does with it.
        self.jobs = {}           # (key, mail id) -> Job
        self.jobs_of = {}        # key -> its jobs
        self.sends = {}          # key -> [low, high] number of accepted messages for it.
        self.digests = {}        # word -> digest of what was submitted
        self.mail_ids = {}       # mail id -> word: never given twice.
        self.together = {}       # Of one plan without an answer: all there or none. [(box or None, word or key)]
        self.pairs = []          # MOVE without an answer: (source, target, word)
        self.subscribed = {}     # (account, name) -> what LSUB may say
        self.contested = set()   # words that are sent again: copies come and nobody knows when
        self.calm = set()        # of these, the ones whose last sending was answered
        self.accounts = {}       # temporary account -> "yes", "maybe", "no"
        self.problems = []       # (kind, text)
        self.unanswered = {}     # For clients that send again: who -> [(word, data, sender, names, remotes)]
        self.counts = collections.Counter()
        self.cycle = 0
        self.point = ""
        self.began = time.monotonic()

    def problem(self, kind, text):
        with self.lock:
            if len(self.problems) < 200:
                self.problems.append((kind, f"cycle {self.cycle} ({self.point}), second {time.monotonic() - self.began:.0f}: {text}"))
                print(f"crash: FAULT {kind}, {self.problems[-1][1]}", flush=True)

    def box(self, account, name):
        for box in self.boxes:
            if box.account == account and name in box.names and box.exists != "no":
                return box
        box = Box(account, name)
        self.boxes.append(box)
        return box

    # --- Appends to mailboxes, by whatever protocol.
    def ask(self, box, word, digest, flags=None):
        with self.lock:
            entry = box.entry(word, digest)
            entry.high += 1
            if flags is not None:
                entry.flags = flags
            elif frozenset() not in entry.flags:
                entry.flags = entry.flags + [frozenset()]  # Of one more copy.

    def told(self, box, word, uid=None):
        """After the ledger has it."""
        with self.lock:
            entry = box.entries[word]
            entry.low += 1
            if uid is not None:
                self.remember(box, uid, word)
                entry.uids[uid] = None

    def take_back(self, box, word):
        """The server refused: nothing came of it."""
        with self.lock:
            box.entries[word].high -= 1

    def remember(self, box, uid, word):
        known = box.history.setdefault(uid, word)
        if known != word:
            self.problem("uids", f"UID {uid} of {box} names {word}, it named {known}")

    # --- Removals.
    def ask_removal(self, box, word, copies=1):
        # By number: POP3 may remove what SMTP has not been told of yet.
        with self.lock:
            box.entries[word].low -= copies
            box.entries[word].fresh = True

    def told_removal(self, box, word, copies=1):
        with self.lock:
            box.entries[word].high -= copies

    # --- What leaves the server.
    def ask_send(self, keys):
        with self.lock:
            for key in keys:
                self.sends.setdefault(key, [0, 0])[1] += 1

    def job(self, key, mail):
        found = self.jobs.get((key, mail))
        if found is None:
            found = self.jobs[(key, mail)] = Job(key, mail)
            self.jobs_of.setdefault(key, []).append(found)
        return found

    def told_send(self, keys, mail):
        with self.lock:
            for key in keys:
                self.sends[key][0] += 1
                self.job(key, mail).acknowledged = True

    def note_mail_id(self, mail, word):
        with self.lock:
            known = self.mail_ids.setdefault(mail, word)
            if known != word:
                self.problem("ids", f"id {mail} was given to {known} and to {word}")

    def bury(self, box):
        """Its DELETE was acknowledged, or it is seen to be gone."""
        box.exists = "no"
        self.boxes.remove(box)
        for name in box.names:
            self.deleted[(box.account, name)] = max(self.deleted.get((box.account, name), 0), box.validity or 0)
