"""SMTP as a socket sees it: what no client library lets one say."""
import base64
import os
import re
import smtplib
import socket
import ssl
import subprocess

from cases.serve import Production
from harness import DISCARD, DOMAIN, Raw, Skip, case, expect, expect_equal, free_ports, message, token, without_trace


def open_smtp(world, port="smtp", hello="EHLO client.test"):
    raw = Raw(world.port(port))
    code, _ = raw.reply()
    expect(code == 220, "greeting", code)
    code, texts = raw.smtp(hello)
    expect(code == 250, hello, code, texts)
    return raw, texts


def stuffed(data):
    lines = data.split(b"\r\n")
    return b"\r\n".join(b"." + l if l.startswith(b".") else l for l in lines) + (b"" if data.endswith(b"\r\n") else b"\r\n") + b".\r\n"


@case
def ehlo_announces(world):
    raw, texts = open_smtp(world)
    words = {t.split()[0].upper() for t in texts[1:]}
    for name in ("PIPELINING", "SIZE", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8", "CHUNKING", "STARTTLS"):
        expect(name in words, f"{name} missing from EHLO", sorted(words))
    expect("AUTH" not in words, "AUTH is not for port 25", sorted(words))
    raw.smtp("NOOP", 250)
    raw.smtp("HELP", 214)
    raw.smtp("VRFY bob", 252)
    raw.smtp("EXPN staff", 5)
    raw.smtp("RSET", 250)
    raw.smtp("QUIT", 221)
    expect(raw.closed(), "the connection stays open after QUIT")


@case
def submission_announces_auth(world):
    raw, texts = open_smtp(world, "submission")
    auth = [t for t in texts if t.upper().startswith("AUTH ")]
    expect(auth and {"PLAIN", "LOGIN", "SCRAM-SHA-256"} <= set(auth[0].upper().split()[1:]), "AUTH", texts)
    raw.smtp("MAIL FROM:<alice@example.test>", 530)


@case
def pipelining(world):
    word = token()
    data = message(word)
    raw, _ = open_smtp(world)
    raw.send(f"MAIL FROM:<alice@{DOMAIN}>\r\nRCPT TO:<bob@{DOMAIN}>\r\nRCPT TO:<nobody-here@{DOMAIN}>\r\nRCPT TO:<alice@{DOMAIN}>\r\nDATA\r\n")
    codes = [raw.reply()[0] for _ in range(5)]
    expect_equal([codes[0], codes[1], codes[2] // 100, codes[3], codes[4]], [250, 250, 5, 250, 354], "codes")
    raw.send(stuffed(data) + b"QUIT\r\n")
    expect_equal([raw.reply()[0], raw.reply()[0]], [250, 221], "dot and QUIT")
    for name in ("bob", "alice"):
        expect_equal(without_trace(world.wait_mail(name, word)[0]), data, "bytes")


@case
def bdat_in_chunks(world):
    word = token()
    data = message(word, body=".\r\n..dots and no stuffing\r\n.\r\nend\r\n" * 50)
    raw, _ = open_smtp(world)
    raw.smtp(f"MAIL FROM:<alice@{DOMAIN}> SIZE={len(data)}", 250)
    raw.smtp(f"RCPT TO:<bob@{DOMAIN}>", 250)
    for start in range(0, len(data), 700):
        part = data[start:start + 700]
        raw.smtp(b"BDAT %d\r\n" % len(part) + part, 250)
    raw.smtp("BDAT 0 LAST", 250)
    expect_equal(without_trace(world.wait_mail("bob", word)[0]), data, "bytes")
    # All in one write, as pipelining allows.
    word = token()
    data = message(word)
    raw.send(b"MAIL FROM:<alice@%b>\r\nRCPT TO:<bob@%b>\r\nBDAT %d LAST\r\n" % (DOMAIN.encode(), DOMAIN.encode(), len(data)) + data + b"NOOP\r\n")
    expect_equal([raw.reply()[0] for _ in range(4)], [250] * 4, "codes")
    world.wait_mail("bob", word)


@case
def dots_come_back(world):
    word = token()
    data = message(word, body=".\r\n..\r\n.hidden\r\n...three\r\nlast line\r\n")
    raw, _ = open_smtp(world)
    raw.smtp(f"MAIL FROM:<alice@{DOMAIN}>", 250)
    raw.smtp(f"RCPT TO:<bob@{DOMAIN}>", 250)
    raw.smtp("DATA", 354)
    raw.smtp(stuffed(data), 250)
    expect_equal(without_trace(world.wait_mail("bob", word)[0]), data, "bytes")


@case
def eight_bit_and_utf8(world):
    word = token()
    data = message(word, body="Grüße aus Köln, 東京 \U0001f426\r\n", headers="MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n")
    raw, _ = open_smtp(world)
    raw.smtp(f"MAIL FROM:<alice@{DOMAIN}> BODY=8BITMIME", 250)
    raw.smtp(f"RCPT TO:<bob@{DOMAIN}>", 250)
    raw.smtp("DATA", 354)
    raw.smtp(stuffed(data), 250)
    expect_equal(without_trace(world.wait_mail("bob", word)[0]), data, "bytes")
    word = token()
    data = message(f"Größe {word}", sender="jürgen@büro.test")
    raw.smtp("MAIL FROM:<jürgen@büro.test> SMTPUTF8 BODY=8BITMIME\r\n".encode(), 250)
    raw.smtp(f"RCPT TO:<bob@{DOMAIN}>", 250)
    raw.smtp("DATA", 354)
    raw.smtp(stuffed(data), 250)
    expect_equal(without_trace(world.wait_mail("bob", word)[0]), data, "bytes")
    # RFC 6531 3.4: without the parameter the address is refused.
    raw.smtp("MAIL FROM:<jürgen@büro.test>\r\n".encode(), 5)


@case
def no_smuggling(world):
    """Only CRLF.CRLF ends DATA: a second message hidden behind a false end never arrives as one."""
    for number, fake in enumerate((b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r")):
        word, evil = token(), token()
        raw, _ = open_smtp(world)
        raw.smtp(f"MAIL FROM:<alice@{DOMAIN}>", 250)
        raw.smtp(f"RCPT TO:<bob@{DOMAIN}>", 250)
        raw.smtp("DATA", 354)
        forged = b"MAIL FROM:<root@%b>\r\nRCPT TO:<bob@%b>\r\nDATA\r\nSubject: %b\r\n\r\nforged\r\n" % (DOMAIN.encode(), DOMAIN.encode(), evil.encode())
        raw.send(message(word) + b"x" + fake + forged + b".\r\n")
        code, texts = raw.reply()
        expect(code in (250, 550, 554), f"variant {number}", code, texts)
        raw.smtp("RSET", 250)
        raw.close()
        for found in world.find("bob", evil):
            expect(False, f"variant {number}: the forged message arrived", found)


@case
def starttls(world):
    raw, _ = open_smtp(world)
    raw.smtp("STARTTLS", 220)
    raw.starttls(world.tls())
    code, texts = raw.smtp("EHLO client.test")
    expect(code == 250 and "STARTTLS" not in [t.split()[0] for t in texts], "EHLO within TLS", code, texts)
    word = token()
    raw.smtp(f"MAIL FROM:<alice@{DOMAIN}>", 250)
    raw.smtp(f"RCPT TO:<bob@{DOMAIN}>", 250)
    raw.smtp("DATA", 354)
    raw.smtp(stuffed(message(word)), 250)
    expect(b"ESMTPS" in world.wait_mail("bob", word)[0], "Received should say ESMTPS (RFC 3848)")


@case
def nothing_slips_in_before_tls(world):
    """Bytes sent in clear behind STARTTLS are never taken as said within TLS."""
    raw, _ = open_smtp(world)
    raw.send("STARTTLS\r\nRSET\r\nNOOP\r\n")
    code, _ = raw.reply()
    if code == 220:
        try:
            raw.starttls(world.tls())
            raw.send("NOOP\r\n")
            expect(raw.reply()[0] == 250 and not raw.buffer, "a plaintext command was answered within TLS")
        except OSError:
            pass
    else:
        expect(code >= 500, "STARTTLS with a tail", code)


@case
def relay_denied(world):
    raw, _ = open_smtp(world)
    raw.smtp("MAIL FROM:<stranger@far.test>", 250)
    code, texts = raw.smtp("RCPT TO:<someone@elsewhere.test>")
    expect(code in (550, 551, 553, 554), "an open relay", code, texts)
    for trick in ("someone%elsewhere.test@" + DOMAIN, "elsewhere.test!someone", "@elsewhere.test:someone@else.test", '"someone@elsewhere.test"@' + DOMAIN):
        code, texts = raw.smtp(f"RCPT TO:<{trick}>")
        expect(code >= 500, f"relays {trick}", code, texts)
    code, texts = raw.smtp(f"RCPT TO:<nobody-at-all@{DOMAIN}>")
    expect(code == 550, "unknown user", code, texts)
    raw.smtp("RCPT TO:<postmaster>", 250)
    raw.smtp(f"RCPT TO:<bob+tag@{DOMAIN}>", 250)


@case
def size_refused_at_mail(world):
    raw, texts = open_smtp(world)
    size = next((int(t.split()[1]) for t in texts if t.upper().startswith("SIZE ")), 0)
    expect(size >= 10_000_000, "SIZE", texts)
    raw.smtp(f"MAIL FROM:<alice@{DOMAIN}> SIZE={size + 1}", 552)
    raw.smtp(f"MAIL FROM:<alice@{DOMAIN}> SIZE={size}", 250)


@case
def bad_order_and_bad_words(world):
    raw, _ = open_smtp(world)
    raw.smtp("DATA", 503)
    raw.smtp(f"RCPT TO:<bob@{DOMAIN}>", 503)
    raw.smtp("FROBNICATE", 500)
    raw.smtp("MAIL FROM:alice@ example", 501)
    raw.smtp(f"MAIL FROM:<alice@{DOMAIN}> NONSENSE=1", 555)
    raw.smtp(f"MAIL FROM:<alice@{DOMAIN}>", 250)
    raw.smtp(f"MAIL FROM:<alice@{DOMAIN}>", 503)
    raw.smtp("DATA", 5)
    code, _ = raw.smtp("NOOP " + "x" * 20000)
    expect(code == 500, "a line of 20,000", code)


@case(seconds=90)
def hundred_recipients(world):
    word = token()
    raw, _ = open_smtp(world)
    people = [f"r{i}@{DISCARD}" for i in range(97)] + [f"{n}@{DOMAIN}" for n in ("bob", "carol", "alice")]
    raw.send(f"MAIL FROM:<alice@{DOMAIN}>\r\n" + "".join(f"RCPT TO:<{p}>\r\n" for p in people) + "DATA\r\n")
    codes = [raw.reply()[0] for _ in range(102)]
    expect(codes == [250] * 101 + [354], "codes", codes)
    raw.smtp(stuffed(message(word)), 250)
    for name in ("bob", "carol", "alice"):
        world.wait_mail(name, word)


@case
def same_recipient_twice_is_one_copy(world):
    word = token()
    raw, _ = open_smtp(world)
    raw.smtp("MAIL FROM:<>", 250)
    raw.smtp(f"RCPT TO:<bob@{DOMAIN}>", 250)
    raw.smtp(f"RCPT TO:<BOB@{DOMAIN.upper()}>", 250)
    raw.smtp("DATA", 354)
    raw.smtp(stuffed(message(word)), 250)
    found = world.wait_mail("bob", word)[0]
    expect(b"Return-Path: <>" in found, "the null sender in Return-Path", found[:200])


@case
def auth_plain_and_login(world):
    def plain(name, secret):
        return base64.b64encode(f"\0{name}\0{secret}".encode()).decode()

    raw, _ = open_smtp(world, "submission")
    raw.smtp("AUTH PLAIN " + plain("alice", "wrong"), 535)
    raw.smtp("AUTH PLAIN *", 5)
    raw.smtp("AUTH PLAIN", 334)
    raw.smtp("*", 501)
    raw.smtp("AUTH NOSUCH", 504)
    raw.smtp("AUTH LOGIN", 334)
    raw.smtp(base64.b64encode(b"alice").decode(), 334)
    raw.smtp(base64.b64encode(b"alice").decode(), 235)
    raw.smtp("AUTH PLAIN " + plain("alice", "alice"), 503)
    raw.smtp(f"MAIL FROM:<alice@{DOMAIN}>", 250)
    raw.smtp("RSET", 250)
    code, texts = raw.smtp(f"MAIL FROM:<bob@{DOMAIN}>")
    if code == 250:
        code, texts = raw.smtp(f"RCPT TO:<bob@{DOMAIN}>")
    expect(code in (550, 553, 554), "an account may use only its own addresses", code, texts)
    raw, _ = open_smtp(world, "submission")
    raw.smtp("AUTH PLAIN " + plain(f"alice@{DOMAIN}", "alice"), 235)


@case
def submission_completes_a_message(world):
    word = token()
    raw, _ = open_smtp(world, "submission")
    raw.smtp("AUTH PLAIN " + base64.b64encode(b"\0alice\0alice").decode(), 235)
    raw.smtp(f"MAIL FROM:<alice@{DOMAIN}>", 250)
    raw.smtp(f"RCPT TO:<bob@{DOMAIN}>", 250)
    raw.smtp("DATA", 354)
    raw.smtp(f"From: alice@{DOMAIN}\r\nSubject: {word}\r\nBcc: secret@{DOMAIN}\r\n\r\nbare\r\n.\r\n", 250)
    found = world.wait_mail("bob", word)[0].lower()
    expect(b"\r\nmessage-id: <" in found and b"\r\ndate: " in found, "Date and Message-ID are added", found)
    expect(b"secret@" not in found, "Bcc is gone", found)


@case
def lmtp_answers_per_recipient(world):
    word = token()
    raw, _ = open_smtp(world, "lmtp", "LHLO client.test")
    raw.smtp(f"MAIL FROM:<alice@{DOMAIN}>", 250)
    raw.smtp(f"RCPT TO:<bob@{DOMAIN}>", 250)
    raw.smtp(f"RCPT TO:<no-one@{DOMAIN}>", 550)
    raw.smtp(f"RCPT TO:<carol@{DOMAIN}>", 250)
    raw.smtp("DATA", 354)
    raw.send(stuffed(message(word)))
    expect_equal([raw.reply()[0], raw.reply()[0]], [250, 250], "a reply for each accepted recipient")
    raw.smtp("NOOP", 250)
    world.wait_mail("bob", word)
    world.wait_mail("carol", word)
    raw.smtp("EHLO client.test", 5)


class SystemCalls:
    """What strace saw, in order: which files of the store were written and are not yet synced when an answer goes out."""

    def __init__(self, data):
        self.data, self.dirty, self.pending, self.answers, self.synced = data, set(), {}, [], []

    def file(self, text):
        """The store's file that a call names, relative to the data folder."""
        found = re.search(r"\(\d+<([^>]*)>", text)
        path = found.group(1) if found else ""
        return os.path.relpath(path, self.data) if path.startswith(self.data + "/") else ""

    def line(self, line):
        pid, _, text = line.partition(" ")
        text = text.strip()
        resumed = re.match(r"<\.\.\. (\w+) resumed>", text)
        name = resumed.group(1) if resumed else text.partition("(")[0]
        if resumed:
            file = self.pending.pop(pid, "")
        else:
            file = self.file(text)
            self.pending[pid] = file
        if name in ("write", "writev", "pwrite64", "pwritev", "ftruncate") and (file.startswith("blobs/") or re.match(r"kv/\d+\.log$", file)):
            self.dirty.add(file)
        elif name in ("openat", "open") and "O_CREAT" in text and f"{self.data}/blobs/" in text:
            self.dirty.add("blobs")
        elif name in ("fsync", "fdatasync") and text.rstrip().endswith("= 0"):
            self.dirty.discard(file)
            self.synced.append(file)
        answer = re.search(r'sendto\(\d+<socket.*?(?:, "|\\r\\n)(250 2\.0\.0 Ok: [^"\\]*|[A-Z]{4}\d+ OK [^"\\]*)', text)
        if answer:
            kinds = [("own" if "own-" in each else "segment" if "seg-" in each else "log" if each.startswith("kv/") else "folder" if each == "blobs" else "") for each in self.synced]
            self.answers.append((answer.group(1), sorted(self.dirty), [kind for kind in kinds if kind]))
            self.synced = []


@case(seconds=90)
def a_250_comes_after_the_sync(world):
    """The system calls of the real program, by file: what an answer acknowledges was written and synced before it, the body before the rows."""
    trace = os.path.join(world.folder, "calls")
    calls = "fdatasync,fsync,sendto,write,writev,pwrite64,pwritev,ftruncate,openat"
    watcher = subprocess.Popen(["strace", "-f", "-y", "-s", "500", "-e", f"trace={calls}", "-o", trace, "-p", str(world.process.pid)], stderr=subprocess.PIPE, text=True)
    try:
        if "attached" not in watcher.stderr.readline():
            raise Skip("strace may not watch here")
        for size in (300, 30_000, 3_000_000):
            for to in (f"bob@{DOMAIN}", f"x@{DISCARD}"):
                with smtplib.SMTP("127.0.0.1", world.port("smtp"), timeout=20) as client:
                    client.sendmail(f"alice@{DOMAIN}", [to], message(token(), body=f"{token()} and more of it\r\n" * (size // 34)))
        with world.imap("carol") as client:
            client.create("Synced")
            client.append("INBOX", "", None, message(token(), body=f"{token()} and more of it\r\n" * 1000))
            client.select("INBOX")
            last = client.uid("SEARCH", "ALL")[1][0].split()[-1].decode()
            for command in (("STORE", last, "+FLAGS", "(\\Flagged)"), ("COPY", last, "Synced"), ("STORE", last, "+FLAGS", "(\\Deleted)"), ("EXPUNGE", last)):
                expect_equal(client.uid(*command)[0], "OK", command)
    finally:
        watcher.terminate()
        watcher.wait()
    seen = SystemCalls(world.data)
    with open(trace) as lines:
        for line in lines:
            seen.line(line)
    mail = [answer for answer in seen.answers if answer[0].startswith("250 ")]
    expect_equal(len(mail), 6, "answers to mail")
    for answer, dirty, synced in seen.answers:
        expect_equal(dirty, [], f"written and not synced before {answer!r}")
    for (answer, _, synced), wanted in zip(mail, ["log", "log", "segment", "segment", "own", "own"]):
        expect(synced and synced[-1] == "log", "the rows are synced, and last", answer, synced)
        expect(wanted in synced, f"{wanted} is synced", answer, synced)
    changes = [answer for answer in seen.answers if re.match(r"\w+ OK (?!\[CAPABILITY).*\b(APPEND|STORE|COPY|EXPUNGE)", answer[0])]
    expect(len(changes) >= 5, "answers to changes", seen.answers)
    for answer, _, synced in changes:
        expect("log" in synced, "the rows of a change are synced", answer, synced)


@case
def wrong_alpn_is_refused(world):
    """ALPACA (T15): a client that speaks another protocol by ALPN gets no handshake; one that says nothing is served."""
    for service, right in (("submissions", "smtp"), ("imaps", "imap"), ("pop3s", "pop3")):
        for offered in ([], [right], ["http/1.1", right]):
            context = ssl.create_default_context(cafile=world.ca)
            if offered:
                context.set_alpn_protocols(offered)
            with socket.create_connection(("127.0.0.1", world.port(service)), 10) as plain:
                with context.wrap_socket(plain, server_hostname="localhost") as client:
                    expect_equal(client.selected_alpn_protocol(), right if offered else None, f"{service} with {offered}")
        for offered in (["http/1.1"], ["h2", "http/1.1"], ["ftp"], [other for other in ("smtp", "imap", "pop3") if other != right]):
            context = ssl.create_default_context(cafile=world.ca)
            context.set_alpn_protocols(offered)
            with socket.create_connection(("127.0.0.1", world.port(service)), 10) as plain:
                try:
                    context.wrap_socket(plain, server_hostname="localhost").recv(1)
                except ssl.SSLError as error:
                    expect("NO_APPLICATION_PROTOCOL" in str(error).upper().replace(" ", "_"), f"{service} refuses {offered} by its alert", error)
                else:
                    expect(False, f"{service} took {offered}")


@case(seconds=60)
def a_host_that_takes_no_mail(world):
    """RFC 7504: 521 and the end of the connection, and nothing else works."""
    server = Production(world, "no-mail")
    (port,) = free_ports(1)
    server.write(server.read() + f'\n[[listener]]\nprotocol = "smtp"\naddress = "127.0.0.1:{port}"\ntakes_mail = false\n')
    server.start()
    with server:
        with socket.create_connection(("127.0.0.1", port), 10) as plain:
            said = b""
            while piece := plain.recv(4096):
                said += piece
        expect(said.startswith(b"521 5.3.2 ") and said.count(b"\r\n") == 1, "one line, then closed", said)
        code, _ = Raw(server.ports["smtp"]).reply()
        expect_equal(code, 220, "the other listener serves")


@case
def prdr_of_each_recipient(world):
    """draft-hall-prdr-00: a heading, one reply for each, and one for the whole."""
    raw, texts = open_smtp(world)
    expect("PRDR" in {t.split()[0].upper() for t in texts[1:]}, "PRDR is announced", texts)
    raw.smtp("MAIL FROM:<a@client.test> PRDR", 250)
    raw.smtp(f"RCPT TO:<alice@{DOMAIN}>", 250)
    raw.smtp(f"RCPT TO:<bob@{DOMAIN}>", 250)
    raw.smtp("DATA", 354)
    raw.smtp(stuffed(message(token())), 353)
    for whose in ("alice's", "bob's", "the whole's"):
        expect_equal(raw.reply()[0], 250, f"{whose} reply")
    raw.smtp("QUIT", 221)
