"""After a restart: everything that was acknowledged and may have changed is there, whole and once; what had no answer is settled by what is there."""
import collections
import re
import socket

import wire
from ledger import sha
from wire import quoted

SPOKEN = re.compile(rb"UID (\d+)")
MARKS = re.compile(rb"FLAGS \(([^)]*)\)")
MAIL_ID = re.compile(rb"\tid ([0-9A-Za-z]+)")
REPORTED = re.compile(rb"Final-Recipient: *rfc822; *([^@\s]+)@[^\r\n]*\r\nAction: *(\w+)", re.I)
REPORTED_LATE = re.compile(rb"Final-Recipient: *rfc822; *([^@\s]+)@(?:[^\r\n]+\r\n)*?Action: *(\w+)", re.I)


class Row:
    __slots__ = ("uid", "word", "mail", "flags", "is_report")


def split_text(data):
    """What was handed in, without the trace lines on top."""
    return data[max(data.find(b"From: <"), 0):]


class Verifier:
    """One look at the whole server. Wire.Gone goes through: the server may end itself while it is looked at."""

    def __init__(self, test):
        self.test, self.world, self.server = test, test.world, test.server
        self.lines = {}

    def look(self, everything=False):
        """The IMAP connections stay open for the load."""
        world = self.world
        admin = wire.Admin(self.server.admin_socket)
        # The queue first: what leaves it later is seen where it went.
        queue = self.read_queue(admin)
        self.check_accounts({row["address"].split("@")[0] for row in admin.rows("account.list")})
        admin.close()
        seen = {}
        for account in self.test.accounts:
            line = self.lines[account] = wire.Imap(self.server.port("imaps"), self.test.tls, account)
            names = self.list_names(line, account)
            self.settle_boxes(account, names)
            for box in [box for box in world.boxes if box.account == account and box.exists == "yes"]:
                if everything:
                    for entry in box.entries.values():
                        entry.fresh = True
                seen[box] = self.look_into(line, box)
        self.look_by_pop3(world.box("carol", "INBOX"), seen)
        with world.lock:
            self.check_groups(seen, queue)
            for box, rows in seen.items():
                self.settle_entries(box, rows)
            self.settle_jobs(queue)
            world.contested -= world.calm
            world.calm.clear()

    # --- The queue and what left it.
    def read_queue(self, admin):
        queue = {}
        for row in admin.rows("queue.list"):
            for address in row["recipients"]:
                queue[(address.split("@")[0], row["id"])] = row["state"]
        return queue

    def settle_jobs(self, queue):
        world = self.world
        for (key, mail) in queue:
            if (key, mail) not in world.jobs:
                if key not in world.kinds:
                    world.problem("queue", f"{key} ({mail}) is queued, nobody sent it")
                world.job(key, mail)
        for job in list(world.jobs.values()):
            if job.over:
                continue
            kind, state = job.key.split("-")[0], queue.get((job.key, job.mail))
            name = f"{job.key} ({job.mail})"
            if len(world.jobs_of[job.key]) > world.sends.get(job.key, (0, 0))[1]:
                world.problem("twice", f"{job.key} is {len(world.jobs_of[job.key])} messages, it was sent {world.sends.get(job.key, (0, 0))[1]} times")
            if len(job.bounces) > 1:
                world.problem("twice", f"{len(job.bounces)} failure reports of {name}")
            if job.bounces and kind not in ("no", "nod"):
                world.problem("queue", f"a failure report of {name}, which did not fail")
            if job.was_reported and state:  # At the last look: what comes while we look is no fault.
                world.problem("queue", f"{name} is reported and still queued")
            job.was_reported = bool(job.bounces)
            if job.deleted == "unsure":
                job.deleted = None if state else True
                job.held = job.held if state else None
            # In hand at two crashes: held by the server, until somebody releases it (docs/decisions/0020).
            is_quarantined = state == "quarantined"
            if is_quarantined and not job.is_quarantined:
                world.counts["quarantined"] += 1
            job.is_quarantined = is_quarantined
            if job.held is True and state not in ("held", "quarantined"):
                world.problem("queue", f"{name} was held, its state is {state}")
            if job.held is False and state == "held":
                world.problem("queue", f"{name} was released, its state is {state}")
            if job.held == "unsure" and state:
                job.held = state == "held"
            if is_quarantined:
                job.held = True
            if job.deleted is True and state:
                world.problem("queue", f"{name} was deleted, its state is {state}")
            if state:
                job.acknowledged = True
                continue
            for arrival in job.arrivals:
                arrival.settled = True
            job.over = True
            is_there = job.arrivals or job.bounces or job.deleted is True or kind == "disc"
            if job.acknowledged and not is_there:
                world.problem("lost", f"{name} is neither queued nor sent nor reported")

    def check_accounts(self, names):
        world = self.world
        with world.lock:
            for name, state in list(world.accounts.items()):
                if state == "yes" and name not in names:
                    world.problem("lost", f"account {name} is gone")
                if state == "no" and name in names:
                    world.problem("queue", f"account {name} came back")
                world.accounts[name] = "yes" if name in names else "no"
                if name not in names:
                    del world.accounts[name]

    # --- Mailboxes.
    def list_names(self, line, account):
        names = set()
        for text, _ in line.do(b'LIST "" "*"')[0]:
            found = re.match(rb'\* LIST \(([^)]*)\) "/" "?([^"]*)"?$', text)
            if found and b"\\Noselect" not in found.group(1):
                names.add(found.group(2).decode())
        subscribed = set()
        for text, _ in line.do(b'LSUB "" "*"')[0]:
            found = re.match(rb'\* LSUB \(([^)]*)\) "/" "?([^"]*)"?$', text)
            if found:  # Also of a mailbox that is no more (RFC 3501 6.3.9).
                subscribed.add(found.group(2).decode())
        with self.world.lock:
            for (owner, name), states in self.world.subscribed.items():
                if owner == account:
                    if (name in subscribed) not in states:
                        self.world.problem("lost", f"the subscription of {account}/{name} is {name in subscribed}")
                    self.world.subscribed[(owner, name)] = {name in subscribed}
        return names

    def settle_boxes(self, account, names):
        world = self.world
        with world.lock:
            known = set()
            for box in [box for box in world.boxes if box.account == account]:
                there = [name for name in box.names if name in names]
                if len(there) > 1:
                    world.problem("twice", f"{box} has two names")
                if not there:
                    if box.exists == "yes" and not (box.validity is None and box.name() not in ("INBOX",) and not box.entries):
                        world.problem("lost", f"mailbox {box} is gone")
                    world.bury(box)
                    continue
                box.exists, box.names = "yes", there[:1]
                known.add(there[0])
            for name in names - known:
                if (account, name) in world.deleted:
                    world.problem("queue", f"mailbox {account}/{name} came back")

    def look_into(self, line, box):
        """The rows of a mailbox; fresh bodies are compared."""
        world = self.world
        untagged, _ = line.do(b"EXAMINE " + quoted(box.name()))
        heads = b"\n".join(text for text, _ in untagged)
        validity = int(re.search(rb"UIDVALIDITY (\d+)", heads).group(1))
        uid_next = int(re.search(rb"UIDNEXT (\d+)", heads).group(1))
        mod_seq = re.search(rb"HIGHESTMODSEQ (\d+)", heads)
        count = int(re.search(rb"\* (\d+) EXISTS", heads).group(1))
        rows = self.fetch_rows(line) if count else []
        with world.lock:
            if box.validity is not None and box.validity != validity:
                world.problem("uids", f"UIDVALIDITY of {box} was {box.validity}, it is {validity}")
            if box.validity is None and validity <= world.deleted.get((box.account, box.name()), 0):
                world.problem("uids", f"{box} was made again with UIDVALIDITY {validity}, it had {world.deleted[(box.account, box.name())]}")
            box.validity = validity
            if uid_next < box.uid_next or uid_next <= max(box.history, default=0):
                world.problem("uids", f"UIDNEXT of {box} is {uid_next}, it was {box.uid_next} and UID {max(box.history, default=0)} was given")
            if mod_seq and int(mod_seq.group(1)) < box.mod_seq:
                world.problem("uids", f"HIGHESTMODSEQ of {box} was {box.mod_seq}, it is {mod_seq.group(1).decode()}")
            box.mod_seq = int(mod_seq.group(1)) if mod_seq else 0
        reports = []
        for row in rows:
            with world.lock:
                if row.is_report:
                    row.word = f"report-{row.mail}"
                    if row.word not in world.digests:
                        reports.append(row)
                if row.uid not in box.history and row.uid < box.uid_next:
                    world.problem("uids", f"UID {row.uid} of {box} is new, UIDNEXT was {box.uid_next}")
                world.remember(box, row.uid, row.word)
        with world.lock:
            box.uid_next = max([uid_next] + [row.uid + 1 for row in rows])
            wanted = [row for row in rows if not row.is_report and box.entries.get(row.word) and box.entries[row.word].fresh]
            wanted += [row for row in rows if row.is_report and box.entries.get(row.word) and box.entries[row.word].fresh]
        for data, row in self.fetch_bodies(line, reports):
            self.note_report(box, row, data)
        if box.account != "carol":
            for data, row in self.fetch_bodies(line, wanted):
                self.compare(box, row.word, data)
        return rows

    def fetch_rows(self, line):
        rows = []
        for text, literals in line.do(b"UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT RECEIVED CONTENT-TYPE)])")[0]:
            if b" FETCH " not in text or not literals:
                continue
            row, header = Row(), literals[0]
            row.uid = int(SPOKEN.search(text).group(1))
            row.flags = frozenset(flag for flag in MARKS.search(text).group(1).decode().split() if flag != "\\Recent")
            subject = re.search(rb"^Subject: (\S+)", header, re.M)
            row.word = subject.group(1).decode() if subject else ""
            mail = MAIL_ID.search(header)
            row.mail = mail.group(1).decode() if mail else None
            row.is_report = b"multipart/report" in header
            rows.append(row)
        return rows

    def fetch_bodies(self, line, rows):
        by_uid = {row.uid: row for row in rows}
        uids = sorted(by_uid)
        for at in range(0, len(uids), 40):
            for text, literals in line.do(b"UID FETCH %b (UID BODY.PEEK[])" % ",".join(map(str, uids[at:at + 40])).encode())[0]:
                if literals and SPOKEN.search(text):
                    self.world.counts["bodies"] += 1
                    yield literals[0], by_uid[int(SPOKEN.search(text).group(1))]

    def compare(self, box, word, data):
        with self.world.lock:
            entry = box.entries.get(word)
            if entry is not None and sha(split_text(data)) != entry.digest:
                self.world.problem("bytes", f"other bytes: {word} in {box}")

    def note_report(self, box, row, data):
        """A delivery report: which messages does it speak of?"""
        world = self.world
        returned = MAIL_ID.findall(data)
        pairs = REPORTED.findall(data) or REPORTED_LATE.findall(data)
        with world.lock:
            world.digests[row.word] = sha(split_text(data))
            entry = box.entry(row.word, world.digests[row.word])
            entry.low = entry.high = 1
            entry.uids = {row.uid: row.mail}
            if not pairs or not returned:
                world.problem("bytes", f"a report in {box} names nobody: {data[-600:]!r}")
                return
            for key, action in pairs:
                key = key.decode()
                if key not in world.kinds:
                    world.problem("queue", f"a report in {box} speaks of {key}, which nobody sent")
                elif action.lower() == b"failed":
                    world.job(key, returned[-1].decode()).bounces.add((box.account, box.validity, row.uid))
                    world.counts["reports"] += 1

    def look_by_pop3(self, box, seen):
        """The same UIDs, sizes and bytes as by IMAP."""
        if box not in seen:
            return
        line = wire.Pop3(self.server.port("pop3s"), self.test.tls, "carol")
        listed = {int(name.split(".")[1]): number for number, name in (text.split() for text in line.lines("UIDL"))}
        if set(listed) != {row.uid for row in seen[box]}:
            self.world.problem("uids", f"POP3 lists {sorted(listed)}, IMAP {sorted(row.uid for row in seen[box])}")
        for row in seen[box]:
            entry = box.entries.get(row.word)
            if entry is not None and entry.fresh and row.uid in listed:
                self.compare(box, row.word, line.retrieve(listed[row.uid]))
                self.world.counts["bodies"] += 1
        line.do("QUIT")
        line.close()

    # --- What was asked, and what is there.
    def check_groups(self, seen, queue):
        world = self.world
        there = {box: collections.Counter(row.word for row in rows) for box, rows in seen.items()}

        def is_there(box, word):
            if box is not None:
                return there.get(box, {}).get(word, 0) > 0
            jobs = world.jobs_of.get(word, [])
            return any(job.arrivals or job.bounces or (job.key, job.mail) in queue for job in jobs) or any(key == word for key, _ in queue)
        for group in world.together.values():
            states = {f"{box or 'out'} {word}": is_there(box, word) for box, word in group}
            if len(set(states.values())) > 1:
                world.problem("half", f"a plan was done in part: {states}")
        for source, target, word in world.pairs:
            count = there.get(source, {}).get(word, 0) + there.get(target, {}).get(word, 0)
            if count == 0:
                world.problem("lost", f"a MOVE left {word} in neither of {source} and {target}")
            if count > 1:
                world.problem("twice", f"a MOVE left {word} in both of {source} and {target}")
        world.together, world.pairs = {}, []

    def settle_entries(self, box, rows):
        world = self.world
        rows_of = collections.defaultdict(list)
        for row in rows:
            rows_of[row.word].append(row)
            if row.word not in box.entries:
                world.problem("queue", f"{row.word or '(no subject)'} (UID {row.uid}) is in {box}, where it was not put or was removed from")
                box.entry(row.word, world.digests.get(row.word, "")).high = len(rows)
        for word, entry in list(box.entries.items()):
            copies = rows_of.get(word, [])
            if len(copies) < entry.low:
                world.problem("lost", f"{word} is {len(copies)} times in {box}, it was acknowledged {entry.low} times")
            elif len(copies) > entry.high:
                kind = "queue" if entry.high == 0 else "twice"
                world.problem(kind, f"{word} is {len(copies)} times in {box}, it was asked for {entry.high} times")
            mails = [row.mail for row in copies if row.mail]
            if len(set(mails)) < len(mails):
                world.problem("twice", f"{word} was delivered twice to {box} as {mails}")
            if len(copies) > max(1, len(entry.uids)):
                world.counts["w2"] += len(copies) - max(1, len(entry.uids))
            if entry.low == 0 and copies:
                world.counts["unanswered_there"] += 1
            for row in copies:
                if row.flags not in entry.flags:
                    world.problem("flags", f"flags of {word} in {box} are {sorted(row.flags)}, they may be {[sorted(f) for f in entry.flags]}; {entry.trail}")
            if not copies:
                del box.entries[word]
                continue
            entry.flags = list({row.flags for row in copies})
            entry.low = entry.high = len(copies)
            entry.uids = {row.uid: row.mail for row in copies}
            entry.fresh = False
