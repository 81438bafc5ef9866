"""Crash points that ordinary cycles do not pass: a folder's first start, held mail whose days are over, body files that nobody needs for ten minutes,
backups and what is made of them, repairs.

Each is provoked with a server of its own, beside the loop.
"""
import glob
import os
import re
import shutil
import subprocess
import threading
import time

import wire
from ledger import sha
from points import ASKED, BORN, DAYS, MENDED, is_one_of
from server import DOMAIN, Server

HERE = os.path.dirname(os.path.abspath(__file__))


def spoil(path, at):
    """Flips one bit."""
    with open(path, "r+b") as file:
        file.seek(at)
        octet = file.read(1)[0]
        file.seek(at)
        file.write(bytes([octet ^ 1]))


class Aside(threading.Thread):
    def __init__(self, test):
        super().__init__(daemon=True, name="aside")
        self.test, self.points = test, test.points
        self.current = None
        self.cancelled = threading.Event()

    def run(self):
        clock = os.path.join(self.test.folder, "clock_ahead.so")
        built = subprocess.run(["clang-19", "-O1", "-shared", "-fPIC", "-o", clock, os.path.join(HERE, "clock_ahead.c")], capture_output=True, text=True)
        if built.returncode:
            self.test.world.problem("test", f"clock_ahead.c: {built.stderr}")
            return
        for number, name in enumerate(self.points.aside):
            if self.cancelled.is_set():
                return
            server = self.current = Server(self.test.options.program, os.path.join(self.test.folder, f"aside{number}"))
            self.points.armed[name] += 1
            try:
                found = self.provoke(server, name, clock)
            except Exception as error:
                found = f"{error!r}\n{server.log_tail()}"
            if not server.is_dead():
                server.kill()
            if self.cancelled.is_set():
                return
            if found:
                self.test.world.problem("aside", f"{name}: {found}")
            else:
                server.remove()

    def provoke(self, server, name, clock):
        """What is wrong afterwards, or nothing."""
        if is_one_of(name, BORN):
            return self.born(server, name)
        if is_one_of(name, DAYS):
            return self.held(server, name, clock)
        if is_one_of(name, ASKED):
            return self.asked(server, name)
        return self.mended(server, name) if is_one_of(name, MENDED) else self.idle(server, name, clock)

    def cancel(self):
        self.cancelled.set()
        if self.current is not None and not self.current.is_dead():
            self.current.kill()

    def wait_fired(self, server, name, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until and not server.is_dead():
            time.sleep(0.05)
        if server.fired() != name:
            raise RuntimeError(f"did not fire in {seconds} s")
        self.points.came(name, False)

    def deliver(self, server, words, size=20_000):
        line = wire.Smtp(server.port("lmtp"), lmtp=True)
        for word in words:
            line.envelope("", [f"alice@{DOMAIN}"])
            line.send(f"Subject: {word}\r\n\r\n".encode() + b"0123456789abcdef\r\n" * (size // 18) + b".\r\n")
            line.expect(250)
        line.close()

    def words(self, server):
        """Of alice's messages; each must be readable."""
        line = wire.Pop3(server.port("pop3s"), self.test.tls, "alice")
        found = []
        for text in line.lines("LIST"):
            data = line.retrieve(int(text.split()[0]))
            subject = re.search(rb"^Subject: (.+?)\r$", data, re.M)
            found.append((subject.group(1).decode() if subject else "", sha(data)))
        line.do("QUIT")
        line.close()
        return found

    def born(self, server, name):
        """A new folder whose first start is cut off."""
        died = server.godwit("init", "--hostname", f"mx.{DOMAIN}", "--domain", DOMAIN, "--dir", server.home, env=dict(os.environ, GODWIT_CRASH_AT=name))
        if died.returncode != -9:
            return f"init ended with {died.returncode}"
        self.points.came(name, False)
        server.make({}, ["alice"])
        server.start()
        self.deliver(server, ["first"])
        found = self.words(server)
        server.stop()
        return f"found {found}" if [word for word, _ in found] != ["first"] else server.fsck()

    def held(self, server, name, clock):
        """Held mail, six days later: one report each. Nothing expires in a server's first hour: the caretaker's second look at held mail comes when that is over."""
        server.make({"held.test": {"kind": "hold"}}, ["alice"])
        server.start()
        line = wire.Smtp(server.port("submissions"), self.test.tls, "alice")
        for number in range(5):
            line.envelope(f"alice@{DOMAIN}", [f"x{number}@held.test"])
            line.send(f"From: <alice@{DOMAIN}>\r\nSubject: x{number}\r\n\r\nheld\r\n.\r\n".encode())
            line.expect(250)
        time.sleep(0.5)
        server.kill()
        server.environment = {"LD_PRELOAD": clock, "CLOCK_AHEAD": str(6 * 86400), "CLOCK_SPEED": "90"}
        if server.start(f"{name}:2"):
            self.wait_fired(server, name, 180)
        else:
            self.points.came(name, False)
        server.start()
        until = time.monotonic() + 180
        while time.monotonic() < until and len(self.words(server)) < 5:
            time.sleep(0.2)
        server.kill()
        server.environment = {}
        server.start()
        time.sleep(0.5)
        line = wire.Pop3(server.port("pop3s"), self.test.tls, "alice")
        texts = [line.retrieve(int(text.split()[0])) for text in line.lines("LIST")]
        line.close()
        reported = sorted(match for text in texts for match in re.findall(rb"Final-Recipient: rfc822; *(x\d)@", text))
        server.stop()
        wanted = sorted(b"x%d" % number for number in range(5))
        return f"reports of {reported}, wanted one of each of {wanted}" if reported != wanted else server.fsck()

    def idle(self, server, name, clock):
        """A body file without living bodies; a minute of this clock is eleven."""
        server.make({}, ["alice"])
        server.start()
        self.deliver(server, [f"old{number}" for number in range(20)])
        server.kill()
        server.start()
        self.deliver(server, ["kept"], 40_000)
        line = wire.Pop3(server.port("pop3s"), self.test.tls, "alice")
        for text in line.lines("LIST")[:20]:
            line.do(f"DELE {text.split()[0]}")
        line.do("QUIT")
        line.close()
        before = self.words(server)
        server.kill()
        server.environment = {"LD_PRELOAD": clock, "CLOCK_SPEED": "11"}
        server.start(name)
        self.wait_fired(server, name, 180)
        server.environment = {}
        server.start()
        self.deliver(server, ["after"])
        found = self.words(server)
        server.stop()
        if found[:-1] != before or found[-1][0] != "after":
            return f"found {found}, before {before}"
        return server.fsck()

    def asked(self, server, name):
        """A backup that is cut off harms none before it; a restore that is cut off is made good by the next."""
        server.make({}, ["alice"])
        server.start()
        folder = os.path.join(server.folder, "backup")
        self.deliver(server, [f"old{number}" for number in range(10)])
        asked = [server.godwit("backup", folder, "--dir", server.home)]
        self.deliver(server, ["newer"])
        before = self.words(server)
        if name.startswith("backup."):
            server.kill()
            server.start(name)
            server.godwit("backup", folder, "--keep", "1", "--dir", server.home)
            self.wait_fired(server, name, 20)
            asked.append(server.godwit("backup", "verify", folder))
            server.start()
            asked += [server.godwit("backup", folder, "--keep", "1", "--dir", server.home), server.godwit("backup", "verify", folder)]
        elif name == "restore.messages_appended":
            asked.append(server.godwit("backup", folder, "--dir", server.home))
            server.kill()
            server.start(name)
            line = wire.Pop3(server.port("pop3s"), self.test.tls, "alice")
            for text in line.lines("LIST")[:5]:
                line.do(f"DELE {text.split()[0]}")
            line.do("QUIT")
            line.close()
            server.godwit("restore", folder, "--account", "alice", "--dir", server.home)
            self.wait_fired(server, name, 20)
            server.start()
            asked.append(server.godwit("restore", folder, "--account", "alice", "--dir", server.home))
        else:
            asked.append(self.made_again(server, name, folder))
        found = self.words(server)
        server.stop()
        wrong = [f"{done.args[1:3]}: {done.stdout}{done.stderr}"[-800:] for done in asked if done.returncode]
        return "; ".join(wrong) or (f"found {found}, before {before}" if sorted(found) != sorted(before) else server.fsck())

    def made_again(self, server, name, folder):
        """A whole restore that is cut off: no program takes what is there for a store."""
        data = os.path.join(server.folder, "new")
        died = server.godwit("restore", folder, "--into", data, env=dict(os.environ, GODWIT_CRASH_AT=name))
        if died.returncode != -9:
            return died
        self.points.came(name, False)
        opened = server.godwit("fsck", "--dir", data)
        if opened.returncode == 0 or "did not come to its end" not in opened.stderr:
            opened.returncode = 1
            return opened
        shutil.rmtree(data)
        return server.godwit("restore", folder, "--into", data)

    def mended(self, server, name):
        """A repair that is cut off is run again, and costs no more than what was damaged."""
        server.make({}, ["alice"])
        server.start()
        self.deliver(server, [f"word{number}" for number in range(5)])
        before = self.words(server)
        server.stop()
        is_rescue = name.startswith("rescue.")
        if is_rescue:
            log = max(glob.glob(os.path.join(server.data, "kv", "*.log")), key=os.path.getsize)
            spoil(log, os.path.getsize(log) // 2)
        else:
            [segment] = glob.glob(os.path.join(server.data, "blobs", "seg-*"))
            with open(segment, "rb") as file:
                spoil(segment, file.read().index(b"Subject: word2\r\n") + 5000)
        repair = ("fsck", "--repair", "--drop-lost", "--dir", server.home)
        died = server.godwit(*repair, env=dict(os.environ, GODWIT_CRASH_AT=name))
        if died.returncode != -9:
            return f"the repair ended with {died.returncode}: {died.stdout}{died.stderr}"
        self.points.came(name, False)
        server.godwit(*repair)
        whole = server.godwit(*repair)
        if whole.returncode or "good" not in whole.stdout:
            return f"after it was repaired again: {whole.stdout}{whole.stderr}"
        server.start()
        found = self.words(server)
        server.stop()
        wanted = [row for row in before if row[0] != "word2"]
        if is_rescue:
            # A log is read on behind its damage only from its next block: here all that follows is lost, and dropped as was asked.
            wanted = before[:max(1, len(found))]
        return f"found {found}, wanted {wanted}" if found != wanted else server.fsck()
