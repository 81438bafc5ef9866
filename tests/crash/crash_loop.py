#!/usr/bin/env python3
"""Kills the real program under load, at random and at named moments, starts it again, and compares what it holds with a ledger of what it acknowledged.

The load: submission, SMTP and LMTP to local accounts; outbound mail to a server of ours that takes, refuses, puts off and hangs up; IMAP (APPEND,
STORE, COPY, MOVE, EXPUNGE, CREATE, RENAME, DELETE, SUBSCRIBE), POP3 (RETR, DELE, QUIT) and an administrator who holds, releases and deletes queued mail,
adds and removes accounts and has the configuration read again. A line goes to the ledger, with fdatasync, after the server's answer was read.
What was asked and not answered may have happened or not, whole and once.

After each restart: every acknowledged message is there, byte for byte, as often as it was acknowledged; outbound mail is queued, or was taken by the other server,
or is reported once; flags, mailboxes, subscriptions, holds and removals stand; UIDs never name another message. Twice is right only where
the other server's answer was lost (W1) or a client sent again what had no answer (W2); both are counted.

usage: crash_loop.py [--program PATH] [--cycles N] [--seconds S] [--seed S] [--point NAME] [--keep]
Prints `ok NAME` or `not ok NAME` lines and `crash:` lines with figures; ends with 1 when something is not as it must be.
"""
import argparse
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
import clients  # noqa: E402
import wire  # noqa: E402
from aside import Aside  # noqa: E402
from ledger import Ledger, World  # noqa: E402
from points import CLEARING, STARTING, STOPPING, Points, is_one_of  # noqa: E402
from server import DOMAIN, Server  # noqa: E402
from sink import Sink  # noqa: E402
from verify import Verifier  # noqa: E402

FULL_CYCLES = 500        # From here on a point that never fired is a failure: each has had its turn thrice.
FSCK_EVERY = 25
DRAIN_SECONDS = 120
PROBLEMS_MAX = 20
# Kinds of problems, and the line that speaks of them.
VERDICTS = {
    "nothing_acknowledged_is_lost": ("lost",),
    "bytes_are_the_same": ("bytes",),
    "flags_hold": ("flags",),
    "uids_and_ids_never_name_another_message": ("uids", "ids"),
    "plans_are_whole": ("half",),
    "nothing_is_there_twice": ("twice",),
    "queue_removals_and_orders_hold": ("queue",),
    "points_that_need_a_server_of_their_own": ("aside",),
    "load_was_accepted": ("trouble",),
    "nothing_is_taken_for_damaged": ("damage",),
    "the_test_itself": ("test",),
}


class Test:
    accounts = ("alice", "bob", "carol", "writer")

    def __init__(self, options):
        self.options, self.seed = options, options.seed
        self.folder = tempfile.mkdtemp(prefix="godwit-crash-")
        self.ledger = Ledger(os.path.join(self.folder, "ledger"))
        self.world = World(self.ledger)
        self.server = Server(options.program, os.path.join(self.folder, "main"))
        self.sink = Sink(self.world, self.server)
        self.tls = wire.tls_context()
        self.stopping = threading.Event()
        self.wants_large = self.wants_reload = self.wants_ids = self.wants_accounts = False
        self.aside = None
        self.random_kills = self.restarts = 0
        self.fsck_found = []
        listed = self.server.godwit(env=dict(os.environ, GODWIT_CRASH_AT="list"))
        self.points = Points(listed.stdout.split() if listed.returncode == 0 else [], self.seed, options.point)

    # --- One cycle.
    def start(self, name="", passing=0):
        """Serves; starts once more when a start was cut off on purpose."""
        was_cut = False
        if not self.server.start(f"{name}:{passing}" if name else ""):
            self.points.came(name, True)
            self.restarts += 1
            was_cut = True
            # Recovery is cut off, and then the recovery from that.
            second = self.chance.choice([other for other in self.points.names if is_one_of(other, STARTING)] or [""])
            if not self.server.start(second):
                self.points.armed[second] += 1
                self.points.came(second, True)
                self.restarts += 1
                self.server.start()
        return was_cut

    def look(self, name, everything=False):
        """True when the armed point fired meanwhile."""
        has_fired = False
        while True:
            verifier = Verifier(self)
            try:
                verifier.look(everything)
                self.lines = verifier.lines
                return has_fired
            except (wire.Gone, wire.No) as error:
                until = time.monotonic() + 5
                while not self.server.is_dead() and time.monotonic() < until:
                    time.sleep(0.01)
                fired = self.server.fired()
                if fired is None:
                    raise RuntimeError(f"while looking: {error}, the server {'died' if self.server.is_dead() else 'lives'}") from error
                self.points.came(fired, fired == name)
                has_fired = True
                self.restarts += 1
                self.server.start()

    def leave_remains(self):
        """An account that is removed with more messages than one commit takes, and a body file more than half of which was its own; then the end, before anybody clears up."""
        self.server.start()
        admin = wire.Admin(self.server.admin_socket)
        for name, large, small in ((f"temp{self.world.cycle}a", 40, 280), (f"temp{self.world.cycle}b", 20, 0)):
            self.world.accounts[name] = "maybe"
            admin.call("account.add", address=name, password=name)
            self.world.accounts[name] = "yes"
            line = wire.Smtp(self.server.port("lmtp"), lmtp=True)
            for number in range(large + small):
                line.envelope("", [f"{name}@{DOMAIN}"])
                line.send(f"Subject: {name} {number}\r\n\r\n".encode() + f"{name} {number} and so on\r\n".encode() * (4000 if number < large else 1) + b".\r\n")
                line.expect(250)
            line.close()
        name = f"temp{self.world.cycle}a"
        self.world.accounts[name] = "maybe"
        admin.call("account.remove", address=name)
        self.world.accounts[name] = "no"
        admin.close()
        self.server.kill()

    def leave_orphan(self):
        """A body file that no commit named: the end between its sync and the keys'."""
        if not self.server.start("blob.records_synced:1"):
            return
        with contextlib.suppress(OSError, EOFError, wire.Gone):
            line = wire.Smtp(self.server.port("lmtp"), lmtp=True)
            line.envelope("", [f"alice@{DOMAIN}"])
            line.send(b"Subject: orphan\r\n\r\n" + b"never acknowledged\r\n" * 2000 + b".\r\n")
            line.expect(250)
        if not self.server.is_dead():
            self.server.process.wait(20)

    def load(self):
        # The connections that looked go on with the load; the others end.
        for account in ("carol", "writer"):
            self.lines[account].close()
        self.stopping.clear()
        some = [clients.Submission(self, 0), clients.Submission(self, 1), clients.Submission(self, 2), clients.Exchanger(self, 3), clients.Lmtp(self, 4),
                clients.ImapClient(self, 5, "writer", "Home5"), clients.ImapClient(self, 6, "writer", "Home6"),
                clients.ImapClient(self, 7, "alice", "INBOX", self.lines["alice"]), clients.ImapClient(self, 8, "bob", "INBOX", self.lines["bob"]),
                clients.Pop3Client(self, 9), clients.Administrator(self, 10)]
        if self.wants_ids:
            some = some[3:5] + [clients.Counting(self, 20 + i) for i in range(4)]
        for client in some:
            client.start()
        return some

    def one(self):
        world, server = self.world, self.server
        name, passing = self.points.next()
        world.point = f"{name}:{passing}" if name else "random"
        self.wants_large = name.startswith("blob.spool") or name == "blob.body_kept" or name.startswith("blob.orphan")
        self.wants_reload = name.startswith("reload.")
        self.wants_ids = name.startswith("store.ids_")
        self.wants_accounts = name == "admin.account_removed"
        if is_one_of(name, CLEARING):
            self.leave_remains()
        if name.startswith("blob.orphan"):
            self.leave_orphan()
        was_cut = self.start(name, passing)
        has_fired = self.look(name) or was_cut
        began = time.monotonic()
        world.ledger.record("cycle", number=world.cycle, point=world.point)
        some = self.load()
        if name and not has_fired:
            patience = 20 if self.wants_ids else self.options.patience
            if is_one_of(name, STOPPING):
                time.sleep(self.chance.uniform(0.1, 0.3))
                self.stopping.set()
                server.process.send_signal(signal.SIGTERM)
                patience = 20
            while not server.is_dead() and time.monotonic() < began + patience:
                time.sleep(0.005)
            fired = server.fired()
            if fired:
                self.points.came(fired, time.monotonic() - began < 0.1)
            else:
                self.points.stayed_away(name)
        else:
            time.sleep(self.chance.uniform(0.1, self.options.patience))
            self.random_kills += 1
        if not server.is_dead():
            server.kill()
        elif not server.fired() and server.process.returncode != 0:
            raise RuntimeError(f"the server ended with {server.process.returncode}\n{server.log_tail()}")
        self.stopping.set()
        for client in some:
            client.join(15)
            if client.is_alive():
                world.problem("test", f"{client.name} hangs")
        damage = server.logged(b"store.row_damaged")
        if damage:
            world.problem("damage", damage)
        if world.cycle % FSCK_EVERY == 0:
            found = server.fsck("--quick")
            if found:
                self.fsck_found.append(f"cycle {world.cycle} ({world.point}): {found}")

    def run(self):
        self.chance = random.Random(self.seed)
        self.began = time.monotonic()
        self.server.make({"sink.test": {"kind": "smtp", "host": "127.0.0.1", "port": self.sink.port, "tls": "never"},
                          "held.test": {"kind": "hold"}, "disc.test": {"kind": "discard"}}, self.accounts)
        if self.points.aside:
            self.aside = Aside(self)
            self.aside.start()
        for self.world.cycle in range(1, self.options.cycles + 1):
            self.one()
            if self.world.cycle % max(10, self.options.cycles // 10) == 0:
                self.say()
            if len(self.world.problems) + len(self.fsck_found) >= (1 if self.options.seconds else PROBLEMS_MAX):
                return
            if self.options.seconds and time.monotonic() - self.began > self.options.seconds:
                break
        self.world.point = "end"
        self.drain()
        self.say()

    def drain(self):
        """Everything that can leave leaves; then everything is compared."""
        self.server.write_config()
        self.server.start()
        with self.world.lock:
            self.sink.open.update(key for key in self.world.kinds if key.startswith("later-"))
        admin = wire.Admin(self.server.admin_socket)
        with self.world.lock:
            for job in self.world.jobs.values():
                job.held = None
        admin.call("queue.release", site="sink.test")
        until = time.monotonic() + DRAIN_SECONDS
        told = time.monotonic()
        while True:
            waiting = [row for row in admin.rows("queue.list") if row["site"] != "held.test"]
            if not waiting:
                break
            if time.monotonic() > until:
                self.world.problem("lost", f"{len(waiting)} messages do not leave the queue: {waiting[:3]}")
                break
            if time.monotonic() > told + 20:
                told = time.monotonic()
                print(f"crash: {len(waiting)} are still to leave: {waiting[:2]}", flush=True)
            admin.call("queue.retry", site="sink.test")
            time.sleep(0.2)
        admin.close()
        self.look("", everything=True)
        for job in self.world.jobs.values():
            if job.acknowledged and not job.over and not job.key.startswith("held-"):
                self.world.problem("lost", f"{job.key} ({job.mail}) is not settled at the end")
        if self.aside is not None:
            self.aside.join(900 if self.world.cycle >= FULL_CYCLES else 0)
            self.aside.cancel()
            self.aside.join(60)

    def finish(self):
        if self.server.is_dead():
            return
        code = self.server.stop()
        if code != 0:
            self.fsck_found.append(f"the last stop ended with {code}")
        found = self.server.fsck()
        if found:
            self.fsck_found.append(found)

    # --- Figures.
    def figures(self):
        world, points = self.world, self.points
        return dict(cycles=world.cycle, acknowledged=self.ledger.lines, mail=self.ledger.kinds["mail"], bodies=world.counts["bodies"], remote=self.sink.taken, reports=world.counts["reports"],
                    w1=world.counts["w1"], w1_remote_hung_up=world.counts["w1_cut"], w2=world.counts["w2"], unanswered_there=world.counts["unanswered_there"], quarantined=world.counts["quarantined"], random_kills=self.random_kills, cut_starts=self.restarts,
                    points=len(points.names), points_fired=sum(1 for name in points.names if points.fired[name]), fired=sum(points.fired.values()),
                    lost=sum(1 for kind, _ in world.problems if kind == "lost"), problems=len(world.problems) + len(self.fsck_found))

    def say(self):
        print("crash: " + ", ".join(f"{name} {value}" for name, value in self.figures().items()) + f", slowest start {max(self.server.start_times or [0]):.2f} s, {time.monotonic() - self.began:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=os.path.join(ROOT, "build/release/godwit"))
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--seconds", type=float, help="end after that time, or with the first fault")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--point", help="only points with this in their name")
    parser.add_argument("--patience", type=float, default=0.8, help="most seconds of load in a cycle")
    parser.add_argument("--keep", action="store_true", help="leave the folder and say where it is")
    options = parser.parse_args()
    options.program = os.path.abspath(options.program)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    test = Test(options)
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
            frame = error.__traceback__
            while frame.tb_next is not None:
                frame = frame.tb_next
            broken.append(f"cycle {test.world.cycle} ({test.world.point}): {error!r} ({os.path.basename(frame.tb_frame.f_code.co_filename)}:{frame.tb_lineno})\n{test.server.log_tail()}")
        test.finish()
        verdict("starts_and_answers_after_every_kill", broken)
        for name, kinds in VERDICTS.items():
            wrong = [text for kind, text in test.world.problems if kind in kinds]
            if name == "load_was_accepted" and test.ledger.lines < test.world.cycle:
                wrong.append(f"only {test.ledger.lines} acknowledgements")
            verdict(name, wrong)
        verdict("fsck_holds", test.fsck_found)
        for name in sorted(test.points.names):
            print(f"crash: point {name} armed {test.points.armed[name]} fired {test.points.fired[name]}")
        silent = test.points.silent()
        if test.world.cycle >= FULL_CYCLES:
            verdict("every_crash_point_was_passed", silent)
        elif silent:
            print(f"crash: not fired in this run: {' '.join(silent)}")
        history = os.path.join(ROOT, "bench", "history")
        os.makedirs(history, exist_ok=True)
        with open(os.devnull, "a") if "GODWIT_PLANTED" in os.environ else open(os.path.join(history, "crash.jsonl"), "a") as f:
            f.write(json.dumps(dict(at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), seed=options.seed, seconds=round(time.monotonic() - test.began), slowest_start_s=round(max(test.server.start_times or [0]), 3), **test.figures())) + "\n")
    finally:
        if test.aside is not None:
            test.aside.cancel()
        if not test.server.is_dead():
            test.server.kill()
        if options.keep or failed:
            print(f"crash: seed {options.seed}, kept {test.folder}")
        else:
            shutil.rmtree(test.folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
