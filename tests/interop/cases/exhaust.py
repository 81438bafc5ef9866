"""When disk, memory, descriptors or threads fail or run out: the real program, whose system calls tests/interop/faults.c fails."""
import contextlib
import ctypes
import imaplib
import json
import mmap
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.request

from cases.serve import Production, add_people, from_outside
from harness import DOMAIN, Failure, Raw, Skip, World, case, expect, expect_equal, message, need, run, sha, token, without_trace

ENDED = 75          # kExitTemporary: a service manager starts the program again
END_SECONDS = 8     # kLastAnswers and kLastResort, and the time a sanitised program takes
# The whole sweep instead of a sample: GODWIT_EXHAUST=200 tries k = 1..200 of each kind of fault.
SWEEP = int(os.environ.get("GODWIT_EXHAUST", "0"))


class Faults:
    """The page that the shim reads, and the environment that puts the shim under a program."""
    FIELDS = ["sync_left", "write_left", "thread_left", "allocation_left", "failed_at", "syncs", "writes", "threads", "allocations"]

    def __init__(self, folder, data):
        need("cc")
        here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        library = os.path.join(folder, "faults.so")
        if not os.path.exists(library):
            run(["cc", "-shared", "-fPIC", "-O1", "-o", library, os.path.join(here, "faults.c"), "-ldl"])
        name = os.path.join(folder, f"faults-{token()}")
        with open(name, "wb") as f:
            f.write(bytes(4096))
        self.file = open(name, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 4096)
        self.environment = {"LD_PRELOAD": library, "GODWIT_FAULTS": name, "GODWIT_FAULTS_FOLDER": os.path.realpath(data)}

    def get(self, field):
        return struct.unpack_from("q", self.map, 8 * self.FIELDS.index(field))[0]

    def set(self, field, value):
        struct.pack_into("q", self.map, 8 * self.FIELDS.index(field), value)

    def clear(self):
        self.map[:4096] = bytes(4096)

    @property
    def path(self):
        return self.map[72:72 + 256].split(b"\0")[0].decode()


class Node(World):
    """A server of dev mode in a folder of its own; wrapper: words before the program."""

    def __init__(self, world, name):
        folder = os.path.join(world.folder, name)
        os.makedirs(folder, exist_ok=True)
        super().__init__(world.program, folder)
        self.routes = []

    def launch(self, environment=None, files=None):
        """Starts it with more environment, and a hard limit of open files; returns itself."""
        program, before = self.program, dict(os.environ)
        try:
            os.environ.update(environment or {})
            if files:
                self.program = os.path.join(self.folder, "limited")
                with open(self.program, "w") as f:
                    f.write(f'#!/bin/sh\nulimit -n {files}\nexec "{program}" "$@"\n')
                os.chmod(self.program, 0o755)
            return self.start()
        finally:
            self.program = program
            os.environ.clear()
            os.environ.update(before)

    def ended(self, seconds=END_SECONDS):
        """The exit code of a server that ends by itself."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure(f"still there after {seconds} s:\n{self.log_tail()}") from None
        self.process = None
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            if self.process:
                self.process.kill()
                self.process.wait()

    def ask(self, call):
        """An administrator's call, without the time that a program takes to start."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(os.path.join(self.data, "admin.sock"))
            client.sendall(json.dumps({"call": call, "arguments": {}}).encode() + b"\n")
            return json.loads(client.makefile("rb").readline())["result"]

    def health(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port('http')}/health", timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code


def greet(port, name="client.test"):
    client = Raw(port)
    client.reply()
    client.smtp(f"EHLO {name}", 250)
    return client


def give(client, sender, recipient, raw):
    """One message; (code, text, when the dot was sent)."""
    client.smtp(f"MAIL FROM:<{sender}>", 250)
    client.smtp(f"RCPT TO:<{recipient}>", 250)
    client.smtp("DATA", 354)
    client.send(raw.replace(b"\r\n.", b"\r\n.."))
    dot = time.monotonic()
    code, texts = client.smtp(".")
    return code, texts[-1], dot


def plain_login(name):
    import base64
    return "AUTH PLAIN " + base64.b64encode(f"\0{name}\0{name}".encode()).decode()


class Load:
    """Clients at work, and what they were told: a ledger of acknowledgements."""
    SIZES = [400, 5000, 30000, 1100000, 300000]

    def __init__(self, node):
        self.node, self.lock, self.stopped = node, threading.Lock(), threading.Event()
        self.mail, self.queued, self.appended, self.refused, self.told = {}, {}, {}, 0, []
        self.threads = [threading.Thread(target=self.guard, args=(f, i), daemon=True) for i, f in enumerate([self.deliver, self.deliver, self.submit, self.append])]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def join(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join(20)
            expect(not thread.is_alive(), "a client hangs")

    def guard(self, function, number):
        with contextlib.suppress(OSError, Failure, imaplib.IMAP4.error, ValueError):
            function(number)

    def note(self, table, key, value, dot):
        with self.lock:
            table[key] = value
            self.told.append((dot, key))

    def body(self, n):
        return "".join(f"line {i} of {n} {'x' * 60}\r\n" for i in range(self.SIZES[n % len(self.SIZES)] // 70))

    def settle(self, code, texts, table, key, raw, dot):
        if code == 250:
            self.note(table, key, raw if table is not self.queued else re.search(r"as (\S+)", texts).group(1), dot)
            return True
        with self.lock:
            self.refused += 1
        expect(400 <= code < 500, "a temporary refusal", code, texts)
        return False

    def deliver(self, number):
        client = greet(self.node.port("smtp"))
        for n in range(number, 100000, 2):
            if self.stopped.is_set():
                return
            key = token()
            raw = message(key, self.body(n), sender="s@elsewhere.test")
            code, text, dot = give(client, "s@elsewhere.test", f"bob@{DOMAIN}", raw)
            self.settle(code, text, self.mail, key, sha(raw), dot)

    def submit(self, _):
        client = greet(self.node.port("submission"))
        client.smtp(plain_login("alice"), 235)
        for n in range(100000):
            if self.stopped.is_set():
                return
            key = token()
            code, text, dot = give(client, f"alice@{DOMAIN}", "x@held.test", message(key, self.body(n % 3)))
            self.settle(code, text, self.queued, key, None, dot)

    def append(self, _):
        client = imaplib.IMAP4("127.0.0.1", self.node.port("imap"), timeout=15)
        client.login("carol", "carol")
        client.select("INBOX")
        for n in range(100000):
            if self.stopped.is_set():
                return
            key = token()
            raw = message(key, self.body(n % 3))
            dot = time.monotonic()
            code, data = client.append("INBOX", None, None, raw)
            expect(code in ("OK", "NO"), code, data)
            if code == "OK":
                self.note(self.appended, key, sha(raw), dot)
            if code == "OK" and n % 3 == 2:
                dot = time.monotonic()
                client.store("*", "+FLAGS", "(\\Flagged)")


def whole(node, name, first):
    """{token: (uid, sha of the message as it was sent)} of the INBOX from uid `first` on."""
    found = {}
    with node.imap(name) as client:
        code, data = client.uid("FETCH", f"{first}:*", "(UID BODY.PEEK[])")
        expect(code == "OK", "FETCH", data)
        for item in data:
            if isinstance(item, tuple):
                uid = int(re.search(rb"UID (\d+)", item[0]).group(1))
                key = re.search(rb"^Subject: (t\w+)\r$", item[1], re.M).group(1).decode()
                expect(uid < first or key not in found, f"{key} is there twice")
                found[key] = (uid, sha(without_trace(item[1])))
    return found


class Verifier:
    """Looks after each restart for all that was acknowledged since the last look."""

    def __init__(self, node):
        self.node, self.first = node, {"bob": 1, "carol": 1}
        self.count = 0

    def look(self, load):
        for name, told in (("bob", load.mail), ("carol", load.appended)):
            found = whole(self.node, name, self.first[name])
            for key, wanted in told.items():
                expect(key in found, f"{key} of {name} was acknowledged and is lost")
                expect_equal(found[key][1], wanted, f"content of {key}")
            self.first[name] = max([self.first[name], *(uid + 1 for uid, _ in found.values())])
            self.count += len(told)
        queue = {entry["id"] for entry in self.node.queue()}
        for key, number in load.queued.items():
            expect(number in queue, f"queued mail {number} was acknowledged and is lost")
        self.count += len(load.queued)


def listen_for_systemd(folder):
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    name = os.path.join(folder, "notify")
    server.bind(name)
    server.settimeout(5)
    return server, name


@case(seconds=90)
def failed_sync_is_answered_and_ends_the_server(world):
    with Node(world, "failed-sync") as node:
        faults = Faults(node.folder, node.data)
        manager, name = listen_for_systemd(node.folder)
        node.launch(faults.environment | {"NOTIFY_SOCKET": name})
        before = token()
        with greet(node.port("smtp")) as first:
            expect_equal(give(first, "a@elsewhere.test", f"bob@{DOMAIN}", message(before))[0], 250, "before")
        # One in the middle of its content, one with an open transaction, an IMAP client in a literal, one in IDLE.
        slow, middle, idler, appender = greet(node.port("smtp")), greet(node.port("smtp")), Raw(node.port("imap")), Raw(node.port("imap"))
        for client in (slow, middle):
            client.smtp("MAIL FROM:<a@elsewhere.test>", 250)
        slow.smtp(f"RCPT TO:<bob@{DOMAIN}>", 250)
        slow.smtp("DATA", 354)
        slow.send(message("half"))
        for client in (idler, appender):
            client.line()
            client.imap("a", "LOGIN bob bob")
            client.imap("b", "SELECT INBOX")
        idler.send("c IDLE\r\n")
        idler.until(b"+ ")
        appender.send("c APPEND INBOX {100}\r\n")
        appender.until(b"+ ")
        with greet(node.port("smtp")) as last:
            faults.set("sync_left", 1)
            code, text, _ = give(last, "a@elsewhere.test", f"bob@{DOMAIN}", message("failing"))
            failed = time.monotonic()
            expect_equal(code, 451, f"the message whose sync failed ({text})")
            expect_equal(last.reply()[0], 421, "and then")
        expect(b"BYE" in idler.line(), "IDLE ends with BYE")
        expect_equal(middle.reply()[0], 421, "an open transaction")
        expect_equal(node.health(), 503, "health")
        status = node.ask("status")
        expect(status["takes_mail"] is False and "Input/output error" in status["fault"], "status names the fault", status)
        with Raw(node.port("smtp")) as late:
            expect_equal(late.reply()[0], 421, "greeting")
        appender.send(b"x" * 100 + b"\r\n")
        expect(appender.until(b"c ")[-1].startswith(b"c NO"), "APPEND fails")
        slow.send(".\r\n")
        expect_equal(slow.reply()[0], 451, "content that was under way")
        expect_equal(node.ended(), ENDED, "exit code")
        expect(time.monotonic() - failed < END_SECONDS, "in time")
        said = b""
        with contextlib.suppress(TimeoutError, socket.timeout):
            while b"STATUS=The disk has failed" not in said:
                said = manager.recv(4096)
        expect(b"STATUS=The disk has failed" in said, "the service manager is told", said)
        expect('"store.fatal"' in node.log_tail(100000), "the log says it")
        expect_equal(faults.get("sync_left"), 0, "one sync failed")
        node.launch()
        expect_equal(len(node.find("bob", before)), 1, "what was acknowledged")
        expect_equal(node.health(), 200, "health after the restart")
        expect_equal(node.stop(), 0, "stops")


@case(seconds=60)
def a_client_that_reads_nothing_does_not_keep_a_failed_server_alive(world):
    with Node(world, "deaf") as node:
        faults = Faults(node.folder, node.data)
        node.launch(faults.environment)
        with greet(node.port("smtp")) as slow, greet(node.port("smtp")) as last:
            slow.smtp("MAIL FROM:<a@elsewhere.test>", 250)
            slow.smtp(f"RCPT TO:<bob@{DOMAIN}>", 250)
            slow.smtp("DATA", 354)
            faults.set("sync_left", 1)
            expect_equal(give(last, "a@elsewhere.test", f"bob@{DOMAIN}", message("x"))[0], 451, "the failing one")
            expect_equal(node.ended(), ENDED, "exit code")


def kth_disk_error(world, kind, wanted):
    """k-th fdatasync/fsync or write in the data folder fails, once; whatever it hits. Where none of those `wanted` ended the server, others follow."""
    with Node(world, f"kth-{kind}") as node:
        faults = Faults(node.folder, node.data)
        verifier = Verifier(node)
        outcomes = []
        for k in [*wanted, *range(2, 20)]:
            if len(outcomes) >= len(wanted) and "ended" in outcomes:
                break
            faults.clear()
            node.launch(faults.environment)
            load = Load(node).start()
            time.sleep(0.3)
            faults.set(f"{kind}_left", k)
            end = time.monotonic() + 15
            while faults.get("failed_at") == 0 and time.monotonic() < end:
                time.sleep(0.01)
            expect(faults.get("failed_at") > 0, f"k={k}: the clients made it fail")
            failed_at, path = faults.get("failed_at") / 1e9, faults.path
            # A body on its way in that cannot be written costs that body; everything else ends the server.
            may_live = kind == "write" and "/blobs/own-" in path
            if may_live:
                time.sleep(0.5)
            if may_live and node.alive():
                load.join()
                outcomes.append("refused")
                expect_equal(node.stop(), 0, f"k={k} {path}: stops")
            else:
                expect_equal(node.ended(), ENDED, f"k={k} {path}: exit code")
                load.join()
                outcomes.append("ended")
                late = [key for dot, key in load.told if dot > failed_at + 0.2]
                expect(not late, f"k={k} {path}: {len(late)} acknowledged after the failure")
            node.launch()
            verifier.look(load)
            with greet(node.port("smtp")) as client:
                expect_equal(give(client, "a@elsewhere.test", f"alice@{DOMAIN}", message("after"))[0], 250, f"k={k} {path}: works again")
            expect_equal(node.stop(), 0, "stops")
        expect("ended" in outcomes, "some end the server", outcomes)
        node.godwit("fsck")
        print(f"exhaust: {kind} errors: {len(outcomes)} tried, {outcomes.count('ended')} ended the server, {outcomes.count('refused')} cost one message, "
              f"{verifier.count} acknowledgements kept, 0 lost")


@case(seconds=max(90, SWEEP * 6))
def kth_failed_sync(world):
    kth_disk_error(world, "sync", range(1, SWEEP + 1) if SWEEP else [2, 7, 16])


@case(seconds=max(240, SWEEP * 6))
def kth_failed_write(world):
    kth_disk_error(world, "write", range(1, SWEEP + 1) if SWEEP else [1, 12, 37])


@case(seconds=30)
def a_command_whose_disk_fails_says_so(world):
    with Node(world, "tool") as node:
        store, tried = node.data + ".each", 0
        faults = Faults(node.folder, store)
        node.launch()
        expect_equal(node.stop(), 0, "stops")
        # Each on a copy of its own: a start that failed leaves a log, and the next has that to sync as well.
        for k in range(1, 40):
            shutil.rmtree(store, ignore_errors=True)
            shutil.copytree(node.data, store)
            faults.clear()
            faults.set("sync_left", k)
            code, out = run([node.program, "account", "add", f"late@{DOMAIN}", "--password", "x", "--dir", store], codes=(0, 1, ENDED), env=faults.environment)
            if faults.get("failed_at") == 0:
                break
            tried += 1
            # Where only the tidying up after the last commit fails, the account is there.
            expect(code == 0 or (code in (1, ENDED) and "Input/output error" in out), f"k={k}: it says why", code, out)
            run([node.program, "fsck", "--dir", store])
        expect(0 < tried < 39, "its syncs failed one after the other", tried)


# --- disk full

def own_mounts():
    """From here on this process and its children have mounts of their own, which end with them."""
    if os.geteuid() != 0:
        raise Skip("mounting needs root")
    libc = ctypes.CDLL(None, use_errno=True)
    new_namespace, private_recursive = 0x00020000, (1 << 18) | (1 << 14)
    if libc.unshare(new_namespace) != 0 or libc.mount(b"none", b"/", None, private_recursive, None) != 0:
        raise Skip(f"no mounts of our own: {os.strerror(ctypes.get_errno())}")


@contextlib.contextmanager
def small_disk(folder, size):
    """A file system of `size` MiB at `folder`: ext4 in a file, or memory where there are no loop devices."""
    own_mounts()
    os.makedirs(folder, exist_ok=True)
    image = folder + ".img"
    with open(image, "wb") as f:
        f.truncate(size * 2**20)
    made = run(["mkfs.ext4", "-q", "-F", image], check=False)[0] == 0 if shutil.which("mkfs.ext4") else False
    if not made or run(["mount", "-o", "loop", image, folder], check=False)[0] != 0:
        code, out = run(["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", folder], check=False)
        if code != 0:
            raise Skip(f"no small file system: {out}")
    try:
        yield folder
    finally:
        run(["umount", "-l", folder], check=False)


def free_mib(folder):
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize / 2**20


class Sink:
    """A next hop that takes everything once it is allowed to."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port, self.open, self.got = self.server.getsockname()[1], False, []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=(self.server.accept()[0],), daemon=True).start()

    def serve(self, peer):
        with contextlib.suppress(OSError), peer:
            if not self.open:
                peer.sendall(b"421 4.3.2 not now\r\n")
                return
            lines = peer.makefile("rb")
            peer.sendall(b"220 sink\r\n")
            for line in lines:
                verb = line[:4].upper()
                if verb == b"DATA":
                    peer.sendall(b"354 go\r\n")
                    body = []
                    for part in lines:
                        if part == b".\r\n":
                            break
                        body.append(part)
                    subject = re.search(rb"^Subject: (\S+)\r$", b"".join(body), re.M)
                    self.got.append(subject.group(1).decode() if subject else "report")
                peer.sendall(b"250 sink\r\n" if verb != b"QUIT" else b"221 bye\r\n")


@case(seconds=150)
def small_disk_fills_up_and_comes_back(world):
    disk = os.path.join(world.folder, "small")
    with small_disk(disk, 192):
        sink = Sink()
        inner = type("Inside", (), {"program": world.program, "folder": disk})
        with Production(inner, "server") as server:
            server.log = os.path.join(world.folder, "small-disk.log")
            server.write(server.read() + '\n[storage]\ndisk_low = "48 MiB"\ndisk_critical = "12 MiB"\n'
                         f'\n[[route]]\ndomain = "sink.test"\nhost = "127.0.0.1"\nport = {sink.port}\ntls = "never"\n')
            server.start()
            anna = add_people(server)
            server.godwit("alias", "add", "away@example.org", "someone@sink.test")
            kept, queued = [], []
            body = "".join(f"{i:08} {'y' * 70}\r\n" for i in range(11000))  # 900 KiB

            def put(recipient, text=body):
                """(code, token)"""
                key = token()
                with greet(server.ports["smtp"]) as client:
                    code, _ = client.smtp("MAIL FROM:<s@elsewhere.test>")
                    if code != 250:
                        return code, key
                    client.smtp(f"RCPT TO:<{recipient}>", 250)
                    client.smtp("DATA", 354)
                    client.send(message(key, text, sender="s@elsewhere.test", to=recipient))
                    return client.smtp(".")[0], key
            for _ in range(8):
                code, key = put("away@example.org", "Hello.\r\n")
                expect_equal(code, 250, "queued")
                queued.append(key)
            code = 250
            lowest = free_mib(disk)
            while code == 250 and len(kept) < 400:
                code, key = put("anna@example.org")
                if code == 250:
                    kept.append(key)
                lowest = min(lowest, free_mib(disk))
            expect_equal(code, 452, "the disk is nearly full")
            expect(lowest > 12, f"the reserve was left alone: {lowest:.0f} MiB")
            expect(20 < len(kept) < 400, "it filled up", len(kept))
            # The rest of the disk goes to somebody else: below the critical mark.
            with open(os.path.join(disk, "ballast"), "wb") as ballast:
                while free_mib(disk) > 8:
                    ballast.write(bytes(2**20))
                    ballast.flush()
            time.sleep(1.2)
            expect_equal(put("anna@example.org")[0], 452, "at the critical mark")
            code, out = server.godwit("queue", "delete", json.loads(server.godwit("queue", "list", "--json")[1])[-1]["id"])
            expect_equal(len(json.loads(server.godwit("queue", "list", "--json")[1])), len(queued) - 1, "queue delete makes room")
            sink.open = True
            server.godwit("queue", "retry", "--all", codes=(0, 1, 2))
            end = time.monotonic() + 20
            while len(sink.got) < len(queued) - 1 and time.monotonic() < end:
                time.sleep(0.1)
            expect_equal(len(set(sink.got)), len(queued) - 1, "the queue drains outward")
            import poplib
            pop = poplib.POP3_SSL("127.0.0.1", server.ports["pop3s"], context=relaxed(server), timeout=20)
            pop.user("anna@example.org")
            pop.pass_(anna)
            expect(kept[0] in b"".join(pop.retr(1)[1][:20]).decode(), "POP3 reads")
            pop.dele(1)
            pop.quit()
            del kept[0]
            imap = server.imaps("anna@example.org", anna)
            expect_equal(int(imap.select("INBOX")[1][0]), len(kept), "POP3 removed one, and nothing is lost")
            expect(kept[3] in imap.fetch("4", "(BODY.PEEK[HEADER])")[1][0][1].decode(), "IMAP reads")
            expect_equal(imap.append("INBOX", None, None, message("no room"))[0], "NO", "APPEND")
            expect_equal(imap.store("1:20", "+FLAGS", "(\\Deleted)")[0], "OK", "STORE +FLAGS \\Deleted")
            expect_equal(imap.expunge()[0], "OK", "EXPUNGE")
            del kept[:20]
            expect_equal(server.process.poll(), None, "the server lives")
            expect_equal(int(imap.select("INBOX")[1][0]), len(kept), "all others are there")
            # Room again, without a restart.
            os.unlink(os.path.join(disk, "ballast"))
            end = time.monotonic() + 15
            while put("anna@example.org", "Hello.\r\n")[0] != 250:
                expect(time.monotonic() < end, "mail is taken again by itself")
                time.sleep(0.5)
            expect_equal(server.stop(), 0, "stops")
            server.godwit("fsck")


def relaxed(server):
    context = server.tls()
    context.check_hostname = False
    return context


# --- descriptors

@case(seconds=90)
def few_descriptors(world):
    with Node(world, "descriptors") as node:
        node.launch(files=160)
        plan = json.loads(next(line for line in open(node.log) if '"start.few_descriptors"' in line))
        expect(8 <= plan["connections"] < 80, "connections for 160 descriptors", plan)
        load = Load(node).start()
        time.sleep(0.5)
        crowd, refused = [], 0
        for _ in range(250):
            with contextlib.suppress(OSError):
                client = socket.create_connection(("127.0.0.1", node.port("smtp")), 5)
                client.settimeout(0.05)
                crowd.append(client)
        time.sleep(2)
        cpu = process_seconds(node)
        time.sleep(2)
        spent = process_seconds(node) - cpu
        for client in crowd:
            with contextlib.suppress(OSError):
                greeting = client.recv(100)
                refused += greeting[:3] == b"421" or greeting == b""
        expect(refused > 0, "some are refused")
        expect(len(os.listdir(f"/proc/{node.process.pid}/fd")) < 160, "descriptors are left for the store")
        expect(node.alive(), "it lives")
        mail_before = len(load.mail)
        for client in crowd:
            client.close()
        end = time.monotonic() + 20
        while True:
            with contextlib.suppress(Failure, OSError), greet(node.port("smtp")) as client:
                if give(client, "a@elsewhere.test", f"alice@{DOMAIN}", message("after the crowd"))[0] == 250:
                    break
            expect(time.monotonic() < end, "it takes mail again")
            time.sleep(0.3)
        load.join()
        expect(len(load.mail) >= mail_before > 0, "who was in was served on", len(load.mail))
        expect_equal(load.refused, 0, "nobody who was in was refused")
        log = open(node.log).read()
        expect('"store.fatal"' not in log and '"store.commit_failed"' not in log, "nothing fatal", log[-2000:])
        Verifier(node).look(load)
        expect_equal(node.stop(), 0, "stops")
        print(f"exhaust: 160 descriptors: {plan['connections']} connections, {refused} of 250 more refused, {spent:.2f} s of processor in 2 s under siege")


def process_seconds(node):
    words = open(f"/proc/{node.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@case(seconds=30)
def too_few_descriptors_are_refused_at_the_start(world):
    with Node(world, "too-few") as node:
        try:
            node.launch(files=64)
            raise Failure("it started with 64 descriptors")
        except Failure as failure:
            expect("RLIMIT_NOFILE" in str(failure) and "needs" in str(failure), "it says what is wrong", failure)
        expect(node.process.poll() not in (None, 0), "and ends")
        node.process = None


# --- threads

@case(seconds=90)
def no_thread_at_the_start_is_a_clear_end(world):
    with Node(world, "threads") as node:
        faults = Faults(node.folder, node.data)
        node.launch(faults.environment)
        total = faults.get("threads")
        with greet(node.port("smtp")) as client:
            give(client, "a@elsewhere.test", f"bob@{DOMAIN}", message("threads"))
        expect_equal(faults.get("threads"), total, "threads that are started while it serves")
        expect(total >= 6, "threads", total)
        expect_equal(node.stop(), 0, "stops")
        for k in sorted({1, 2, total // 2, total - 1, total}):
            faults.clear()
            faults.set("thread_left", k)
            try:
                node.launch(faults.environment)
                raise Failure(f"started without its thread {k} of {total}")
            except Failure as failure:
                expect("process.no_thread" in str(failure), f"k={k}: it says what is wrong", failure)
            expect_equal(node.process.poll(), ENDED, f"k={k}: exit code")
            node.process = None
        node.launch()
        expect_equal(node.stop(), 0, "stops")


# --- memory

@case(seconds=max(90, SWEEP * 30))
def kth_allocation(world):
    with Node(world, "allocations") as node:
        faults = Faults(node.folder, node.data)
        verifier = Verifier(node)
        node.launch(faults.environment)
        if faults.get("allocations") == 0:
            node.stop()
            raise Skip("this program has an allocator of its own (address sanitiser)")
        answered = ended = by_library = 0
        k = 0
        ks = range(1, SWEEP * 10 + 1) if SWEEP else [1, 3, 10, 25, 60, 120, 200, 400]
        load = Load(node)
        for k in ks:
            if not node.alive():
                node.process = None
                node.launch(faults.environment)
            client = None
            with contextlib.suppress(OSError, Failure):
                client = greet(node.port("smtp"))
            faults.set("failed_at", 0)
            key = token()
            raw = message(key, load.body(k), sender="s@elsewhere.test")
            faults.set("allocation_left", k)
            with contextlib.suppress(OSError, Failure):
                code, text, dot = give(client, "s@elsewhere.test", f"bob@{DOMAIN}", raw)
                load.settle(code, text, load.mail, key, sha(raw), dot)
            if faults.get("failed_at") == 0:
                faults.set("allocation_left", 0)
                answered += 1
                continue
            with contextlib.suppress(subprocess.TimeoutExpired):
                node.process.wait(1)
            if node.alive():
                answered += 1
            else:
                ended += 1
                # The C library ends a program itself where it finds no room for what it keeps of a thread; RocksDB asserts that there is some.
                last = node.log_tail(2000).splitlines()[-1]
                own = node.process.returncode == -signal.SIGABRT and ("Fatal glibc error" in last or "rocksdb::" in last and "Assertion" in last)
                by_library += own
                expect(own or node.process.returncode == ENDED, f"k={k}: exit code", node.process.returncode, last)
        faults.set("allocation_left", 0)
        if not node.alive():
            node.process = None
            node.launch()
        verifier.look(load)
        expect_equal(node.stop(), 0, "stops")
        node.godwit("fsck")
        print(f"exhaust: allocations: {ended + answered} tried, {ended} ended the server ({by_library} by a library itself), {verifier.count} acknowledgements kept, 0 lost")


@case(seconds=60)
def killed_by_the_kernel_for_its_memory_it_starts_again(world):
    with Node(world, "oom") as node:
        node.launch()
        load = Load(node).start()
        time.sleep(1)
        # What the kernel's killer does; where it strikes is proven by tests/crash.
        os.kill(node.process.pid, signal.SIGKILL)
        node.process.wait()
        load.join()
        node.launch()
        Verifier(node).look(load)
        expect(load.mail, "mail was acknowledged")
        expect_equal(node.stop(), 0, "stops")
