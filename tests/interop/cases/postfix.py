"""Postfix on both sides: it sends to us over SMTP and LMTP, and takes what we relay, with and without STARTTLS."""
import json
import re
import smtplib
import time

from harness import DOMAIN, PLAIN_PEER, TLS_PEER, case, expect, expect_equal, message, token, without_trace


def submit(world, recipients, data, sender="alice"):
    client = smtplib.SMTP("localhost", world.port("submission"), timeout=20)
    client.starttls(context=world.tls())
    with client:
        client.login(sender, sender)
        return client.sendmail(f"{sender}@{DOMAIN}", recipients, data, mail_options=["BODY=8BITMIME"] if max(data) > 127 else [])


def wait_empty(world, word, seconds=20):
    """The queue holds nothing for word any more (by recipient or id)."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(word in json.dumps(entry) for entry in world.queue()):
            return
        time.sleep(0.2)
    expect(False, f"still queued: {word}", world.queue())


def wait_until(predicate, what, more, seconds=20):
    end = time.monotonic() + seconds
    while not predicate():
        expect(time.monotonic() < end, what, more())
        time.sleep(0.2)


@case(seconds=90)
def postfix_sends_over_smtp(world):
    for tls in (False, True):
        peer = world.postfix(tls)
        word = token()
        data = message(word, body="Dots:\r\n.\r\n..\r\nUmlaut ü\r\n", headers="MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n", to=world.address("carol"))
        peer.submit(f"sender@{peer.domain}", [world.address("carol")], data)
        found = world.wait_mail("carol", word)[0]
        expect_equal(without_trace(found), data, "bytes")
        expect((b"with ESMTPS" in found) == tls, "STARTTLS was " + ("used" if tls else "not used"), found[:600])


@case(seconds=90)
def postfix_sends_over_lmtp(world):
    peer = world.postfix()
    word = token()
    data = message(word)
    peer.submit(f"sender@{peer.domain}", [world.address("bob")], data)
    found = world.wait_mail("bob", word)[0]
    expect_equal(without_trace(found), data, "bytes")
    expect(b"LMTP" in found, "Received says LMTP (RFC 3848)", found[:500])


@case(seconds=90)
def postfix_bounces_what_we_refuse(world):
    peer = world.postfix()
    word = token()
    # The sender is a local user of Postfix, so the bounce lands in its maildir.
    peer.submit(f"other@{peer.domain}", [f"ghost-{word}@{DOMAIN}"], message(word))
    bounce = peer.wait_delivered(f"ghost-{word}", "other")[0]
    expect(b"5.1.1" in bounce, "enhanced status of an unknown user", bounce[-1500:])


@case(seconds=90)
def godwit_relays_to_postfix(world):
    for tls in (False, True):
        peer = world.postfix(tls)
        word = token()
        data = message(word, sender=world.address("alice"), to=f"user@{peer.domain}", body="Dots:\r\n.\r\n..\r\nUmlaut ü\r\n",
                       headers="MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n")
        before = len(peer.log_text())
        submit(world, [f"user@{peer.domain}"], data)
        found = peer.wait_delivered(word)[0]
        # virtual(8) puts Return-Path and Delivered-To on top; Postfix and we add Received.
        expect_equal(without_trace(found), data, "bytes")
        expect(b"ESMTPSA" in found, "our Received says how it was submitted", found[:900])
        # Postfix counts what it was asked as the session ends: "ehlo=1 mail=1 rcpt=1 bdat=1 quit=1".
        wait_until(lambda: re.search(r"disconnect from .* mail=.* bdat=", peer.log_text()[before:]), "BDAT, which both offer", peer.log_text)
        if tls:
            expect(b"using TLSv1.3" in found, "the relay used STARTTLS", found[:900])
        wait_empty(world, f"user@{peer.domain}")


@case(seconds=120)
def hundred_messages_to_postfix(world):
    peer = world.postfix()
    word = token()
    client = smtplib.SMTP("localhost", world.port("submission"), timeout=20)
    client.starttls(context=world.tls())
    with client:
        client.login("alice", "alice")
        for i in range(100):
            client.sendmail(f"alice@{DOMAIN}", [f"user@{peer.domain}", f"other@{peer.domain}"], message(f"{word} {i}", sender=world.address("alice")))
    for user in ("user", "other"):
        end = time.monotonic() + 60
        while (count := len([m for m in peer.delivered(user) if word.encode() in m])) < 100 and time.monotonic() < end:
            time.sleep(0.2)
        expect_equal(count, 100, f"copies for {user}: each once, none lost")


@case(seconds=90)
def dsn_when_postfix_refuses(world):
    peer = world.postfix()
    word = token()
    ghost = f"ghost-{word}@{peer.domain}"
    submit(world, [ghost, f"user@{peer.domain}"], message(word, sender=world.address("relay"), to=ghost), sender="relay")
    peer.wait_delivered(word)
    end = time.monotonic() + 30
    while True:
        with world.imap("relay") as client:
            numbers = client.search(None, "BODY", ghost)[1][0].split()
            if numbers:
                dsn = client.fetch(numbers[0], "(BODY.PEEK[])")[1][0][1]
                break
        expect(time.monotonic() < end, "no failure report came back")
        time.sleep(0.3)
    low = dsn.lower()
    expect(b"return-path: <>" in low, "a report has the null sender (RFC 3464 2)", dsn[:300])
    expect(b"content-type: multipart/report" in low and b"report-type=delivery-status" in low.replace(b'"', b""), "multipart/report", dsn[:1200])
    for line in (b"action: failed", b"status: 5.1.1", b"final-recipient: rfc822;", b"reporting-mta: dns;", b"diagnostic-code: smtp;"):
        expect(line in low, f"the report lacks {line}", dsn)
    expect(b"auto-submitted: auto-replied" in low, "RFC 3834 Auto-Submitted", dsn[:1200])
    expect(f"user@{peer.domain}".encode() not in b"".join(l for l in dsn.split(b"\r\n") if l.lower().startswith(b"final-recipient")), "the good recipient is not reported")
    wait_empty(world, ghost)


@case(seconds=120)
def loop_is_cut(world):
    """A message with a hundred Received lines is a loop (RFC 5321 6.3)."""
    trace = "".join(f"Received: from a.test by b.test with SMTP id {i}; Thu, 1 Jan 1970 00:00:00 +0000\r\n" for i in range(110))
    data = trace.encode() + message(token())
    with smtplib.SMTP("127.0.0.1", world.port("smtp"), timeout=20) as client:
        try:
            client.sendmail(f"alice@{DOMAIN}", [f"bob@{DOMAIN}"], data)
            expect(False, "a loop was accepted")
        except smtplib.SMTPDataError as error:
            expect(error.smtp_code in (554, 550), "loop", error)
