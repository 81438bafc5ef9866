"""What every interop case stands on: the server under test, its ports and accounts, and small clients to look into it."""
import contextlib
import email.utils
import hashlib
import imaplib
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DOMAIN = "example.test"
STANDARD = dict(smtp=25, lmtp=24, submission=587, submissions=465, imap=143, imaps=993, pop3=110, pop3s=995, http=80)
# Cases that count messages have an account to themselves; the rest share alice and bob.
ACCOUNTS = ["alice", "bob", "carol", "sync", "fetch", "mutt", "node", "basic", "bytes", "idler", "popper", "relay", "offline", "popper2", "cached", "stress"]
READY_SECONDS = 60
# Domains that Godwit routes to the private Postfix instances.
PLAIN_PEER, TLS_PEER, DISCARD, HELD = "postfix.test", "postfixtls.test", "discard.test", "held.test"
# Each peer comes twice, without STARTTLS and with it: domains NAME.test and NAMEtls.test. What goes to cut.NAME.test goes to the first by way of a port on which a case may listen.
PEERS = ("postfix", "exim", "opensmtpd", "haraka")


class Failure(AssertionError):
    pass


class Skip(Exception):
    pass


def expect(condition, text="", *more):
    if not condition:
        raise Failure(" ".join([str(text), *(repr(m)[:600] for m in more)]))


def expect_equal(got, wanted, text=""):
    expect(got == wanted, f"{text}: wanted {wanted!r:.400}, got {got!r:.400}")


CASES = []


def case(function=None, *, seconds=60):
    """Registers a case under `module_function`; it gets the World."""
    def register(f):
        f.seconds = seconds
        f.case_name = f"{f.__module__.split('.')[-1]}_{f.__name__}"
        CASES.append(f)
        return f
    return register(function) if function else register


def free_ports(count):
    """Ports for peers that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def free_base():
    """A base port all of whose nine ports are free now."""
    for _ in range(200):
        base = random.randrange(210, 310) * 100
        try:
            for port in STANDARD.values():
                with socket.socket() as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(("127.0.0.1", base + port))
            return base
        except OSError:
            continue
    raise RuntimeError("no free base port")


def token():
    return f"t{random.getrandbits(60):015x}"


def message(subject, body="Hello.\r\n", sender=f"alice@{DOMAIN}", to=f"bob@{DOMAIN}", headers=""):
    """A small honest message with CRLF line ends, as bytes. The subject should carry a token()."""
    return (f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: {email.utils.formatdate(0)}\r\nMessage-ID: <{token()}@client.test>\r\n{headers}\r\n{body}").encode()


def without_trace(raw):
    """A delivered message less what the server puts on top, so that it can be compared with what was sent."""
    lines = raw.split(b"\r\n")
    i = 0
    trace = (b"return-path:", b"received:", b"delivered-to:", b"x-original-to:", b"authentication-results:", b"received-spf:", b"arc-", b"x-spam")
    while i < len(lines) and lines[i].lower().startswith(trace):
        i += 1
        while i < len(lines) and lines[i][:1] in (b" ", b"\t"):
            i += 1
    return b"\r\n".join(lines[i:])


def sha(data):
    return hashlib.sha256(data).hexdigest()


def run(command, seconds=30, check=True, text=None, env=None, cwd=None, codes=(0,)):
    """Runs a program to its end; its whole process group is gone afterwards. Returns (code, output of both streams)."""
    process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE if text is not None else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True, env=dict(os.environ, **(env or {})), cwd=cwd)
    try:
        out, _ = process.communicate(text.encode() if isinstance(text, str) else text, timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, _ = process.communicate()
        raise Failure(f"{os.path.basename(str(command[0]))} took more than {seconds} s:\n{out.decode('utf-8', 'replace')[-1500:]}") from None
    out = out.decode("utf-8", "replace")
    if check and process.returncode not in codes:
        raise Failure(f"{os.path.basename(str(command[0]))} ended with {process.returncode}:\n{out[-2000:]}")
    return process.returncode, out


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip(f"{program} is not installed (./dev bootstrap test)")


class Raw:
    """A line conversation on a socket, for what no library lets one say."""

    def __init__(self, port, timeout=15, tls=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.buffer = b""

    def starttls(self, context):
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def line(self):
        while b"\r\n" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                raise Failure(f"connection closed, with {self.buffer!r:.200} unread")
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def reply(self):
        """One SMTP reply: (code, [texts])."""
        texts = []
        while True:
            line = self.line()
            texts.append(line[4:].decode("utf-8", "replace"))
            if line[3:4] != b"-":
                return int(line[:3]), texts

    def smtp(self, command, wanted=None):
        self.send(command + "\r\n" if isinstance(command, str) else command)
        code, texts = self.reply()
        if wanted is not None:
            expect(code == wanted or str(code).startswith(str(wanted)), f"{command!r:.100} got {code} {texts}")
        return code, texts

    def until(self, prefix):
        """Lines up to and with the one that starts with prefix."""
        lines = []
        while True:
            lines.append(self.line())
            if lines[-1].startswith(prefix):
                return lines

    def imap(self, tag, command, wanted=b"OK"):
        self.send(f"{tag} {command}\r\n")
        lines = self.until(tag.encode() + b" ")
        expect(lines[-1].split()[1] == wanted, f"{command!r:.120}", lines[-1])
        return lines

    def closed(self, seconds=10):
        """True when the peer ends the connection within the time."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(65536):
                pass
            return True
        except (ConnectionError, ssl.SSLError):
            return True
        except (TimeoutError, socket.timeout):
            return False

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class World:
    """The server under test and where to find it."""

    def __init__(self, program, folder, extra_routes=()):
        self.program, self.folder = program, folder
        self.data = os.path.join(folder, "data")
        self.base = free_base()
        self.ca = os.path.join(self.data, "tls", "ca.pem")
        domains = [domain for name in PEERS for domain in (f"{name}.test", f"{name}tls.test", f"cut.{name}.test")]
        self.peer_ports = dict(zip(domains, free_ports(len(domains))))
        self.routes = [*(f"{domain}=127.0.0.1:{port}" for domain, port in self.peer_ports.items()), f"{DISCARD}=discard", *extra_routes]
        self.process, self.log, self.peers = None, os.path.join(folder, "godwit.log"), {}

    def port(self, name):
        return self.base + STANDARD[name]

    def address(self, name):
        return f"{name}@{DOMAIN}"

    # --- the program under test
    def start(self):
        command = [self.program, "dev", "--dir", self.data, "--base-port", str(self.base), "--domain", DOMAIN]
        for name in ACCOUNTS:
            command += ["--account", f"{name}:{name}"]
        for route in self.routes:
            command += ["--route", route]
        ready = threading.Event()
        log = open(self.log, "ab")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True)

        def read(stream):
            for line in stream:
                log.write(line)
                log.flush()
                if b"ready" in line:
                    ready.set()
            log.close()
        threading.Thread(target=read, args=(self.process.stdout,), daemon=True).start()
        end = time.monotonic() + READY_SECONDS
        while not ready.wait(0.02):
            if self.process.poll() is not None:
                raise Failure(f"godwit dev ended with {self.process.returncode}:\n{self.log_tail()}")
            if time.monotonic() > end:
                raise Failure(f"godwit dev not ready in {READY_SECONDS} s:\n{self.log_tail()}")
        return self

    def log_tail(self, size=3000):
        with contextlib.suppress(OSError):
            return open(self.log, errors="replace").read()[-size:]
        return ""

    def stop(self):
        """Stops it as an administrator would; the exit code, or None when it had to be killed."""
        if not self.process:
            return 0
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None

    def close(self):
        for peer in self.peers.values():
            with contextlib.suppress(Exception):
                peer.stop()
        return self.stop()

    def alive(self):
        return self.process is None or self.process.poll() is None

    def godwit(self, *words, check=True, text=None, codes=(0,)):
        """The command line, pointed at this server's data folder."""
        return run([self.program, *words, "--dir", self.data], check=check, text=text, codes=codes)

    def queue(self):
        """The queue as a list of objects."""
        out = self.godwit("queue", "list", "--json")[1]
        found = json.loads(out)
        return found if isinstance(found, list) else found.get("entries", found.get("queue", []))

    # --- looking in
    def tls(self):
        context = ssl.create_default_context(cafile=self.ca)
        context.check_hostname = False
        return context

    @contextlib.contextmanager
    def imap(self, name="bob", select="INBOX", tls=False):
        client = (imaplib.IMAP4_SSL("127.0.0.1", self.port("imaps"), ssl_context=self.tls(), timeout=30) if tls else imaplib.IMAP4("127.0.0.1", self.port("imap"), timeout=30))
        try:
            client.login(name, name)
            if select:
                code, data = client.select(select)
                expect(code == "OK", "SELECT", data)
            yield client
        finally:
            with contextlib.suppress(Exception):
                client.logout()

    def find(self, name, word, box="INBOX"):
        """Every message of the mailbox whose header holds word, whole, as bytes. Needs no SEARCH."""
        with self.imap(name, box) as client:
            found = []
            code, data = client.uid("FETCH", "1:*", "(UID BODY.PEEK[HEADER])")
            expect(code == "OK", "FETCH", data)
            for item in data:
                if isinstance(item, tuple) and word.encode() in item[1]:
                    uid = re.search(rb"UID (\d+)", item[0]).group(1)
                    found.append(client.uid("FETCH", uid, "(BODY.PEEK[])")[1][0][1])
            return found

    def wait_mail(self, name, word, count=1, seconds=20, box="INBOX"):
        """Waits until count messages with word in their header are there; returns them."""
        end = time.monotonic() + seconds
        while True:
            found = self.find(name, word, box)
            if len(found) >= count:
                expect(len(found) == count, f"{len(found)} copies instead of {count} of {word}")
                return found
            if time.monotonic() > end:
                raise Failure(f"{len(found)} of {count} messages with {word} in {name}'s {box} after {seconds} s")
            time.sleep(0.2)

    # --- peers
    def peer(self, name, tls=False):
        """One of PEERS, started when first asked for."""
        if os.geteuid() != 0:
            raise Skip(f"{name} needs root")
        key = name + ("tls" if tls else "")
        if key not in self.peers:
            domain = key + ".test"
            words = (os.path.join(self.folder, key), self.peer_ports[domain], domain)
            if name == "postfix":
                need("postfix")
                from peers.postfix import Postfix
                peer = Postfix(*words, tls=tls, greylist=free_ports(1)[0], transports={f"bob@{DOMAIN}": f"lmtp:inet:127.0.0.1:{self.port('lmtp')}", DOMAIN: f"smtp:[127.0.0.1]:{self.port('smtp')}"})
            else:
                from importlib import import_module
                peer = getattr(import_module(f"peers.{name}"), name.capitalize())(*words, self.port("smtp"), tls=tls)
            self.peers[key] = peer
            peer.start()
        peer = self.peers[key]
        if not peer.is_running():
            peer.start()
        return peer

    def postfix(self, tls=False):
        return self.peer("postfix", tls)
