"""Production mode: from `godwit init` over `godwit serve` to mail, reload, socket activation, stop."""
import contextlib
import imaplib
import json
import os
import poplib
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import time

from harness import READY_SECONDS, Failure, Raw, case, expect, expect_equal, free_ports, message, need, run, token

SERVICES = dict(smtp=25, submission=587, submissions=465, imap=143, imaps=993, pop3=110, pop3s=995)


class Production:
    """A server made by `godwit init` in a folder of its own, on free ports of loopback."""

    def __init__(self, world, name):
        self.program, self.folder = world.program, os.path.join(world.folder, name)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.config, self.certificate = os.path.join(self.folder, "godwit.toml"), os.path.join(self.folder, "tls", "cert.pem")
        self.log, self.process = os.path.join(world.folder, f"{name}.log"), None
        self.printed = run([self.program, "init", "--hostname", "mx.example.org", "--domain", "example.org", "--dir", self.folder])[1]
        self.ports = dict(zip(SERVICES, free_ports(len(SERVICES))))
        text = open(self.config).read()
        for service, standard in SERVICES.items():
            expect(f'address = "[::]:{standard}"' in text, f"init listens on {standard}", text)
            # One is left open to both families, as init made it.
            host = "[::]" if service == "smtp" else "127.0.0.1"
            text = text.replace(f'"[::]:{standard}"', f'"{host}:{self.ports[service]}"')
        self.write(text)

    def read(self):
        return open(self.config).read()

    def write(self, text):
        with open(self.config, "w") as f:
            f.write(text)

    def start(self, wrapper=(), env=None, wait=True, **more):
        self.mark = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*wrapper, self.program, "serve", "--config", self.config], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=dict(os.environ, **(env or {})), start_new_session=True, **more)
        if wait:
            self.wait_log('"start.done"')
        return self

    def logged(self):
        with open(self.log, errors="replace") as f:
            f.seek(self.mark)
            return f.read()

    def wait_log(self, word, seconds=READY_SECONDS):
        end = time.monotonic() + seconds
        while word not in self.logged():
            if self.process.poll() is not None:
                raise Failure(f"godwit serve ended with {self.process.returncode}:\n{self.logged()[-3000:]}")
            if time.monotonic() > end:
                raise Failure(f"no {word} in the log after {seconds} s:\n{self.logged()[-3000:]}")
            time.sleep(0.02)
        return next(line for line in self.logged().splitlines() if word in line)

    def forget_log(self):
        self.mark = os.path.getsize(self.log)

    def stop(self):
        """The exit code after SIGTERM."""
        if self.process is None or self.process.poll() is not None:
            return self.process and self.process.returncode
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            if self.process and self.process.poll() is None:
                self.process.kill()
                self.process.wait()

    def godwit(self, *words, codes=(0,)):
        return run([self.program, *words, "--dir", self.folder], codes=codes)

    def tls(self):
        """Trusts this server's certificate alone, and looks at its name."""
        return ssl.create_default_context(cafile=self.certificate)

    def imaps(self, name, password):
        context = self.tls()
        context.check_hostname = False
        client = imaplib.IMAP4_SSL("127.0.0.1", self.ports["imaps"], ssl_context=context, timeout=30)
        client.login(name, password)
        return client

    def find(self, name, password, word):
        client = self.imaps(name, password)
        with contextlib.closing(client.socket()):
            client.select("INBOX", readonly=True)
            numbers = client.search(None, "SUBJECT", word)[1][0].split()
            return [client.fetch(n, "(BODY.PEEK[])")[1][0][1] for n in numbers]


def add_people(server):
    """anna with a generated password, ben with a given one, both@ for the two."""
    out = server.godwit("account", "add", "anna@example.org", "--generate", "--json")[1]
    server.godwit("account", "add", "ben@example.org", "--password", "bens secret")
    server.godwit("alias", "add", "both@example.org", "anna@example.org", "ben@example.org")
    return json.loads(out)["password"]


def from_outside(server, recipients, word, host="127.0.0.1"):
    """One message over port 25 with STARTTLS, the certificate's name looked at."""
    client = smtplib.SMTP(timeout=20)
    client.connect(host, server.ports["smtp"])
    client._host = "mx.example.org"
    with client:
        client.starttls(context=server.tls())
        client.sendmail("someone@elsewhere.test", recipients, message(word, sender="someone@elsewhere.test", to=recipients[0]))


@case(seconds=120)
def from_init_to_mail(world):
    with Production(world, "production") as server:
        password = re.search(r"^password\s+(\S+)", server.printed, re.M).group(1)
        steps = re.findall(r"^  (godwit .*?)(?:\s+#.*)?$", server.printed, re.M)
        expect(any("serve --config" in s for s in steps) and any("account add" in s for s in steps), "init says how to go on", server.printed)
        expect_equal(os.stat(server.config).st_mode & 0o777, 0o640, "mode of the configuration")
        expect_equal(os.stat(os.path.join(server.folder, "tls", "key.pem")).st_mode & 0o777, 0o600, "mode of the key")
        for step in steps:
            words = step.replace("NAME", "carol").split()
            if words[1] == "serve":
                expect_equal(words[1:], ["serve", "--config", server.config], "the printed way to start")
                server.start()
            else:
                run([server.program, *words[1:]])
        expect("carol@example.org" in server.godwit("account", "list")[1], "the printed commands worked")
        generated = add_people(server)
        server.godwit("domain", "add", "second.example")
        server.godwit("account", "add", "dora@second.example", "--password", "doras secret")

        # From outside, over both families, with TLS.
        word = token()
        from_outside(server, ["both@example.org"], word)
        from_outside(server, ["dora@second.example"], word, host="::1")
        expect_equal(len(server.find("anna", generated, word)), 1, "anna's copy")
        expect_equal(len(server.find("ben@example.org", "bens secret", word)), 1, "ben's copy")
        found = server.find("dora@second.example", "doras secret", word)
        expect(len(found) == 1 and b"[IPv6:::1]" in found[0] and b"TLS" in found[0], "the Received line of the IPv6 copy", found)

        # Submission with a login, read over POP3S.
        word = token()
        with smtplib.SMTP("127.0.0.1", server.ports["submission"], timeout=20) as client:
            client._host = "mx.example.org"
            client.starttls(context=server.tls())
            client.login("anna@example.org", generated)
            client.sendmail("anna@example.org", ["ben@example.org"], message(word, sender="anna@example.org", to="ben@example.org"))
        context = server.tls()
        context.check_hostname = False
        pop = poplib.POP3_SSL("127.0.0.1", server.ports["pop3s"], context=context, timeout=20)
        pop.user("ben@example.org")
        pop.pass_("bens secret")
        bodies = [b"\r\n".join(pop.retr(n + 1)[1]) for n in range(pop.stat()[0])]
        expect_equal(sum(word.encode() in b for b in bodies), 1, "messages over POP3S")
        pop.quit()
        with contextlib.closing(server.imaps("postmaster", password).socket()):
            pass

        # Restart: yesterday's mail is there.
        expect_equal(server.stop(), 0, "exit code after SIGTERM")
        expect('"stop.done"' in server.logged(), "the log says that it stopped")
        server.start()
        expect_equal(len(server.find("ben@example.org", "bens secret", word)), 1, "the mail after the restart")
        expect_equal(server.stop(), 0, "exit code after the second SIGTERM")
        # Without a server the same commands work on the store.
        expect("dora@second.example" in server.godwit("account", "list")[1], "account list without a server")
        expect("good" in server.godwit("fsck")[1], "fsck")


@case(seconds=60)
def no_password_in_the_clear(world):
    with Production(world, "plain") as server:
        server.godwit("account", "add", "ben@example.org", "--password", "secret")
        server.start()
        plain = "AGJlbkBleGFtcGxlLm9yZwBzZWNyZXQ="  # ben@example.org, secret
        for service in ("smtp", "submission"):
            with Raw(server.ports[service]) as client:
                client.reply()
                texts = client.smtp("EHLO client.test", 250)[1]
                expect("STARTTLS" in texts and not any(t.startswith("AUTH") for t in texts), f"{service} offers", texts)
                code, text = client.smtp(f"AUTH PLAIN {plain}")
                expect(code in (503, 530, 538), f"AUTH without TLS on {service}", code, text)
        with Raw(server.ports["submission"]) as client:
            client.reply()
            client.smtp("EHLO client.test", 250)
            expect_equal(client.smtp("MAIL FROM:<ben@example.org>")[0], 530, "MAIL without a login")
        with Raw(server.ports["imap"]) as client:
            expect(b"LOGINDISABLED" in client.line() + b"".join(client.imap("a", "CAPABILITY")), "LOGINDISABLED")
            client.imap("b", "LOGIN ben@example.org secret", b"NO")
            client.imap("c", f"AUTHENTICATE PLAIN {plain}", b"NO")
        with Raw(server.ports["pop3"]) as client:
            client.line()
            client.send("CAPA\r\n")
            capabilities = client.until(b".")
            expect(b"STLS" in capabilities and b"USER" not in capabilities, "CAPA", capabilities)
            expect(not any(c.startswith(b"SASL") and (b"PLAIN" in c or b"LOGIN" in c) for c in capabilities), "SASL of CAPA", capabilities)
            for command in ("USER ben@example.org", f"AUTH PLAIN {plain}"):
                client.send(command + "\r\n")
                expect(client.line().startswith(b"-ERR"), f"{command} without TLS")
        # Still the right password, where there is TLS.
        with contextlib.closing(server.imaps("ben", "secret").socket()):
            pass
        expect_equal(server.stop(), 0, "exit code")


def size_limit(server):
    with Raw(server.ports["smtp"]) as client:
        client.reply()
        return next(int(t.split()[1]) for t in client.smtp("EHLO size.test", 250)[1] if t.startswith("SIZE "))


@case(seconds=60)
def M4_a_new_route_frees_held_mail(world):
    with Production(world, "routes") as server:
        first = server.read().replace('[[certificate]]', '[resolver]\noff = true\n\n[[certificate]]', 1)
        server.write(first)
        server.start()
        server.godwit("account", "add", "ben@example.org", "--password", "secret")
        context = server.tls()
        context.check_hostname = False
        with smtplib.SMTP_SSL("127.0.0.1", server.ports["submissions"], context=context, timeout=20) as client:
            client.login("ben@example.org", "secret")
            client.sendmail("ben@example.org", ["x@far.test"], message(token(), sender="ben@example.org", to="x@far.test"))
        held = json.loads(server.godwit("queue", "list", "--held", "--json")[1])
        end = time.monotonic() + 10
        while not held and time.monotonic() < end:
            time.sleep(0.1)
            held = json.loads(server.godwit("queue", "list", "--held", "--json")[1])
        expect("no route for far.test" in held[0]["held_reason"], "held", held)
        # Another route is no way for it.
        server.write(first + '\n[[route]]\ndomain = "near.test"\nkind = "discard"\n')
        server.godwit("reload")
        time.sleep(1)
        expect_equal(len(json.loads(server.godwit("queue", "list", "--held", "--json")[1])), 1, "held still")
        server.write(first + '\n[[route]]\ndomain = "far.test"\nkind = "discard"\n')
        server.godwit("reload")
        end = time.monotonic() + 10
        while json.loads(server.godwit("queue", "list", "--json")[1]):
            expect(time.monotonic() < end, "the queue drains after the reload")
            time.sleep(0.1)
        story = server.godwit("message", "show", held[0]["id"])[1]
        expect("held" in story and "released" in story and "discarded" in story, "the message's story", story)


def served_certificate(server, service="imaps"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", server.ports[service]), 10) as s, context.wrap_socket(s) as tls:
        return tls.getpeercert(binary_form=True)


def pem_to_der(path):
    text = open(path).read()
    return ssl.PEM_cert_to_DER_cert(text[:text.index("-----END CERTIFICATE-----") + 25] + "\n")


@case(seconds=120)
def reload_takes_up_changes(world):
    with Production(world, "reload") as server, Production(world, "reload-other") as other:
        first = server.read()
        server.start()
        expect_equal(size_limit(server), 50 * 1024 * 1024, "SIZE before")

        # A limit, by SIGHUP; a session that is open goes on.
        with Raw(server.ports["imap"]) as open_session:
            open_session.line()
            changed = first.replace("[[certificate]]", '[limits]\nmessage_size = "3 MiB"\n\n[[certificate]]', 1)
            server.write(changed)
            server.process.send_signal(signal.SIGHUP)
            server.wait_log('"config.reloaded"')
            open_session.imap("a", "NOOP")
        expect_equal(size_limit(server), 3 * 1024 * 1024, "SIZE after SIGHUP")

        # An invalid file: said, with the line, and nothing changes.
        server.forget_log()
        server.write(changed.replace("message_size", "mesage_size").replace("3 MiB", "4 MiB"))
        server.process.send_signal(signal.SIGHUP)
        line = server.wait_log('"config.reload_refused"')
        expect("mesage_size" in line and "message_size" in line and server.config in line, "the log names file, key and the nearest one", line)
        code, out = server.godwit("reload", codes=(1,))
        expect("mesage_size" in out, "godwit reload says it too", out)
        expect_equal(size_limit(server), 3 * 1024 * 1024, "SIZE after a refused file")
        server.write("not = [ toml")
        expect(server.godwit("reload", codes=(1,))[1], "a file that is no TOML is refused")
        os.rename(server.config, server.config + ".away")
        # The command needs to know where; --dir then falls back to the socket of the data folder.
        code, out = run([server.program, "reload", "--dir", os.path.join(server.folder, "data")], codes=(1,))
        expect(server.config in out, "a missing file is named", out)
        os.rename(server.config + ".away", server.config)

        # The certificate, by `godwit reload`.
        before = served_certificate(server)
        expect_equal(before, pem_to_der(server.certificate), "the certificate before")
        server.write(changed)
        for name in ("cert.pem", "key.pem"):
            shutil.copy(os.path.join(other.folder, "tls", name), os.path.join(server.folder, "tls", name))
        expect_equal(served_certificate(server), before, "not before it is told")
        server.godwit("reload")
        for service in ("imaps", "pop3s", "submissions"):
            expect_equal(served_certificate(server, service), pem_to_der(other.certificate), f"the certificate of {service} after")
        # A certificate whose key is another's is refused, and the old one stays.
        shutil.copy(os.path.join(other.folder, "tls", "key.pem"), os.path.join(server.folder, "tls", "right.pem"))
        run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", os.path.join(server.folder, "tls", "key.pem")])
        expect("key" in server.godwit("reload", codes=(1,))[1], "a key that does not fit")
        expect_equal(served_certificate(server), pem_to_der(other.certificate), "the certificate stays")
        os.rename(os.path.join(server.folder, "tls", "right.pem"), os.path.join(server.folder, "tls", "key.pem"))

        # Listeners come, go and change what they speak.
        extra, = free_ports(1)
        moved = changed + f'\n[[listener]]\nprotocol = "imap"\naddress = "127.0.0.1:{extra}"\n'
        server.write(moved)
        result = json.loads(server.godwit("reload", "--json")[1])
        expect(any(str(extra) in l for l in result["listeners"]) and result["needs_restart"] == [], "the new listener", result)
        with Raw(extra) as client:
            expect(b"IMAP4rev1" in client.line(), "IMAP on the new port")
        server.write(moved.replace(f'protocol = "imap"\naddress = "127.0.0.1:{extra}"', f'protocol = "pop3"\naddress = "127.0.0.1:{extra}"'))
        server.godwit("reload")
        with Raw(extra) as client:
            expect(client.line().startswith(b"+OK"), "POP3 on the same port")
        server.write(changed)
        server.godwit("reload")
        try:
            Raw(extra).line()
            expect(False, "the port is still open")
        except (OSError, Failure):
            pass
        # A port that another program holds: refused whole, the certificate and limits stay.
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            server.write(changed.replace("3 MiB", "5 MiB") + f'\n[[listener]]\nprotocol = "imap"\naddress = "127.0.0.1:{port}"\n')
            out = server.godwit("reload", codes=(1, 75))[1]
            expect(str(port) in out and "in use" in out.lower(), "the port is named", out)
        expect_equal(size_limit(server), 3 * 1024 * 1024, "SIZE after a refused listener")

        # [::] and 0.0.0.0 overlap: refused, with what to do about it.
        port = server.ports["smtp"]
        server.write(changed.replace(f"[::]:{port}", f"0.0.0.0:{port}").replace("3 MiB", "5 MiB"))
        expect("needs a restart" in server.godwit("reload", codes=(1, 75))[1], "an overlapping listener")
        expect_equal(size_limit(server), 3 * 1024 * 1024, "SIZE after an overlapping listener")
        # The last certificate goes with the listeners that need one: no STARTTLS any more.
        tables = changed.split("\n[[")
        server.write("\n[[".join(t for t in tables if not t.startswith("certificate]]") and (not t.startswith("listener]]") or f":{port}" in t)))
        server.godwit("reload")
        with Raw(port) as client:
            client.reply()
            client.send("EHLO client.test\r\n")
            expect(not any("STARTTLS" in line for line in client.reply()[1]), "STARTTLS without a certificate")
        server.write(changed)
        server.godwit("reload")

        # What needs a restart is named, in the answer and in the log, and waits for it.
        server.forget_log()
        server.write(changed.replace('hostname = "mx.example.org"', 'hostname = "mail.example.org"\nthreads = 1'))
        result = json.loads(server.godwit("reload", "--json")[1])
        expect_equal(sorted(result["needs_restart"]), ["hostname", "threads"], "keys that need a restart")
        line = server.wait_log('"config.reloaded"')
        expect("hostname" in line and "threads" in line, "the log names them too", line)
        with Raw(server.ports["smtp"]) as client:
            expect("mx.example.org" in client.reply()[1][0], "the old name until the restart")
        expect_equal(server.stop(), 0, "exit code")
        server.start()
        with Raw(server.ports["smtp"]) as client:
            expect("mail.example.org" in client.reply()[1][0], "the new name after it")
        # A cost of new passwords holds for those made from now on.
        server.write(server.read().replace("[limits]", "[passwords]\nargon2_memory = \"1 MiB\"\nargon2_passes = 3\n\n[limits]", 1))
        server.godwit("reload")
        server.godwit("account", "add", "late@example.org", "--password", "later")
        with contextlib.closing(server.imaps("late", "later").socket()):
            pass
        expect_equal(server.stop(), 0, "exit code")


@case(seconds=90)
def starts_by_socket_activation_and_says_ready(world):
    """As systemd does it: LISTEN_FDS with dual stack sockets, NOTIFY_SOCKET. No port is bound by the server itself."""
    with Production(world, "activated") as server:
        server.godwit("account", "add", "ben@example.org", "--password", "secret")
        text = server.read()
        sockets = []
        for service, port in server.ports.items():
            text = re.sub(rf'address = ".*:{port}"', f'address = "[::]:{port}"', text)
            s = socket.socket(socket.AF_INET6)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            s.bind(("::", port))
            s.listen(64)
            sockets.append(s)
        server.write(text)
        notify_path = os.path.join(server.folder, "notify.sock")
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(notify_path)
        notify.settimeout(READY_SECONDS)
        # A client that comes before the server waits in the backlog, and is served.
        early = Raw(server.ports["smtp"], timeout=READY_SECONDS)
        numbers = [s.fileno() for s in sockets]

        # The shell puts the sockets to 3, 4, ... and its own pid, which exec keeps, into LISTEN_PID.
        high = [100 + i for i in range(len(numbers))]
        moves = "".join(f"exec {3 + i}<&{h}; exec {h}<&-; " for i, h in enumerate(high))
        for number, h in zip(numbers, high):
            os.dup2(number, h, inheritable=True)
        try:
            server.start(wrapper=["bash", "-c", f'{moves} export LISTEN_PID=$$ LISTEN_FDS={len(high)}; exec "$@"', "_"], env={"NOTIFY_SOCKET": notify_path}, wait=False, pass_fds=high)
        finally:
            for h in high:
                os.close(h)
        inodes = {os.fstat(n).st_ino for n in numbers}
        expect_equal(notify.recv(4096), b"READY=1", "what the service manager is told first")
        for s in sockets:
            s.close()
        expect_equal(early.reply()[0], 220, "the client that came early")
        early.close()
        word = token()
        from_outside(server, ["ben@example.org"], word)
        from_outside(server, ["ben@example.org"], word, host="::1")
        found = server.find("ben", "secret", word)
        expect(len(found) == 2 and any(b"[127.0.0.1]" in f for f in found), "an IPv4 peer has its own name", found)
        held = {os.stat(f"/proc/{server.process.pid}/fd/{n}").st_ino for n in os.listdir(f"/proc/{server.process.pid}/fd") if os.path.exists(f"/proc/{server.process.pid}/fd/{n}")}
        expect(inodes <= held, "it serves on the sockets it was given", inodes - held)
        server.process.send_signal(signal.SIGHUP)
        expect_equal([notify.recv(4096).split(b"\n")[0] for _ in range(2)], [b"RELOADING=1", b"READY=1"], "what it says around a reload")
        server.process.send_signal(signal.SIGTERM)
        expect_equal(notify.recv(4096).split(b"\n")[0], b"STOPPING=1", "what it says when it stops")
        expect_equal(server.stop(), 0, "exit code")
        notify.close()


@case(seconds=60)
def what_cannot_start_says_why(world):
    with Production(world, "unwell") as server:
        good = server.read()
        # A port in use.
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", server.ports["imaps"]))
            taken.listen()
            code, out = run([server.program, "serve", "--config", server.config], check=False)
            expect(code == 1 and f"127.0.0.1:{server.ports['imaps']}" in out and "in use" in out.lower(), "a port in use is named", code, out[-600:])
        # A configuration with mistakes: all of them, with lines, before anything is opened.
        server.write(good.replace("hostname =", "hostnam =").replace('protocol = "pop3"', 'protocol = "pop4"'))
        code, out = run([server.program, "serve", "--config", server.config], check=False)
        expect(code == 1 and "hostname" in out and "pop4" in out and re.search(r"godwit\.toml:\d+", out), "mistakes are named", code, out)
        # No configuration.
        code, out = run([server.program, "serve", "--config", server.config + ".none"], check=False)
        expect(code == 1 and server.config + ".none" in out, "a missing file is named", code, out)
        # A data folder whose disk is not mounted: nothing is made in it.
        data = os.path.join(server.folder, "data")
        server.write(good)
        os.rename(data, data + ".away")
        os.mkdir(data)
        code, out = run([server.program, "serve", "--config", server.config], check=False)
        expect(code == 78 and data in out and "mounted" in out, "a data folder without a store is named", code, out)
        expect_equal(os.listdir(data), [], "what was made in it")
        os.rmdir(data)
        os.rename(data + ".away", data)
        # A second server on the same data: told, and the first goes on.
        server.write(good)
        server.start()
        ports = free_ports(len(SERVICES))
        text = good
        for old, new in zip(server.ports.values(), ports):
            text = text.replace(f":{old}\"", f":{new}\"")
        second = os.path.join(server.folder, "second.toml")
        with open(second, "w") as f:
            f.write(text)
        code, out = run([server.program, "serve", "--config", second], check=False)
        expect(code in (1, 75) and os.path.join(server.folder, "data") in out, "the folder in use is named", code, out)
        expect(str(server.process.pid) in out, "and the process that holds it", out)
        size_limit(server)
        server.godwit("status")
        # init does not write over what is there.
        code, out = run([server.program, "init", "--hostname", "mx.example.org", "--domain", "example.org", "--dir", server.folder], check=False)
        expect(code == 1 and server.config in out, "init over an old one", code, out)
        expect_equal(open(server.config).read(), good, "the configuration is as it was")
        for name, value in (("--hostname", "localhost"), ("--hostname", ""), ("--domain", "a..b")):
            words = {"--hostname": "mx.example.org", "--domain": "example.org", name: value}
            fresh = os.path.join(server.folder, "fresh")
            code, out = run([server.program, "init", "--dir", fresh, *[w for pair in words.items() for w in pair]], check=False)
            expect(code == 2 and name in out and not os.path.exists(fresh), "init with a wrong name makes nothing", code, out)
        expect_equal(server.stop(), 0, "exit code")


@case(seconds=120)
def external_with_a_client_certificate(world):
    need("msmtp", "openssl", "curl")
    with Production(world, "certificates") as server:
        def path(name):
            return os.path.join(server.folder, name)
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=People", "-keyout", path("people.key"), "-out", path("people.pem")])
        for name in ("ben", "stranger"):
            run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-addext", f"subjectAltName=email:{name}@example.org",
                 "-addext", "extendedKeyUsage=clientAuth", "-keyout", path(f"{name}.key"), "-out", path(f"{name}.csr")])
            run(["openssl", "x509", "-req", "-in", path(f"{name}.csr"), "-CA", path("people.pem"), "-CAkey", path("people.key"), "-CAcreateserial", "-days", "30", "-copy_extensions", "copy", "-out", path(f"{name}.pem")])
        text = server.read()
        for service in ("submissions", "imaps"):
            text = text.replace(f'address = "127.0.0.1:{server.ports[service]}"', f'address = "127.0.0.1:{server.ports[service]}"\nclient_ca_files = ["{path("people.pem")}"]')
        server.write(text)
        server.start()
        add_people(server)
        for name, code in (("ben", 0), ("stranger", 77)):
            with open(path("msmtprc"), "w") as f:
                f.write(f"account default\nhost 127.0.0.1\nport {server.ports['submissions']}\nfrom {name}@example.org\ntls on\ntls_starttls off\ntls_certcheck off\n"
                        f"tls_cert_file {path(name)}.pem\ntls_key_file {path(name)}.key\nauth external\nuser {name}@example.org\nlogfile -\n")
            os.chmod(path("msmtprc"), 0o600)
            word = token()
            run(["msmtp", "-C", path("msmtprc"), "ben@example.org"], text=message(word, sender=f"{name}@example.org", to="ben@example.org").replace(b"\r\n", b"\n"), codes=(code,))
            expect_equal(len(server.find("ben", "bens secret", word)), 1 if code == 0 else 0, f"mail of {name}")
        run(["curl", "--silent", "--show-error", "--max-time", "25", "--insecure", "--cert", f"{path('ben.pem')}", "--key", path("ben.key"), "--login-options", "AUTH=EXTERNAL", "--user", "ben@example.org:",
             "--url", f"imaps://127.0.0.1:{server.ports['imaps']}/INBOX", "--request", "NOOP"])
