"""Backups of the real program under load, and what is made of them, compared hash by hash."""
import contextlib
import json
import os
import re
import shutil
import smtplib
import subprocess
import threading
import time

import harness
from harness import DOMAIN, case, expect, expect_equal, message, run, sha, token


class Load:
    """Mail to alice and bob by SMTP, and flags set by IMAP, for as long as the block lasts."""

    def __init__(self, world, pause=0.005):
        self.world, self.pause, self.ending = world, pause, threading.Event()
        self.sent, self.problems = 0, []
        self.threads = [threading.Thread(target=self.deliver, args=(n,), daemon=True) for n in range(2)]
        self.threads.append(threading.Thread(target=self.flag, daemon=True))

    def deliver(self, number):
        try:
            with smtplib.SMTP("127.0.0.1", self.world.port("smtp"), timeout=30) as client:
                while not self.ending.is_set():
                    size = (300, 3000, 20000, 90000)[self.sent % 4]
                    client.sendmail("load@outside.test", [f"{('alice', 'bob')[number]}@{DOMAIN}"], message(f"load {token()}", body=body(size)))
                    self.sent += 1
                    time.sleep(self.pause)
        except Exception as problem:
            self.problems.append(repr(problem))

    def flag(self):
        try:
            with self.world.imap("bob") as client:
                while not self.ending.is_set():
                    client.noop()
                    client.uid("STORE", "1:5", "+FLAGS", "(\\Flagged)")
                    client.uid("STORE", "1:5", "-FLAGS", "(\\Flagged)")
                    time.sleep(0.05)
        except Exception as problem:
            self.problems.append(repr(problem))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join(30)
        expect(not self.problems, "the load met problems", self.problems)
        expect(self.sent > 0, "no load")


def body(size):
    line = token() + " "
    return ("".join(line * 4 + "\r\n" for _ in range(max(1, size // 74))))


def list_account(world, name):
    """{mailbox: (UIDVALIDITY, {uid: (sha256, flags, internal date)})}"""
    found = {}
    with world.imap(name, select=None) as client:
        boxes = [re.search(rb'"?([^" ]+)"?$', line).group(1).decode() for line in client.list()[1] if b"\\Noselect" not in line]
        for box in boxes:
            expect_equal(client.select(box, readonly=True)[0], "OK", box)
            validity = int(client.response("UIDVALIDITY")[1][0])
            rows = {}
            code, data = client.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")
            expect_equal(code, "OK", "FETCH")
            for item in data:
                if isinstance(item, tuple):
                    head = item[0].decode()
                    flags = tuple(sorted(f for f in re.search(r"FLAGS \(([^)]*)\)", head).group(1).split() if f != "\\Recent"))
                    rows[int(re.search(r"UID (\d+)", head).group(1))] = (sha(item[1]), flags, re.search(r'INTERNALDATE "([^"]*)"', head).group(1))
            found[box] = (validity, rows)
    return found


def hashes(listing, box="INBOX"):
    return sorted(row[0] for row in listing[box][1].values())


def deliver(world, name, count, size=2000):
    with smtplib.SMTP("127.0.0.1", world.port("smtp"), timeout=30) as client:
        for _ in range(count):
            client.sendmail("sender@outside.test", [f"{name}@{DOMAIN}"], message(f"kept {token()}", body=body(size)))


def furnish(world, name):
    """Mail of several sizes, flags, a keyword, a mailbox of its own."""
    for size, count in ((300, 30), (6000, 20), (30000, 20), (1_300_000, 2)):
        deliver(world, name, count, size)
    with world.imap(name) as client:
        # By number: other cases took mail of this account away.
        client.store("1:10", "+FLAGS", "(\\Seen $Work)")
        client.store("5:7", "+FLAGS", "(\\Answered)")
        client.create("Projects")
        client.create("Projects/Deep")
        expect_equal(client.copy("1:4", "Projects/Deep")[0], "OK", "COPY")
        client.store("20", "+FLAGS", "(\\Deleted)")
        client.expunge()


def backup(world, folder, *words):
    return json.loads(world.godwit("backup", folder, "--json", *words)[1])


def verify(world, folder, *words):
    out = run([world.program, "backup", "verify", folder, "--json", *words], seconds=120)[1]
    expect(json.loads(out)["good"], "verify", out)


@contextlib.contextmanager
def second(world, data):
    """Another server, on a data folder that was restored."""
    other = harness.World(world.program, os.path.join(world.folder, "second"))
    os.makedirs(other.folder, exist_ok=True)
    other.data, other.ca = data, os.path.join(data, "tls", "ca.pem")
    other.start()
    try:
        yield other
    finally:
        expect_equal(other.stop(), 0, "the restored server's exit code")


@contextlib.contextmanager
def first_server(world):
    """A server of its own, with a domain whose mail waits in the queue: nobody listens there."""
    own = harness.World(world.program, os.path.join(world.folder, "first"), extra_routes=[f"closed.test=127.0.0.1:{harness.free_ports(1)[0]}"])
    os.makedirs(own.folder, exist_ok=True)
    own.start()
    try:
        yield own
    finally:
        own.stop()


@case(seconds=300)
def taken_under_load_and_restored_whole(world):
    with first_server(world) as own:
        taken_and_restored(own)


def taken_and_restored(world):
    """The account `sync` stands still while others' mail comes in: what it had at the backup is what the restored server shows."""
    folder, data = os.path.join(world.folder, "backup-whole"), os.path.join(world.folder, "restored")
    furnish(world, "sync")
    with smtplib.SMTP("127.0.0.1", world.port("submission"), timeout=30) as client:
        client.login("sync", "sync")
        client.sendmail(f"sync@{DOMAIN}", ["far@closed.test"], message("queued", sender=f"sync@{DOMAIN}", to="far@closed.test"))
    with Load(world):
        time.sleep(1)
        first = backup(world, folder)
        deliver(world, "sync", 5, 30000)
        before = list_account(world, "sync")
        made = backup(world, folder)
        time.sleep(0.3)
    expect(made["copied_bytes"] < made["segment_bytes"], "the second one copies only what is new", made)
    expect(made["segment_bytes"] - made["copied_bytes"] >= first["segment_bytes"] * 9 // 10, "and has the rest from the first", first, made)
    verify(world, folder)
    verify(world, folder, "--generation", first["generation"])
    listed = json.loads(run([world.program, "backup", "list", folder, "--json"])[1])
    expect_equal([row["generation"] for row in listed], [first["generation"], made["generation"]], "backup list")
    deliver(world, "sync", 3)
    out = json.loads(run([world.program, "restore", folder, "--into", data, "--json"], seconds=120)[1])
    expect(out["good"] and out["violations"] == 0, "fsck of what was restored", out)
    expect_equal(out["held_deliveries"], 1, "queued mail is held")
    code, text = run([world.program, "restore", folder, "--into", data], check=False)
    expect(code == 1 and "not empty" in text, "a second restore over it is refused", text)
    with second(world, data) as other:
        after = list_account(other, "sync")
        expect_equal(sorted(after), sorted(before), "mailboxes")
        for box in before:
            expect(after[box] == before[box], f"{box}: UIDVALIDITY, UIDs, hashes, flags, dates", len(before[box][1]), len(after[box][1]))
        held = json.loads(other.godwit("queue", "list", "--held", "--json")[1])
        expect_equal([(row["site"], row["held_reason"]) for row in held], [("closed.test", "restored from backup")], "the held queue")
        deliver(other, "sync", 1)
        newest = max(list_account(other, "sync")["INBOX"][1])
        expect(newest > max(list_account(world, "sync")["INBOX"][1]), "no UID is given twice", newest)
        expect("good" in other.godwit("fsck")[1], "fsck while it runs")


@case(seconds=240)
def account_put_back_into_the_running_server(world):
    """Half of the account's mail is deleted; it comes back while mail goes on, each message once, every hash."""
    folder = os.path.join(world.folder, "backup-account")
    furnish(world, "fetch")
    with Load(world):
        backup(world, folder)
        before = list_account(world, "fetch")
        with world.imap("fetch") as client:
            uids = sorted(before["INBOX"][1])
            client.uid("STORE", ",".join(str(u) for u in uids[::2]), "+FLAGS", "(\\Deleted)")
            client.expunge()
            client.delete("Projects/Deep")
            client.uid("STORE", str(uids[1]), "FLAGS", "(\\Flagged)")
        deliver(world, "fetch", 3)
        between = list_account(world, "fetch")
        out = json.loads(world.godwit("restore", folder, "--account", "fetch", "--json")[1])
        expect_equal(out["restored"], len(uids[::2]) + 4, "put back")
        after = list_account(world, "fetch")
        again = json.loads(world.godwit("restore", folder, "--account", "fetch", "--json")[1])
        expect_equal((again["restored"], again["failed"]), (0, 0), "a second time")
    expect_equal(after["INBOX"][0], before["INBOX"][0], "UIDVALIDITY")
    for uid, row in between["INBOX"][1].items():
        expect_equal(after["INBOX"][1].get(uid), row, f"UID {uid}, which was there")
    lost = [u for u in before["INBOX"][1] if u not in between["INBOX"][1]]
    new = {u: row for u, row in after["INBOX"][1].items() if u not in between["INBOX"][1]}
    expect_equal(sorted(new.values()), sorted(before["INBOX"][1][u] for u in lost), "hash, flags and date of what came back")
    expect(min(new) > max(between["INBOX"][1]), "with new UIDs", min(new))
    expect_equal(hashes(after, "Projects/Deep"), hashes(before, "Projects/Deep"), "the deleted mailbox")
    expect_equal(list_account(world, "fetch"), after, "the second time changed nothing")
    verify(world, folder)
    expect("good" in world.godwit("fsck")[1], "fsck")


@case(seconds=120)
def removed_account_comes_back_with_its_password(world):
    folder = os.path.join(world.folder, "backup-removed")
    world.godwit("account", "add", "lost", "--password", "lost")
    world.godwit("alias", "add", "lost-and-found", "lost")
    deliver(world, "lost", 10, 20000)
    before = list_account(world, "lost")
    backup(world, folder)
    world.godwit("account", "remove", "lost")
    world.godwit("alias", "remove", "lost-and-found", codes=(0, 1))
    out = json.loads(world.godwit("restore", folder, "--account", "lost", "--json")[1])
    expect(out["account_created"] and out["restored"] == 10, "the report", out)
    after = list_account(world, "lost")
    expect_equal(hashes(after), hashes(before), "every hash, read with the old password")
    deliver(world, "lost-and-found", 1)
    expect_equal(len(list_account(world, "lost")["INBOX"][1]), 11, "the alias")
    below = json.loads(world.godwit("restore", folder, "--account", "lost", "--to-mailbox", "Restored/today", "--json")[1])
    expect_equal(below["restored"], 10, "below a mailbox")
    expect_equal(hashes(list_account(world, "lost"), "Restored/today/INBOX"), hashes(before), "below a mailbox")
    world.godwit("account", "remove", "lost")


@case(seconds=180)
def killed_while_it_runs_leaves_the_earlier_one_whole(world):
    """The command is killed, then the server: what was there verifies, and the next run tidies up."""
    folder = os.path.join(world.folder, "backup-killed")
    deliver(world, "basic", 40, 200_000)
    first = backup(world, folder)
    for victim in ("command", "server"):
        deliver(world, "basic", 40, 200_000)
        process = subprocess.Popen([world.program, "backup", folder, "--dir", world.data], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.15)
        if victim == "command":
            process.kill()
            process.wait()
        else:
            world.process.kill()
            world.process.wait()
            process.wait(30)
            world.process = None
            world.start()
        verify(world, folder, "--generation", first["generation"])
        verify(world, folder)
    backup(world, folder, "--keep", "1")
    verify(world, folder)
    names = os.listdir(folder)
    expect_equal(len([n for n in names if n.endswith(".manifest")]), 1, names)
    expect(not any(n.endswith(".new") for n in names + os.listdir(os.path.join(folder, "segments"))), "left-overs", names)


@case(seconds=120)
def damage_is_found_and_refused(world):
    folder = os.path.join(world.folder, "backup-damaged")
    deliver(world, "basic", 10, 20_000)
    backup(world, folder)
    verify(world, folder)
    part = os.path.join(folder, "segments", sorted(os.listdir(os.path.join(folder, "segments")))[-1])
    with open(part, "r+b") as file:
        file.seek(os.path.getsize(part) // 2)
        octet = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([octet[0] ^ 1]))
    code, text = run([world.program, "backup", "verify", folder], check=False)
    expect(code == 1 and os.path.basename(part) in text, "verify names the file", text)
    data = os.path.join(world.folder, "never")
    code, text = run([world.program, "restore", folder, "--into", data], check=False)
    expect(code == 1 and os.path.basename(part) in text, "restore names it and gives the rest", text)
    code, text = run([world.program, "fsck", "--dir", data], check=False)
    expect(code == 1, "fsck finds what is lost", text)
    code, text = world.godwit("backup", world.data + "/b", check=False)
    expect(code == 1 and "data folder" in text, "a backup into the data folder", text)
    code, text = world.godwit("backup", world.folder, check=False)
    expect(code == 1, "a backup into a folder of other things", text)
    shutil.rmtree(folder)


@case(seconds=120)
def works_on_a_stopped_server_too(world):
    folder = os.path.join(world.folder, "backup-offline")
    deliver(world, "basic", 3, 20_000)
    expect_equal(world.stop(), 0, "exit code")
    try:
        made = backup(world, folder)
        expect(made["messages"] >= 3, "messages", made)
        verify(world, folder)
        out = json.loads(world.godwit("restore", folder, "--account", "basic", "--json")[1])
        expect_equal((out["restored"], out["failed"]), (0, 0), "nothing was missing")
    finally:
        world.start()
