"""`godwit dev` itself: without root, in odd folders, twice, with nonsense; and sending by DNS (--resolver)."""
import contextlib
import imaplib
import os
import re
import shutil
import signal
import smtplib
import socket
import struct
import subprocess
import sys
import threading
import time

from harness import DOMAIN, READY_SECONDS, STANDARD, Failure, Skip, case, expect, expect_equal, free_base, message, run, token

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
MX_ADDRESS = "11.22.33.44"  # A global address, which the network namespace of the case has for itself.


class Dev:
    """One `godwit dev`, ended with the block."""

    def __init__(self, program, folder, *options, wrapper=(), base=None, **more):
        self.base, self.folder, self.output = base or free_base(), folder, []
        self.process = subprocess.Popen([*wrapper, program, "dev", "--dir", folder, "--base-port", str(self.base), "--domain", DOMAIN, *options], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, **more)
        self.ready = threading.Event()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.output.append(line.decode("utf-8", "replace"))
            if line == b"godwit ready\n":
                self.ready.set()

    def text(self):
        return "".join(self.output)

    def wait_ready(self):
        end = time.monotonic() + READY_SECONDS
        while not self.ready.wait(0.02):
            if self.process.poll() is not None or time.monotonic() > end:
                raise Failure(f"godwit dev is not ready (exit {self.process.poll()}):\n{self.text()[-2000:]}")
        return self

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)

    def __enter__(self):
        return self.wait_ready()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(5)

    def port(self, name):
        return self.base + STANDARD[name]

    def send(self, sender, recipients, word):
        """Hands in as alice."""
        with smtplib.SMTP("127.0.0.1", self.port("submission"), timeout=20) as client:
            client.login("alice", "alice")
            client.sendmail(sender, recipients, message(word, sender=sender, to=recipients[0]))

    def subjects(self, name):
        client = imaplib.IMAP4("127.0.0.1", self.port("imap"), timeout=20)
        with contextlib.closing(client.socket()):
            client.login(name, name)
            client.select("INBOX", readonly=True)
            return b"".join(part[1] for part in client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1] if isinstance(part, tuple))


def public_program(world):
    """The program where every user can reach it."""
    os.chmod(world.folder, 0o711)
    path = os.path.join(world.folder, "godwit")
    if not os.path.exists(path):
        shutil.copy(world.program, path)
        os.chmod(path, 0o755)
    return path


@case(seconds=90)
def without_root(world):
    if os.geteuid() != 0:
        raise Skip("the whole suite runs without root already")
    program, home = public_program(world), os.path.join(world.folder, "nobody")
    os.mkdir(home)
    os.chown(home, 65534, 65534)
    word, base = token(), free_base()
    with Dev(program, "mail", wrapper=NOBODY, cwd=home, base=base) as dev:
        dev.send(f"alice@{DOMAIN}", [f"bob@{DOMAIN}"], word)
        expect(word.encode() in dev.subjects("bob"), "the message")
        status = open(f"/proc/{dev.process.pid}/status").read()
        expect(re.search(r"^Uid:\s+65534\s", status, re.M) and re.search(r"^CapEff:\s+0+$", status, re.M), "no privilege", status)
        expect(os.path.join(home, "mail", "tls", "ca.pem") in dev.text(), "paths are whole", dev.text())
        # What it wrote is its user's, and nobody else may look into it.
        for folder, _, names in os.walk(os.path.join(home, "mail")):
            for path in [os.path.join(folder, n) for n in names]:
                facts = os.lstat(path)
                expect_equal(facts.st_uid, 65534, f"owner of {path}")
                expect(facts.st_mode & 0o022 == 0 or path.endswith(".sock"), f"mode of {path}", oct(facts.st_mode))
        expect_equal(os.stat(os.path.join(home, "mail", "tls", "key.pem")).st_mode & 0o077, 0, "mode of the key")
        expect_equal(dev.stop(), 0, "exit code after Ctrl-C")
    with Dev(program, "mail", wrapper=NOBODY, cwd=home, base=base) as dev:
        expect(word.encode() in dev.subjects("bob"), "yesterday's mail")
        expect_equal(dev.stop(), 0, "exit code")


def refused(program, *options, wrapper=(), cwd=None, codes=(1,), **more):
    code, out = run([*wrapper, program, "dev", *options], check=False, cwd=cwd, seconds=30, **more)
    expect(code in codes, f"{options} ended with {code}", out)
    expect("godwit ready" not in out, "it does not claim to be ready", out)
    return out


@case(seconds=90)
def what_is_in_the_way_is_named(world):
    program = public_program(world)
    if os.geteuid() == 0:
        out = refused(program, "--dir", os.path.join(world.folder, "roots"), "--base-port", str(free_base()), wrapper=NOBODY)
        expect(os.path.join(world.folder, "roots") in out and "ermission denied" in out, "a folder that may not be made", out)
        closed = os.path.join(world.folder, "closed")
        os.mkdir(closed, 0o755)
        out = refused(program, "--dir", closed, "--base-port", str(free_base()), wrapper=NOBODY)
        expect(closed in out and "ermission denied" in out, "a folder that may not be written", out)
    plain = os.path.join(world.folder, "a-file")
    open(plain, "w").close()
    expect(plain in refused(program, "--dir", plain, "--base-port", str(free_base())), "a file in the folder's place")
    base = free_base()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", base + STANDARD["imaps"]))
        taken.listen()
        out = refused(program, "--dir", os.path.join(world.folder, "busy"), "--base-port", str(base))
        expect(f"127.0.0.1:{base + STANDARD['imaps']}" in out and "in use" in out.lower(), "the port in use", out)
    # And it starts when the port is free again.
    with Dev(program, os.path.join(world.folder, "busy"), base=base) as dev:
        expect_equal(dev.stop(), 0, "exit code")


@case(seconds=90)
def a_second_one_on_the_same_folder(world):
    program, folder, word = public_program(world), os.path.join(world.folder, "shared"), token()
    with Dev(program, folder) as first:
        first.send(f"alice@{DOMAIN}", [f"bob@{DOMAIN}"], word)
        out = refused(program, "--dir", folder, "--base-port", str(free_base()), codes=(1, 75))
        expect(folder in out and str(first.process.pid) in out, "the folder and who holds it", out)
        # The first one still has its sockets, its certificate and its mail.
        run([program, "status", "--dir", folder])
        expect(os.path.exists(os.path.join(folder, "submit.sock")), "the sockets")
        first.send(f"alice@{DOMAIN}", [f"bob@{DOMAIN}"], word + "2")
        expect(word.encode() + b"2" in first.subjects("bob"), "mail after the second try")
        expect_equal(first.stop(), 0, "exit code")


@case
def nonsense_is_refused_with_reasons(world):
    program, folder = world.program, os.path.join(world.folder, "nonsense")
    for options, words in ((["--base-port", "65000"], "--base-port"), (["--base-port", "many"], "many"), (["--base-port=-1"], "-1"), (["--account", "carol"], "NAME:PASSWORD"),
                           (["--account", "a b:c"], "a b"), (["--route", "a.test"], "a.test"), (["--route", "a.test=host:0"], "host:0"), (["--resolver", "nowhere"], "nowhere"),
                           (["--resolver", "localhost:53"], "localhost"), (["--domain", "a..b"], "a..b"), (["--dir", ""], "--dir")):
        out = refused(program, "--dir", folder, *options, codes=(2,)) if options[0] != "--dir" else refused(program, *options, codes=(2,))
        expect(words in out and out.count("\n") <= 3, f"{options} is answered with what was wrong", out)
        expect(not os.path.exists(folder), f"{options} leaves nothing behind")
    for options, near in ((["--basport", "1"], "--base-port"), (["--dir", folder, "--dir", folder], "twice"), (["extra"], "extra"), (["--dir"], "DIR")):
        expect(near in refused(program, *options, codes=(2,)), f"{options}")
    expect("--resolver" in run([program, "dev", "--help"])[1], "--help")


# --- sending by DNS: a name server and a mail exchanger of the case's own, in a network namespace of their own

def question_of(packet):
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("ascii", "replace").lower())
        at += 1 + packet[at]
    return ".".join(labels), struct.unpack(">H", packet[at + 1:at + 3])[0], packet[12:at + 5]


def wire_name(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part) + b"\0"


class NameServer:
    """Answers from a table {(name, type): [rdata]}; NXDOMAIN for other names. UDP, 127.0.0.1."""

    def __init__(self, table):
        self.table, self.asked = table, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                packet, peer = self.socket.recvfrom(4096)
                name, kind, question = question_of(packet)
            except (OSError, IndexError, struct.error):
                return
            self.asked.append((name, kind))
            answers = self.table.get((name, kind), [])
            known = any(n == name or n.endswith("." + name) for n, _ in self.table)
            head = packet[:2] + struct.pack(">HHHHH", 0x8180 | (0 if known else 3), 1, len(answers), 0, 0)
            body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(r)) + r for r in answers)
            self.socket.sendto(head + question + body, peer)


class Exchanger:
    """A mail exchanger on port 25 that keeps what it takes."""

    def __init__(self, address):
        self.taken = []
        self.listener = socket.create_server((address, 25))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        stream = connection.makefile("rwb", buffering=0)
        stream.write(b"220 mx.far.test\r\n")
        recipients = []
        for line in stream:
            verb = line[:4].upper()
            if verb == b"EHLO":
                stream.write(b"250-mx.far.test\r\n250 SIZE 1000000\r\n")
            elif verb == b"RCPT":
                recipients.append(line.split(b"<")[1].split(b">")[0].decode())
                stream.write(b"250 ok\r\n")
            elif verb == b"DATA":
                stream.write(b"354 go on\r\n")
                body = b""
                while not body.endswith(b"\r\n.\r\n"):
                    body += stream.readline()
                self.taken.append((recipients, body))
                recipients = []
                stream.write(b"250 taken\r\n")
            elif verb == b"QUIT":
                stream.write(b"221 bye\r\n")
                return connection.close()
            else:
                stream.write(b"250 ok\r\n")


def wait_for(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < end, f"{what}: not after {seconds} s")
        time.sleep(0.1)


def inside_namespace(program, folder):
    """Runs in a network namespace of its own, where port 25 of every address is free and nothing gets out."""
    run(["ip", "link", "set", "lo", "up"])
    run(["ip", "address", "add", f"{MX_ADDRESS}/32", "dev", "lo"])
    a, mx = 1, 15
    names = NameServer({("far.test", mx): [struct.pack(">H", 10) + wire_name("mx.far.test")], ("mx.far.test", a): [socket.inet_aton(MX_ADDRESS)],
                        ("implicit.test", a): [socket.inet_aton(MX_ADDRESS)],
                        ("loop.test", mx): [struct.pack(">H", 10) + wire_name("mx.loop.test")], ("mx.loop.test", a): [socket.inet_aton("127.0.0.1")],
                        ("null.test", mx): [struct.pack(">H", 0) + b"\0"]})
    far, near = Exchanger(MX_ADDRESS), Exchanger("127.0.0.1")
    with Dev(program, folder, "--resolver", f"127.0.0.1:{names.port}", base=21000) as dev:
        word = token()
        dev.send(f"alice@{DOMAIN}", [f"bob@{DOMAIN}", "zoe@far.test"], word)
        dev.send(f"alice@{DOMAIN}", ["zoe@implicit.test"], word)
        wait_for(lambda: len(far.taken) == 2, "two messages at the exchanger")
        expect_equal(sorted(r for recipients, _ in far.taken for r in recipients), ["zoe@far.test", "zoe@implicit.test"], "recipients at the exchanger")
        expect(all(word.encode() in body for _, body in far.taken), "what the exchanger took")
        expect(("far.test", mx) in names.asked and ("implicit.test", mx) in names.asked, "MX was asked for first", names.asked)
        expect(word.encode() in dev.subjects("bob"), "the local recipient")
        # A domain that says it takes no mail, and one that does not exist, come back at once.
        dev.send(f"alice@{DOMAIN}", ["zoe@null.test"], token())
        dev.send(f"alice@{DOMAIN}", ["zoe@nowhere.test"], token())
        wait_for(lambda: dev.subjects("alice").count(b"Subject:") >= 2, "two reports of failure")
        # An exchanger that DNS places on this very machine is not spoken to.
        dev.send(f"alice@{DOMAIN}", ["zoe@loop.test"], token())
        wait_for(lambda: ("mx.loop.test", a) in names.asked, "the look-up")
        time.sleep(1)
        expect_equal(near.taken, [], "nothing is sent to loopback")
        expect_equal(dev.stop(), 0, "exit code")


@case(seconds=120)
def resolver_sends_by_dns(world):
    """`--resolver`, with a name server and an exchanger on port 25 in a network namespace."""
    if os.geteuid() != 0 or not shutil.which("ip") or subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode != 0:
        raise Skip("needs root and network namespaces")
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    script = f"import sys; sys.path.insert(0, {here!r}); from cases import dev; dev.inside_namespace(*sys.argv[1:])"
    run(["unshare", "-n", "--kill-child", sys.executable, "-B", "-c", script, world.program, os.path.join(world.folder, "by-dns")], seconds=100)


@case(seconds=90)
def run_proves_itself(world):
    """What `./dev run` starts once it has built: one message in over SMTP, out over IMAP and POP3; Ctrl-C; and again."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    folder, base = os.path.join(world.folder, "run"), free_base()
    for start in (1, 2):
        process = subprocess.Popen([sys.executable, os.path.join(root, "scripts", "run_dev"), "--program", world.program, "--default-dir", folder, "--", "--base-port", str(base)],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            lines, begun = [], time.monotonic()
            for line in process.stdout:
                lines.append(line.decode("utf-8", "replace"))
                if lines[-1].startswith("Ctrl-C"):
                    break
            text = "".join(lines)
            expect("came out over IMAP (TLS) and POP3" in text, "the proof", text)
            expect(time.monotonic() - begun < 20, "a start takes seconds", time.monotonic() - begun)
            for word in (*(f"{name} {base + port}" for name, port in STANDARD.items()), "alice@example.test   password alice", "bob@example.test   password bob", os.path.join(folder, "tls", "ca.pem"), "swaks ",
                         "curl ", "mutt ", f"{start} message"):
                expect(word in text, f"{word} is printed", text)
            os.killpg(process.pid, signal.SIGINT)
            rest = process.stdout.read().decode("utf-8", "replace")
            expect_equal(process.wait(30), 0, f"exit code after Ctrl-C: {rest}")
            expect("Godwit stopped." in rest, "it says so", rest)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def memory_kib(process, what):
    return int(re.search(what + r":\s+(\d+) kB", open(f"/proc/{process.pid}/status").read()).group(1))


@case(seconds=120)
def large_messages_cost_no_memory(world):
    """A message of 49 MiB (the limit is 50) goes in and out through at most 1 MiB of memory more than the server has anyway."""
    if "__asan" in subprocess.run(["nm", "-D", world.program], capture_output=True, text=True).stdout:
        raise Skip("the sanitizer's memory is not the program's")
    line = b"0123456789" * 7 + b"\r\n"

    def send(size):
        word = token()
        with smtplib.SMTP("127.0.0.1", dev.base + STANDARD["smtp"], timeout=60) as client:
            client.sendmail(f"bob@{DOMAIN}", [f"alice@{DOMAIN}"], message(word) + line * (size // len(line)))
        return word

    def fetch(word):
        with imaplib.IMAP4("127.0.0.1", dev.base + STANDARD["imap"], timeout=60) as client:
            client.login("alice", "alice")
            client.select("INBOX")
            number = client.uid("SEARCH", None, "SUBJECT", word)[1][0].split()[-1]
            return len(client.uid("FETCH", number, "(BODY.PEEK[])")[1][0][1])

    with Dev(world.program, os.path.join(world.folder, "memory")) as dev:
        for size in (1000, 2 << 20, 10 << 20):  # What every server has: pools, caches, a first spool.
            fetch(send(size))
        for _ in range(2):
            with open(f"/proc/{dev.process.pid}/clear_refs", "w") as marks:
                marks.write("5")  # The highest mark begins anew.
            before = memory_kib(dev.process, "VmRSS")
            word = send(49 << 20)
            expect(memory_kib(dev.process, "VmHWM") - before <= 1024, "KiB more while 49 MiB came in", before, memory_kib(dev.process, "VmHWM"))
            expect(fetch(word) > 48 << 20, "it comes back whole")
            expect(memory_kib(dev.process, "VmHWM") - before <= 2048, "KiB more while 49 MiB went out too", before, memory_kib(dev.process, "VmHWM"))
