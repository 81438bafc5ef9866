"""Postfix, Exim, OpenSMTPD and Haraka on both sides, each case once for each of them. What Postfix alone shows is in postfix.py."""
import base64
import contextlib
import imaplib
import os
import re
import smtplib
import socket
import threading
import time

from harness import CASES, DOMAIN, PEERS, case, expect, expect_equal, message, token, without_trace

MIME = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
DOTS = "Dots:\r\n.\r\n..\r\n.a\r\n...\r\nUmlaut ü, and a space at the end \r\n\r\n"
NEW = ("exim", "opensmtpd", "haraka")


def for_each(peers, seconds=120):
    """Registers the function as a case for each of the peers: peers_exim_sends_to_us ..."""
    def register(function):
        for name in peers:
            # A function of its own for each, so that each has its own name.
            def one(world, name=name):
                function(world, name)
            one.__module__, one.__name__ = __name__, f"{name}_{function.__name__}"
            case(one, seconds=seconds)
    return register


def submission(world, sender="alice"):
    client = smtplib.SMTP("localhost", world.port("submission"), timeout=30)
    client.starttls(context=world.tls())
    client.login(sender, sender)
    return client


def submit(world, recipients, data, sender="alice", options=()):
    with submission(world, sender) as client:
        return client.sendmail(f"{sender}@{DOMAIN}", recipients, data, mail_options=[*options, *(["BODY=8BITMIME"] if max(data) > 127 else [])])


def waits(world, site):
    return [row for row in world.queue() if any(to.endswith("@" + site) for to in row["recipients"])]


def until(known, seconds, text):
    end = time.monotonic() + seconds
    while not (found := known()):
        expect(time.monotonic() < end, f"waited {seconds} s: {text() if callable(text) else text}")
        time.sleep(0.1)
    return found


def nothing_waits(world, site):
    until(lambda: not waits(world, site), 40, lambda: f"still queued for {site}: {waits(world, site)}")


def report(world, name, word):
    """The failure report in the account's mailbox that names word."""
    def look():
        with world.imap(name) as client:
            numbers = client.search(None, "BODY", word)[1][0].split()
            return client.fetch(numbers[0], "(BODY.PEEK[])")[1][0][1] if numbers else None
    return until(look, 30, f"no failure report about {word} came to {name}")


# --- they send to us

@for_each(NEW)
def sends_to_us(world, name):
    for tls in (False, True):
        peer, word = world.peer(name, tls), token()
        data = message(word, body=DOTS, headers=MIME, sender=f"user@{peer.domain}", to=world.address("carol"))
        peer.submit(f"user@{peer.domain}", [world.address("carol")], data)
        found = world.wait_mail("carol", word)[0]
        expect_equal(without_trace(found), data, "bytes")
        ours = found[:found.index(b"\r\n\tfor") if b"\r\n\tfor" in found else 900].split(b"by ")[1]
        expect((b"ESMTPS" in ours) == tls, "STARTTLS was " + ("not used" if tls else "used"), found[:600])


@for_each(NEW)
def bounces_what_we_refuse(world, name):
    """Several recipients, one of whom we do not know: the others have their mail, its user is told of the one."""
    peer, word = world.peer(name), token()
    ghost = f"ghost-{word}@{DOMAIN}"
    peer.submit(f"other@{peer.domain}", [world.address("carol"), ghost, world.address("bob")], message(word, sender=f"other@{peer.domain}"))
    world.wait_mail("carol", word)
    world.wait_mail("bob", word)
    bounce = peer.wait_delivered(ghost, "other")[0]
    # Haraka 3.3 names the recipient and leaves out what we said.
    expect(name == "haraka" or (b"550" in bounce and b"5.1.1" in bounce), "our refusal stands in its report", bounce[:1500])
    expect(b"carol@" not in re.findall(rb"(?im)^final-recipient:.*$", bounce), "only the one is reported")


@for_each(PEERS)
def is_put_off_by_us_and_comes_again(world, name):
    """The mailbox is full (452 4.2.2): the mail stays with the peer, and comes once there is room."""
    peer, word = world.peer(name), token()
    account = f"full-{name}-{word}"
    world.godwit("account", "add", world.address(account), "--password", account, "--quota", "2 KiB")
    for _ in range(5):
        with smtplib.SMTP("127.0.0.1", world.port("smtp"), timeout=20) as client, contextlib.suppress(smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError):
            client.sendmail(f"x@{peer.domain}", [world.address(account)], message("filler", body="x" * 70 + "\r\n" * 8))
    peer.submit(f"user@{peer.domain}", [world.address(account)], message(word))
    until(lambda: "4.2.2" in peer.log_text() or "452" in peer.log_text(), 20, lambda: f"no temporary refusal in {peer.title}'s log: {peer.log()}")
    until(lambda: peer.queue_length() == 1, 10, lambda: f"{peer.queue_length()} messages in {peer.title}'s queue: {peer.log()}")
    with imaplib.IMAP4("127.0.0.1", world.port("imap"), timeout=30) as client:
        client.login(account, account)
        client.select()
        client.store("1:*", "+FLAGS", "\\Deleted")
        client.expunge()
        # A message counts as queued before the peer has put it by for later, and a flush that comes in between passes it over: so again.
        for _ in range(6):
            peer.flush()
            with contextlib.suppress(AssertionError):
                until(lambda: client.noop() and int(client.select()[1][0]) >= 1, 5, "")
                break
        expect(int(client.select()[1][0]) >= 1, f"it did not come again: {peer.log()}")
        time.sleep(0.3)
        client.noop()
        expect_equal(int(client.select()[1][0]), 1, "once")
        expect(word.encode() in client.fetch("1", "(BODY.PEEK[HEADER])")[1][0][1], "the message")
    until(lambda: peer.queue_length() == 0, 10, lambda: f"{peer.title}'s queue is not empty: {peer.log()}")


@for_each(PEERS, seconds=180)
def sends_fifty_once_each(world, name):
    peer, word = world.peer(name), token()
    with smtplib.SMTP("127.0.0.1", peer.port, timeout=20) as client:
        for i in range(50):
            client.sendmail(f"user@{peer.domain}", [world.address("fetch")], message(f"{word} {i:02}", sender=f"user@{peer.domain}"))
    found = world.wait_mail("fetch", word, count=50, seconds=90)
    expect_equal(sorted(re.search(rb"Subject: " + word.encode() + rb" (\d\d)", m).group(1) for m in found), [b"%02d" % i for i in range(50)], "each once")


# --- we send to them

@for_each(NEW)
def takes_from_us(world, name):
    for tls in (False, True):
        peer, word = world.peer(name, tls), token()
        data = message(word, sender=world.address("alice"), to=f"user@{peer.domain}", body=DOTS, headers=MIME)
        submit(world, [f"user@{peer.domain}"], data)
        found = peer.wait_delivered(word)[0]
        expect_equal(without_trace(found), data, "bytes")
        top = found[:found.index(b"ESMTPSA")]  # What the peer wrote, above our own Received.
        # OpenSMTPD 6.8 offers STARTTLS and cannot speak it where OpenSSL is 3.0 (its issue 1171): then mail goes in clear (C11).
        wanted = tls and not (name == "opensmtpd" and "SSL routines" in peer.log_text())
        expect(any(sign in top for sign in (b"esmtps", b"TLS", b"ESMTPS")) == wanted, "STARTTLS was " + ("not used" if wanted else "used"), found[:900])
        nothing_waits(world, peer.domain)


@for_each(NEW)
def refuses_one_of_ours(world, name):
    """Several recipients, one of whom the peer does not know: the others have their mail, our user is told of the one."""
    peer, word = world.peer(name), token()
    ghost = f"ghost-{word}@{peer.domain}"
    submit(world, [f"user@{peer.domain}", ghost, f"other@{peer.domain}"], message(word, sender=world.address("relay")), sender="relay")
    peer.wait_delivered(word)
    peer.wait_delivered(word, "other")
    dsn = report(world, "relay", ghost).lower()
    for line in (b"return-path: <>", b"report-type", b"action: failed", b"status: 5.", b"final-recipient: rfc822;", b"diagnostic-code: smtp;", b"550"):
        expect(line in dsn, f"the report lacks {line}", dsn)
    expect_equal(len(re.findall(rb"(?m)^final-recipient:", dsn)), 1, "only the one is reported")
    nothing_waits(world, peer.domain)


@for_each(PEERS, seconds=180)
def takes_fifty_once_each(world, name):
    peer, word = world.peer(name), token()
    # While it is away, so that there is something to send over one connection.
    peer.stop()
    with submission(world) as client:
        for i in range(50):
            client.sendmail(f"alice@{DOMAIN}", [f"other@{peer.domain}"], message(f"{word} {i:02}", sender=world.address("alice")))
    peer.start()
    before = peer.connections()
    world.godwit("queue", "retry", "--site", peer.domain)
    found = peer.wait_delivered(word, "other", seconds=90, count=50)
    nothing_waits(world, peer.domain)
    expect_equal(sorted(re.search(rb"Subject: " + word.encode() + rb" (\d\d)", m).group(1) for m in peer.wait_delivered(word, "other", count=50)), [b"%02d" % i for i in range(50)], "each once")
    used = peer.connections() - before
    expect(1 <= used <= 25, f"{used} connections for {len(found)} messages: they are reused")


@for_each(PEERS)
def greylists_us(world, name):
    """451 at RCPT for one of two: the other is not sent again, the one comes with the next attempt (SMTP-BEHAVIOUR H1)."""
    peer, word = world.peer(name), token()
    submit(world, [f"user@{peer.domain}", f"grey@{peer.domain}"], message(word, sender=world.address("alice")))
    peer.wait_delivered(word)
    row = until(lambda: [r for r in waits(world, peer.domain) if r["attempts"] >= 1], 20, lambda: f"nothing is put off: {world.queue()}")[0]
    expect("4.7.1" in str(row), "the peer's words in the queue", row)
    world.godwit("queue", "retry", "--site", peer.domain)
    peer.wait_delivered(word, "grey")
    nothing_waits(world, peer.domain)
    expect_equal([len(peer.wait_delivered(word, user)) for user in ("user", "grey")], [1, 1], "each once")


class Cut:
    """In front of a peer's port: kills the peer when it says that it has taken a message, and says so to nobody."""

    TAKEN = re.compile(rb"(?im)^250[ -].*(queued|OK id=|accepted for)")

    def __init__(self, port, peer):
        self.peer, self.has_cut = peer, threading.Event()
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.peer.port), 10)
                except OSError:
                    client.close()
                    continue
                for source, target, is_server in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pump, args=(source, target, is_server), daemon=True).start()

    def _pump(self, source, target, is_server):
        with contextlib.suppress(OSError):
            source.settimeout(60)
            while data := source.recv(65536):
                if is_server and self.TAKEN.search(data) and not self.has_cut.is_set():
                    self.peer.kill()
                    self.has_cut.set()
                    break
                target.sendall(data)
        for s in (source, target):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@for_each(PEERS)
def dies_behind_our_dot(world, name):
    """E4: it has the message, and we never hear so. We try again; the message is there, at most twice, and nothing waits."""
    peer, word = world.peer(name), token()
    site = f"cut.{peer.domain}"
    data = message(word, sender=world.address("alice"), to=f"user@{site}")
    cut = Cut(world.peer_ports[site], peer)
    try:
        submit(world, [f"user@{site}"], data)
        expect(cut.has_cut.wait(20), f"{peer.title} never took it: {peer.log()}", world.queue())
        until(lambda: [r for r in waits(world, site) if r["attempts"] >= 1], 20, lambda: f"the outcome is not known to be unknown: {world.queue()}")
        peer.start()
        world.godwit("queue", "retry", "--site", site)
        nothing_waits(world, site)
        found = peer.wait_delivered(word)
        expect(len(found) <= 2, f"{len(found)} copies")
        for copy in found:
            expect_equal(without_trace(copy), data, "bytes")
    finally:
        cut.close()
        if not peer.is_running():
            peer.start()


# --- both ways

@for_each(PEERS, seconds=240)
def large_messages_both_ways(world, name):
    peer, words = world.peer(name), (token(), token())
    text = base64.encodebytes(os.urandom(5 * 1024 * 1024 * 3 // 4)).decode().replace("\n", "\r\n")
    out = message(words[0], body=text, sender=world.address("alice"), to=f"user@{peer.domain}")
    back = message(words[1], body=text, sender=f"user@{peer.domain}", to=world.address("carol"))
    expect(len(out) > 5 * 1024 * 1024, "5 MiB", len(out))
    submit(world, [f"user@{peer.domain}"], out)
    peer.submit(f"user@{peer.domain}", [world.address("carol")], back)
    for got, wanted in ((peer.wait_delivered(words[0], seconds=90)[0], out), (world.wait_mail("carol", words[1], seconds=90)[0], back)):
        got = without_trace(got)
        expect(got == wanted, f"bytes: {len(got)} of {len(wanted)}, the first difference at {next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b), 'the end')}")


@for_each(("postfix", "exim", "haraka"))
def smtputf8_both_ways(world, name):
    peer, word = world.peer(name), token()
    data = message(f"{word} Grüße", sender=world.address("alice+grüße"), to=f"jürgen@{peer.domain}", body="ü\r\n", headers=MIME)
    with submission(world) as client:
        client.send(f"MAIL FROM:<alice+grüße@{DOMAIN}> SMTPUTF8 BODY=8BITMIME\r\n".encode())
        expect_equal(client.getreply()[0], 250, "MAIL")
        client.send(f"RCPT TO:<jürgen@{peer.domain}>\r\n".encode())
        expect_equal(client.getreply()[0], 250, "RCPT")
        expect_equal(client.data(data)[0], 250, "DATA")
    expect_equal(without_trace(peer.wait_delivered(word, "jürgen")[0]), data, "bytes, to the peer")
    nothing_waits(world, peer.domain)
    word = token()
    data = message(f"{word} Grüße", sender=f"jürgen@{peer.domain}", to=world.address("carol+grüße"), body="ü\r\n", headers=MIME)
    with smtplib.SMTP("127.0.0.1", peer.port, timeout=20) as client:
        client.ehlo()
        client.send(f"MAIL FROM:<jürgen@{peer.domain}> SMTPUTF8 BODY=8BITMIME\r\n".encode())
        expect_equal(client.getreply()[0], 250, "MAIL")
        client.send(f"RCPT TO:<carol+grüße@{DOMAIN}>\r\n".encode())
        expect_equal(client.getreply()[0], 250, "RCPT")
        expect_equal(client.data(data)[0], 250, "DATA")
    expect_equal(without_trace(world.wait_mail("carol", word)[0]), data, "bytes, from the peer")


@case
def opensmtpd_has_no_smtputf8(world):
    """D8: a hop without SMTPUTF8 cannot have it; our user is told 5.6.7."""
    peer, word = world.peer("opensmtpd"), token()
    with submission(world, "relay") as client:
        client.send(f"MAIL FROM:<relay@{DOMAIN}> SMTPUTF8 BODY=8BITMIME\r\n".encode())
        expect_equal(client.getreply()[0], 250, "MAIL")
        client.send(f"RCPT TO:<jürgen-{word}@{peer.domain}>\r\n".encode())
        expect_equal(client.getreply()[0], 250, "RCPT")
        expect_equal(client.data(message(word, sender=world.address("relay"), body="ü\r\n", headers=MIME))[0], 250, "DATA")
    expect(b"status: 5.6.7" in report(world, "relay", word).lower(), "5.6.7")


@case
def exim_chunking_both_ways(world):
    """RFC 3030: Exim writes K into its log where a message went or came with BDAT."""
    peer, words = world.peer("exim"), (token(), token())
    submit(world, [f"user@{peer.domain}"], message(words[0], body=DOTS, headers=MIME))
    peer.submit(f"user@{peer.domain}", [world.address("carol")], message(words[1], body=DOTS, headers=MIME))
    peer.wait_delivered(words[0])
    world.wait_mail("carol", words[1])

    def lines(sign):
        return [l for l in peer.log_text().splitlines() if f" {sign} " in l]
    came = until(lambda: [l for l in lines("<=") if f"<= alice@{DOMAIN}" in l], 10, peer.log)
    expect(" K " in came[-1], "we send BDAT to a peer that offers CHUNKING", came[-1])
    went = until(lambda: [l for l in lines("=>") if f"=> {world.address('carol')}" in l], 10, peer.log)
    expect(" K " in went[-1], "Exim sends BDAT to us", went[-1])


assert len({c.case_name for c in CASES}) == len(CASES), "two cases have one name"
