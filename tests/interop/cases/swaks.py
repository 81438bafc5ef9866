"""swaks: the tester that postmasters reach for."""
import json
import os
import re
import time

from harness import DISCARD, DOMAIN, HELD, case, expect, expect_equal, need, run, token, without_trace


def swaks(world, *words, port="smtp", codes=(0,), lmtp=False):
    need("swaks")
    out = run(["swaks", "--server", f"127.0.0.1:{world.port(port)}", "--timeout", "20", *([] if lmtp else ["--helo", "client.test"]), *words], codes=codes)[1]
    return out


def addresses(world, sender="alice", to="bob"):
    return ["--from", world.address(sender), "--to", world.address(to)]


def auth(name="alice", secret=None, mechanism="PLAIN"):
    return ["--auth", mechanism, "--auth-user", name, "--auth-password", secret or name]


@case
def plain(world):
    word = token()
    swaks(world, *addresses(world), "--header", f"Subject: {word}", "--body", "A line.\n.\n..two dots")
    expect(b"\r\n.\r\n..two dots\r\n" in world.wait_mail("bob", word)[0], "dots")


@case
def starttls(world):
    word = token()
    out = swaks(world, *addresses(world), "--tls", "--tls-verify", "--tls-ca-path", world.ca, "--tls-sni", "localhost", "--header", f"Subject: {word}")
    expect("TLS started" in out, "TLS", out)
    world.wait_mail("bob", word)


@case
def submission_with_auth(world):
    for mechanism in ("PLAIN", "LOGIN"):
        word = token()
        swaks(world, *addresses(world), "--tls", *auth(mechanism=mechanism), "--header", f"Subject: {word}", port="submission")
        world.wait_mail("bob", word)


@case
def tls_on_connect(world):
    word = token()
    swaks(world, *addresses(world), "--tls-on-connect", *auth(), "--header", f"Subject: {word}", port="submissions")
    expect(b"ESMTPSA" in world.wait_mail("bob", word)[0], "Received says ESMTPSA (RFC 3848)")


@case
def attachment(world):
    word = token()
    path = os.path.join(world.folder, "picture.bin")
    with open(path, "wb") as f:
        f.write(bytes(range(256)) * 4000)
    swaks(world, *addresses(world), "--header", f"Subject: {word}", "--attach-type", "application/octet-stream", "--attach", f"@{path}", "--attach-type", "text/plain", "--attach", "small")
    found = world.wait_mail("bob", word)[0]
    import email
    parts = [p.get_payload(decode=True) for p in email.message_from_bytes(found).walk() if not p.is_multipart()]
    expect(bytes(range(256)) * 4000 in parts, "the attachment comes back whole")


@case
def bad_auth_refused(world):
    out = swaks(world, *addresses(world), "--tls", *auth(secret="wrong"), port="submission", codes=(28,))
    expect("535" in out, "535", out)


@case
def no_auth_refused(world):
    out = swaks(world, *addresses(world), "--tls", port="submission", codes=(23, 24))
    expect("530" in out, "530", out)


@case
def relay_denied(world):
    out = swaks(world, "--from", "stranger@far.test", "--to", "someone@elsewhere.test", codes=(24,))
    expect(" 55" in out, "a refusal", out)


@case
def lmtp(world):
    word = token()
    swaks(world, *addresses(world), "--protocol", "LMTP", "--header", f"Subject: {word}", port="lmtp", lmtp=True)
    expect(without_trace(world.wait_mail("bob", word)[0]).startswith(b"Date: "), "the message as swaks made it")


@case
def pipelined_to_a_discarded_domain(world):
    swaks(world, "--from", world.address("alice"), "--to", f"one@{DISCARD},two@{DISCARD}", "--pipeline")


def held_with(world, recipient, seconds=15):
    """The queued delivery to recipient, as `queue show` has its message."""
    end = time.monotonic() + seconds
    while True:
        found = [e for e in world.queue() if recipient in json.dumps(e)]
        if found:
            return json.loads(world.godwit("queue", "show", str(found[0]["id"]), "--json")[1])
        expect(time.monotonic() < end, f"nothing queued for {recipient}", world.queue())
        time.sleep(0.2)


@case
def forwarding_with_srs(world):
    target = f"{token()}@{HELD}"
    world.godwit("account", "add", "fwd", "--password", "fwd-password")
    try:
        world.godwit("account", "forward", "fwd", "--to", target)
        swaks(world, "--from", "Ann.B@far.test", "--to", world.address("fwd"))
        sender = held_with(world, target)["sender"]
        expect(re.fullmatch(rf"SRS0=[A-Z2-7]{{6}}=[A-Z2-7]{{2}}=far\.test=Ann\.B@{re.escape(DOMAIN)}", sender), "an SRS0 address", sender)
        # The report comes back, also in small letters; a forged one does not.
        swaks(world, "--from", "<>", "--to", sender.lower(), "--quit-after", "RCPT")
        forged = sender[:5] + ("AAAAAA" if sender[5:11] != "AAAAAA" else "BBBBBB") + sender[11:]
        out = swaks(world, "--from", "<>", "--to", forged, "--quit-after", "RCPT", codes=(24,))
        expect("550 5.1.1" in out, "a forged one", out)
        # What the old key signed still holds; not when it is forgotten.
        world.godwit("srs", "rotate")
        swaks(world, "--from", "<>", "--to", sender, "--quit-after", "RCPT")
        world.godwit("srs", "rotate", "--forget-old")
        out = swaks(world, "--from", "<>", "--to", sender, "--quit-after", "RCPT", codes=(24,))
        expect("550 5.1.1" in out, "a forgotten key", out)
    finally:
        world.godwit("account", "remove", "fwd")


@case
def domain_aliases_groups_and_grants(world):
    world.godwit("domain", "add", "old.test", "--alias-of", DOMAIN)
    try:
        word = token()
        swaks(world, "--from", "ann@far.test", "--to", "bob@old.test", "--header", f"Subject: {word}")
        world.wait_mail("bob", word)
        target = f"{token()}@{HELD}"
        world.godwit("alias", "add", "crew", "bob", target, "--owner", "carol")
        swaks(world, "--from", "ann@far.test", "--to", "crew@old.test")
        expect_equal(held_with(world, target)["sender"], world.address("carol"), "the owner answers for the group")
        out = swaks(world, "--from", world.address("bob"), "--to", world.address("carol"), "--tls", *auth(), "--quit-after", "RCPT", port="submission", codes=(23,))
        expect("553 5.7.1" in out and "yours are" in out, "not granted", out)
        world.godwit("account", "allow-sender", "alice", "bob")
        swaks(world, "--from", world.address("bob"), "--to", world.address("carol"), "--tls", *auth(), "--quit-after", "RCPT", port="submission")
        world.godwit("account", "deny-sender", "alice", "bob")
    finally:
        world.godwit("alias", "remove", "crew", check=False)
        world.godwit("domain", "remove", "old.test")
