"""The load: what clients do until the server dies under them. Each asks the world before it asks the server, and tells the ledger after it was told."""
import random
import re
import threading
import time

import wire
from ledger import sha
from server import DOMAIN
from wire import Gone, No, quoted

POOL_LINE = 76
SIZES = (0, 300, 2000, 6000, 6000, 12_000, 40_000, 90_000)
LARGE = (270_000, 300_000, 1_100_000, 1_200_000)
KEYWORDS = ("$Blue", "Work", "$MDNSent")
SYSTEM = ("\\Seen", "\\Flagged", "\\Answered", "\\Draft")
POOL = b"".join(random.Random(7).randbytes(POOL_LINE // 2).hex().encode() + b"\r\n" for _ in range(32_000))


class Client(threading.Thread):
    """Ends when the server dies, or says that it ends, or the test says so."""

    def __init__(self, test, number):
        super().__init__(daemon=True, name=f"{type(self).__name__} {number}")
        self.test, self.world, self.server, self.number = test, test.world, test.server, number
        self.random = random.Random(f"{test.seed}-{test.world.cycle}-{self.name}")
        self.line = None

    def run(self):
        try:
            self.work()
        except Gone as error:
            self.trouble(f"lost the connection: {error}")
        except No as error:
            self.trouble(f"was refused: {error}")
        except Exception as error:  # A fault of the test must not look like silence.
            self.world.problem("test", f"{self.name}: {error!r} at line {error.__traceback__.tb_lineno}")
            raise
        finally:
            if self.line is not None:
                self.line.close()

    def trouble(self, text):
        until = time.monotonic() + 2
        while time.monotonic() < until:
            if self.test.stopping.is_set() or self.server.is_dead():
                return
            time.sleep(0.02)
        self.world.problem("trouble", f"{self.name} {text}")

    def goes_on(self):
        return not self.test.stopping.is_set()

    def word(self):
        return f"w{self.random.getrandbits(64):016x}"

    def message(self, word, sender):
        large = self.random.random() < (0.6 if self.test.wants_large else 0.02)
        size = self.random.choice(LARGE if large else SIZES)
        start = self.random.randrange(len(POOL) // (POOL_LINE + 2)) * (POOL_LINE + 2)
        body = (POOL + POOL)[start:start + size // (POOL_LINE + 2) * (POOL_LINE + 2)] if size else b""
        dot = b".\r\n..two\r\n" if self.random.random() < 0.2 else b""
        data = b"From: <%b>\r\nTo: <x@%b>\r\nSubject: %b\r\nMessage-ID: <%b@load.test>\r\nDate: Thu, 01 Jan 1970 00:00:00 +0000\r\n\r\n" % (
            sender.encode(), DOMAIN.encode(), word.encode(), word.encode()) + dot + body
        with self.world.lock:
            self.world.digests[word] = sha(data)
        return data


class Sender(Client):
    """One message after the other; what was not answered is sent again, by some, after the crash (window W2)."""

    lmtp = False
    sends_again = False
    who = ""  # Who is logged in.

    def envelope(self):
        """(sender, local names, outbound recipients) of the next message."""
        raise NotImplementedError

    def work(self):
        self.line = self.connect()
        while self.goes_on():
            again = None
            if self.sends_again and self.random.random() < 0.7:
                with self.world.lock:
                    mine = self.world.unanswered.get(self.who)
                    again = mine.pop() if mine else None
            if again:
                word, data, sender, names, remotes = again
                self.world.counts["sent_again"] += 1
            else:
                word = self.word()
                sender, names, remotes = self.envelope(word)
                data = self.message(word, sender or f"daemon@{DOMAIN}")
            self.send(word, data, sender, names, remotes, bool(again))

    def send(self, word, data, sender, names, remotes, is_again):
        world = self.world
        recipients = [f"{name}@{DOMAIN}" for name in names] + remotes
        for code, text in self.line.envelope(sender, recipients):
            if code not in (250, 354):
                raise Gone(f"envelope: {text}")
        boxes = [world.box(name, "INBOX") for name in names if not name.startswith("temp")]
        keys = [address.split("@")[0] for address in remotes]
        with world.lock:
            for box in boxes:
                world.ask(box, word, sha(data))
            for key in keys:
                world.kinds[key] = key.split("-")[0]
            world.ask_send(keys)
            parts = [(box, word) for box in boxes] + [(None, key) for key in keys if not key.startswith("disc-")]
            if not is_again:  # Else the first sending may be there or not: no telling by itself.
                world.together[word] = parts
        try:
            self.line.send(wire.stuffed(data) + b".\r\n")
            replies = [self.line.reply() for _ in range(len(recipients) if self.lmtp else 1)]
        except Gone:
            if self.sends_again and not self.lmtp and not any(name.startswith("temp") for name in names):
                with world.lock:
                    world.contested.add(word)
                    world.unanswered.setdefault(self.who, []).append((word, data, sender, names, remotes))
            raise
        if any(code != 250 for code, _ in replies):
            if not all(code in (451, 421) for code, _ in replies) or not self.test.stopping.is_set():
                raise No(f"after the dot: {replies}")
            return
        mails = {re.search(r" as ([0-9A-Za-z]+)", text).group(1) for _, text in replies}
        world.ledger.record("mail", word=word, sha256=sha(data), boxes=[str(box) for box in boxes], sent=keys, ids=sorted(mails))
        with world.lock:
            world.together.pop(word, None)
            world.calm.add(word) if is_again else None
            for mail in mails:
                world.note_mail_id(mail, word)
            for box in boxes:
                world.told(box, word)
            world.told_send(keys, next(iter(mails)))


class Submission(Sender):
    sends_again = True

    def connect(self):
        self.who = ("alice", "bob")[self.number % 2]
        return wire.Smtp(self.server.port("submissions"), self.test.tls, self.who)

    def envelope(self, word):
        chance = self.random
        names = chance.sample(("alice", "bob", "carol"), chance.choice((0, 0, 1, 2)))
        remotes = []
        if not names or chance.random() < 0.4:
            remotes = chance.choice((["ok"], ["ok"], ["no"], ["nod"], ["tmp"], ["cut"], ["brk"], ["later"], ["ok", "no"], ["ok", "no", "tmp"], ["held"], ["disc"]))
        sites = {"held": "held.test", "disc": "disc.test"}
        return f"{self.who}@{DOMAIN}", names, [f"{kind}-{word}@{sites.get(kind, 'sink.test')}" for kind in remotes]


class Exchanger(Sender):
    """Another server, on port 25."""

    sends_again = True

    def connect(self):
        return wire.Smtp(self.server.port("smtp"))

    def envelope(self, word):
        return self.random.choice(("", "stranger@remote.test")), self.random.sample(("alice", "bob", "carol"), self.random.choice((1, 1, 2))), []


class Lmtp(Sender):
    lmtp = True

    def connect(self):
        return wire.Smtp(self.server.port("lmtp"), lmtp=True)

    def envelope(self, word):
        with self.world.lock:
            temps = [name for name, there in self.world.accounts.items() if there == "yes"]
        names = ["carol"] + self.random.sample(("alice", "bob"), self.random.choice((0, 0, 1)))
        return "stranger@remote.test", names, []


class Counting(Client):
    """Takes thousands of mail ids, by mail that is refused after its dot."""

    def work(self):
        self.line = wire.Smtp(self.server.port("lmtp"), lmtp=True)
        loop = b"Received: from a by b; Thu, 01 Jan 1970 00:00:00 +0000\r\n" * 110 + b"\r\n.\r\n"
        while self.goes_on():
            self.line.envelope("", [f"carol@{DOMAIN}"])
            self.line.send(loop)
            self.line.reply()


class ImapClient(Client):
    """Lives in one home mailbox of one account: appends, flags, copies, moves, removes; makes, renames and deletes others."""

    def __init__(self, test, number, account, home, line=None):
        super().__init__(test, number)
        self.account, self.home_name, self.line = account, home, line
        self.is_writer = home != "INBOX"

    def work(self):
        world = self.world
        if self.line is None:
            self.line = wire.Imap(self.server.port("imaps"), self.test.tls, self.account)
        self.home = self.need(self.home_name)
        self.archive = self.find_archive()
        self.line.do(b"SELECT " + quoted(self.home.name()))
        acts = [self.flag, self.flag, self.copy, self.move, self.remove] + ([self.append] * 3 + [self.make, self.make_again, self.unmake, self.rename, self.subscribe] if self.is_writer else [])
        while self.goes_on():
            with world.lock:
                count = len(self.home.entries)
                archived = len(self.archive.entries)
            if count > 60:
                self.thin(self.home, 30)
            elif archived > 60:
                self.thin(self.archive, 30)
            else:
                self.random.choice(acts)()
            if not self.is_writer:
                time.sleep(0.01)

    def need(self, name):
        """A mailbox that is made where it is not there."""
        box = self.world.box(self.account, name)
        if box.exists == "yes" and box.validity is None and name != "INBOX":
            box.exists = "maybe"
        if box.exists == "maybe" and name != "INBOX":
            try:
                self.line.do(b"CREATE " + quoted(name))
            except No:
                pass
            self.world.ledger.record("create", account=self.account, name=name)
            box.exists = "yes"
        return box

    def find_archive(self):
        with self.world.lock:
            for box in self.world.boxes:
                if box.account == self.account and box.exists == "yes" and re.search(rf"Archive{self.number}$", box.name()):
                    return box
        return self.need(f"Archive{self.number}")

    def pick(self, box=None):
        with self.world.lock:
            singles = [entry for entry in (box or self.home).entries.values() if entry.is_single() and entry.word not in self.world.contested]
        return self.random.choice(singles) if singles else None

    def append(self, box=None):
        box = box or self.home
        word = self.word()
        data = self.message(word, f"{self.account}@{DOMAIN}")
        flags = frozenset(self.random.sample(SYSTEM + KEYWORDS, self.random.choice((0, 0, 1, 3))))
        self.world.ask(box, word, sha(data), [flags])
        self.line.begin(b"APPEND %b (%b) {%d+}\r\n" % (quoted(box.name()), " ".join(flags).encode(), len(data)) + data)
        uid = int(re.search(rb"APPENDUID \d+ (\d+)", self.line.finish()[1]).group(1))
        self.world.ledger.record("append", box=str(box), word=word, sha256=sha(data), uid=uid)
        self.world.told(box, word, uid)

    def flag(self):
        entry = self.pick()
        if entry is None:
            return
        mode = self.random.choice(("+", "-", ""))
        chosen = frozenset(self.random.sample(SYSTEM + KEYWORDS, self.random.choice((1, 1, 2))))
        with self.world.lock:
            after = [flags | chosen if mode == "+" else flags - chosen if mode == "-" else chosen for flags in entry.flags]
            entry.flags = entry.flags + after
            entry.trail = entry.trail[-5:] + [f"asked {self.world.cycle} {mode}FLAGS {sorted(chosen)}"]
        uid = entry.uid()
        untagged, _ = self.line.do(b"UID STORE %d %bFLAGS (%b)" % (uid, mode.encode(), " ".join(chosen).encode()))
        # RFC 3501 6.4.6: without .SILENT it says what became of them. An OK to nothing is no OK.
        told = [frozenset(m.group(1).decode().split()) - {"\\Recent"} for text, _ in untagged if (m := re.search(rb"UID %d FLAGS \(([^)]*)\)" % uid, text))]
        if not told or told[-1] not in after:
            self.world.problem("flags", f"STORE {mode}{sorted(chosen)} of {entry.word} (UID {uid}) in {self.home} told {[sorted(f) for f in told]}, wanted one of {[sorted(f) for f in after]}; {entry.trail}")
        self.world.ledger.record("store", box=str(self.home), word=entry.word, mode=mode, flags=sorted(chosen))
        with self.world.lock:
            entry.trail.append("ok")
            # A second copy may have come meanwhile (W2).
            entry.flags = after + ([frozenset()] if entry.high > 1 else [])

    def may_take(self, target, word):
        there = target.entries.get(word)
        return there is None or there.high == 0

    def copy(self):
        entry = self.pick()
        if entry is None or not self.may_take(self.archive, entry.word):
            return
        self.world.ask(self.archive, entry.word, entry.digest, list(entry.flags))
        told = self.line.do(b"UID COPY %d %b" % (entry.uid(), quoted(self.archive.name())))[1]
        uid = int(re.search(rb"COPYUID \d+ \d+ (\d+)", told).group(1))
        self.world.ledger.record("copy", box=str(self.home), target=str(self.archive), word=entry.word, uid=uid)
        self.world.told(self.archive, entry.word, uid)

    def move(self):
        entry = self.pick()
        if entry is None or not self.may_take(self.archive, entry.word):
            return
        pair = (self.home, self.archive, entry.word)
        with self.world.lock:
            self.world.ask(self.archive, entry.word, entry.digest, list(entry.flags))
            self.world.ask_removal(self.home, entry.word)
            self.world.pairs.append(pair)
        untagged, told = self.line.do(b"UID MOVE %d %b" % (entry.uid(), quoted(self.archive.name())))
        uid = int(re.search(rb"COPYUID \d+ \d+ (\d+)", b" ".join(text for text, _ in untagged) + told).group(1))
        self.world.ledger.record("move", box=str(self.home), target=str(self.archive), word=entry.word, uid=uid)
        with self.world.lock:
            self.world.pairs.remove(pair)
            self.world.told_removal(self.home, entry.word)
            self.world.told(self.archive, entry.word, uid)

    def expunge(self, box, entries):
        uids = ",".join(str(uid) for entry in entries for uid in entry.uids).encode()
        if not uids:
            return
        with self.world.lock:
            for entry in entries:
                entry.flags = entry.flags + [flags | {"\\Deleted"} for flags in entry.flags]
        self.line.do(b"UID STORE %b +FLAGS.SILENT (\\Deleted)" % uids)
        with self.world.lock:
            for entry in entries:
                entry.flags = [flags for flags in entry.flags if "\\Deleted" in flags]
                self.world.ask_removal(box, entry.word, len(entry.uids))
        self.line.do(b"UID EXPUNGE %b" % uids)
        self.world.ledger.record("expunge", box=str(box), words=[entry.word for entry in entries])
        with self.world.lock:
            for entry in entries:
                self.world.told_removal(box, entry.word, len(entry.uids))

    def remove(self):
        entry = self.pick()
        if entry is not None:
            self.expunge(self.home, [entry])

    def thin(self, box, count):
        # Only what was seen whole: each copy has its UID.
        with self.world.lock:
            entries = [entry for entry in box.entries.values() if entry.low == entry.high == len(entry.uids) > 0 and entry.word not in self.world.contested][:count]
        if box is not self.home:
            self.line.do(b"SELECT " + quoted(box.name()))
        self.expunge(box, entries)
        if box is not self.home:
            self.line.do(b"SELECT " + quoted(self.home.name()))
        if not entries:
            self.append() if self.is_writer else time.sleep(0.05)

    def others(self):
        with self.world.lock:
            return [box for box in self.world.boxes if box.account == self.account and box.exists == "yes" and box.name().startswith((f"Dir{self.number}-", f"Again{self.number}"))]

    def make(self, name=None):
        if name is None and len(self.others()) > 3:
            return self.unmake()
        name = name or f"Dir{self.number}-{self.random.getrandbits(32):08x}"
        with self.world.lock:
            box = self.world.box(self.account, name)
            box.exists = "maybe"
        self.line.do(b"CREATE " + quoted(name))
        self.world.ledger.record("create", account=self.account, name=name)
        box.exists = "yes"
        for _ in range(self.random.choice((0, 1, 2))):
            self.append(box)

    def make_again(self):
        name = f"Again{self.number}"
        if any(box.name() == name for box in self.others()):
            return self.unmake(name)
        self.make(name)

    def unmake(self, name=None):
        others = [box for box in self.others() if name in (None, box.name())]
        if not others:
            return
        box = self.random.choice(others)
        box.exists = "maybe"
        self.line.do(b"DELETE " + quoted(box.name()))
        self.world.ledger.record("delete", account=self.account, name=box.name())
        with self.world.lock:
            self.bury(box)

    def bury(self, box):
        self.world.bury(box)

    def rename(self):
        box, old = self.archive, self.archive.name()
        new = f"Archive{self.number}" if "/" in old else f"Old{self.number}/Archive{self.number}"
        with self.world.lock:
            box.names = [old, new]
        self.line.do(b"RENAME %b %b" % (quoted(old), quoted(new)))
        self.world.ledger.record("rename", account=self.account, old=old, new=new)
        with self.world.lock:
            box.names = [new]

    def subscribe(self):
        name = self.random.choice([self.home.name()] + [box.name() for box in self.others()])
        with self.world.lock:
            known = self.world.subscribed.setdefault((self.account, name), {False})
            wanted = self.random.random() < 0.5
            known.add(wanted)
        self.line.do((b"SUBSCRIBE " if wanted else b"UNSUBSCRIBE ") + quoted(name))
        self.world.ledger.record("subscribe", account=self.account, name=name, on=wanted)
        with self.world.lock:
            self.world.subscribed[(self.account, name)] = {wanted}


class Pop3Client(Client):
    """Empties carol's INBOX, a few messages a session."""

    def work(self):
        world, box = self.world, self.world.box("carol", "INBOX")
        while self.goes_on():
            self.line = wire.Pop3(self.server.port("pop3s"), self.test.tls, "carol")
            listed = [line.split() for line in self.line.lines("UIDL")]
            self.line.lines("LIST")
            chosen = self.random.sample(listed, min(len(listed), self.random.choice((1, 3, 6, 20) if len(listed) > 30 else (1, 2))))
            words = []
            for number, name in chosen:
                validity, uid = (int(part) for part in name.split("."))
                with world.lock:
                    if box.validity not in (None, validity):
                        world.problem("uids", f"UIDVALIDITY of {box} is {validity} by POP3, it was {box.validity}")
                    known = box.history.get(uid)
                if known is None or self.random.random() < 0.3:
                    known = self.read(box, number, uid)
                entry = box.entries.get(known)
                if known and entry is not None and entry.high == 1 and known not in world.contested and self.random.random() < 0.7:
                    self.line.do(f"DELE {number}")
                    words.append(known)
            with world.lock:
                for word in words:
                    world.ask_removal(box, word)
                # What is removed here says nothing more of how it came.
                for word in words:
                    world.together.pop(word, None)
                world.together["pop3"] = [(box, word) for word in words]
            self.line.do("QUIT")
            world.ledger.record("pop3", words=words)
            with world.lock:
                world.together.pop("pop3")
                for word in words:
                    world.told_removal(box, word)
            self.line.close()
            time.sleep(0.02)

    def read(self, box, number, uid):
        """The word of a message; its bytes are compared."""
        data = self.line.retrieve(number)
        text = data[max(data.find(b"From: <"), 0):]
        found = re.search(rb"^Subject: (\S+)", text, re.M)
        word = found.group(1).decode() if found else ""
        with self.world.lock:
            self.world.counts["bodies"] += 1
            if sha(text) != self.world.digests.get(word):
                self.world.problem("bytes", f"POP3 gave other bytes for {word or data[:200]!r}")
                return None
            self.world.remember(box, uid, word)
            if word in box.entries:
                box.entries[word].uids[uid] = None
        return word


class Administrator(Client):
    """Holds, releases, deletes and hurries what is queued; adds and removes accounts; has the configuration read again."""

    def work(self):
        self.line = wire.Admin(self.server.admin_socket)
        beat = 0
        while self.goes_on():
            beat += 1
            self.account() if self.test.wants_accounts else self.random.choice((self.hold, self.hold, self.release, self.release, self.delete, self.account))()
            if beat % 3 == 0:
                self.line.call("queue.retry", site="sink.test")
            if self.test.wants_reload or self.random.random() < 0.02:
                self.reload()
            time.sleep(0.03)

    def pick(self, wanted, kind="later-"):
        with self.world.lock:
            jobs = [job for job in self.world.jobs.values() if not job.over and job.acknowledged and job.key.startswith(kind) and job.deleted is None and wanted(job)]
        return self.random.choice(jobs) if jobs else None

    def hold(self):
        job = self.pick(lambda job: job.held in (None, False) and job.key not in self.test.sink.open)
        if job is not None:
            self.order(job, "queue.hold", True)

    def release(self):
        job = self.pick(lambda job: job.is_quarantined and job.held is True, "")
        if job is not None:
            self.order(job, "queue.release", False)
            return
        job = self.pick(lambda job: job.held is not None)
        if job is None:
            job = self.pick(lambda job: job.key not in self.test.sink.open)
            if job is not None:
                self.test.sink.open.add(job.key)
            return
        if self.order(job, "queue.release", False) and self.random.random() < 0.5:
            self.test.sink.open.add(job.key)

    def order(self, job, call, held):
        """It is about the message: whatever else it is to deliver goes with it."""
        with self.world.lock:
            concerned = [other for other in self.world.jobs.values() if other.mail == job.mail and (other is job or other.held is not None)]
        for each in concerned:
            each.held = "unsure"
        try:
            self.line.call(call, id=[job.mail])
        except No as refused:
            if "not_found" not in str(refused):
                raise
            job.held = None
            return False
        self.world.ledger.record(call, key=job.key, id=job.mail)
        for each in concerned:
            each.held = held
        return True

    def delete(self):
        if self.random.random() < 0.7:
            return
        job = self.pick(lambda job: job.held is True)
        if job is not None:
            # The whole message goes, and what else it had to deliver.
            job.deleted = "unsure"
            self.line.call("queue.delete", id=[job.mail])
            self.world.ledger.record("queue.delete", key=job.key, id=job.mail)
            job.deleted, job.held = True, None

    def account(self):
        world = self.world
        with world.lock:
            there = [name for name, state in world.accounts.items() if state == "yes"]
        if len(there) < 3:
            name = f"temp{self.random.getrandbits(32):08x}"
            world.accounts[name] = "maybe"
            self.line.call("account.add", address=name, password=name)
            world.ledger.record("account.add", name=name)
            world.accounts[name] = "yes"
            self.deliver(name)
        else:
            name = self.random.choice(there)
            world.accounts[name] = "maybe"
            self.line.call("account.remove", address=name)
            world.ledger.record("account.remove", name=name)
            world.accounts[name] = "no"

    def deliver(self, name):
        """Some mail, so that there is something to remove."""
        line = wire.Smtp(self.server.port("lmtp"), lmtp=True)
        for _ in range(3):
            line.envelope("", [f"{name}@{DOMAIN}"])
            line.send(wire.stuffed(self.message(self.word(), f"x@{DOMAIN}")) + b".\r\n")
            line.reply()
        line.close()

    def reload(self):
        self.server.write_config(per_site=self.random.choice((3, 10, 20)), with_http=self.random.random() < 0.5)
        self.line.call("reload")
