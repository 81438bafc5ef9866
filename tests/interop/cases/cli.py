"""The command line: send, sendmail, queue, message show, accounts."""
import json
import os
import re
import smtplib
import time

from harness import DISCARD, DOMAIN, HELD, case, expect, expect_equal, message, run, token


def submit(world, recipients, data):
    """Hands in as alice; gives back the id that the 250 names."""
    client = smtplib.SMTP("localhost", world.port("submission"), timeout=20)
    client.starttls(context=world.tls())
    with client:
        client.login("alice", "alice")
        client.ehlo_or_helo_if_needed()
        client.mail(f"alice@{DOMAIN}")
        for recipient in recipients:
            code, text = client.rcpt(recipient)
            expect(code == 250, recipient, text)
        code, text = client.data(data)
    expect(code == 250, "DATA", text)
    found = re.search(rb"(?:queued|delivered) as (\S+)", text)
    expect(found, "the 250 names the id", text)
    return found.group(1).decode()


def held(world, recipient):
    return [e for e in world.queue() if recipient in json.dumps(e)]


def identifier(entry):
    return str(entry.get("id") or entry.get("queue_id"))


@case
def send(world):
    word = token()
    path = os.path.join(world.folder, "attached.bin")
    with open(path, "wb") as f:
        f.write(bytes(range(256)))
    run([world.program, "send", "--server", f"127.0.0.1:{world.port('submission')}", "--user", "alice", "--password", "alice", "--ca", world.ca, "--from", world.address("alice"),
         "--to", world.address("bob"), "--subject", f"Grüße {word}", "--attach", path], text="Ein Text.\n")
    end = time.monotonic() + 15
    while True:
        with world.imap("bob") as client:
            numbers = client.search("UTF-8", "SUBJECT", word)[1][0].split()
            if numbers:
                import email
                parts = [p.get_payload(decode=True) for p in email.message_from_bytes(client.fetch(numbers[0], "(BODY.PEEK[])")[1][0][1]).walk() if not p.is_multipart()]
                expect(bytes(range(256)) in parts, "the attachment", [len(p) for p in parts])
                return
        expect(time.monotonic() < end, "the message did not arrive")
        time.sleep(0.2)


@case
def sendmail(world):
    word = token()
    world.godwit("sendmail", "-t", "-i", "-f", world.address("alice"), text=f"From: alice@{DOMAIN}\nTo: bob@{DOMAIN}\nBcc: carol@{DOMAIN}\nSubject: {word}\n\nline\n.\nafter the dot\n")
    for name in ("bob", "carol"):
        found = world.wait_mail(name, word)[0]
        expect(b"after the dot" in found and b"\r\n.\r\n" in found, "-i keeps lone dots", found)
        expect(b"bcc:" not in found.lower(), "Bcc is gone", found)


@case
def queue_hold_show_release_delete(world):
    word = token()
    recipient = f"{word}@{HELD}"
    name = submit(world, [recipient], message(word, sender=world.address("alice"), to=recipient))
    entries = held(world, recipient)
    expect_equal(len(entries), 1, "entries in the queue")
    shown = json.loads(world.godwit("queue", "show", identifier(entries[0]), "--json")[1])
    expect(recipient in json.dumps(shown), "queue show", shown)
    world.godwit("queue", "hold", identifier(entries[0]))
    world.godwit("queue", "release", identifier(entries[0]))
    world.godwit("queue", "retry", identifier(entries[0]))
    expect(recipient in world.godwit("queue", "list")[1], "queue list for people")
    story = world.godwit("message", "show", name)[1]
    expect(recipient in story, "message show tells what happened", story)
    world.godwit("queue", "delete", identifier(entries[0]))
    expect_equal(held(world, recipient), [], "after queue delete")
    expect_equal(world.godwit("queue", "show", "no-such-id", check=False)[0], 1, "exit code when not found")


@case
def discard_accepts_and_drops(world):
    word = token()
    name = submit(world, [f"{word}@{DISCARD}"], message(word, sender=world.address("alice")))
    end = time.monotonic() + 10
    while held(world, f"{word}@{DISCARD}"):
        expect(time.monotonic() < end, "still queued", world.queue())
        time.sleep(0.1)
    expect(f"{word}@{DISCARD}" in world.godwit("message", "show", name)[1], "message show remembers it")


@case
def accounts_domains_aliases(world):
    word = token()
    domain = f"{word}.test"
    world.godwit("domain", "add", domain)
    expect(domain in world.godwit("domain", "list")[1], "domain list")
    expect(domain in json.dumps(json.loads(world.godwit("domain", "list", "--json")[1])), "domain list --json")
    world.godwit("account", "add", f"new@{domain}", "--password", "first")
    world.godwit("alias", "add", f"both@{domain}", f"new@{domain}", world.address("bob"))
    expect(f"new@{domain}" in world.godwit("account", "list")[1], "account list")
    expect(f"both@{domain}" in world.godwit("alias", "list")[1], "alias list")
    with smtplib.SMTP("127.0.0.1", world.port("smtp"), timeout=20) as client:
        client.sendmail(f"x@{DOMAIN}", [f"both@{domain}"], message(word))
    world.wait_mail("bob", word)
    import imaplib

    def login(secret):
        imaplib.IMAP4("127.0.0.1", world.port("imap"), timeout=20).login(f"new@{domain}", secret)
    login("first")
    world.godwit("account", "passwd", f"new@{domain}", "--password", "second")
    login("second")
    try:
        login("first")
        expect(False, "the old password still works")
    except imaplib.IMAP4.error:
        pass
    world.godwit("alias", "remove", f"both@{domain}")
    world.godwit("account", "remove", f"new@{domain}")
    world.godwit("domain", "remove", domain)
    expect(domain not in world.godwit("domain", "list")[1], "domain is gone")


@case
def usage_errors(world):
    expect_equal(run([world.program, "frobnicate"], check=False)[0], 2, "exit code of an unknown command")
    expect_equal(run([world.program, "queue", "list", "--nonsense"], check=False)[0], 2, "exit code of an unknown option")
    expect("queue" in run([world.program, "--help"])[1], "--help")
    expect(re.search(r"\d+\.\d+", run([world.program, "--version"])[1]), "--version")
    empty = os.path.join(world.folder, "nobody-home")
    code, out = run([world.program, "sendmail", "-t", "--dir", empty], text="To: x@y.test\n\nhi\n", check=False)
    expect_equal(code, 75, f"sendmail without a server: {out}")


@case
def config_check_names_the_line(world):
    path = os.path.join(world.folder, "godwit.toml")
    run([world.program, "init", "--hostname", "mx.example.org", "--domain", "example.org", "--dir", os.path.join(world.folder, "made")])
    with open(path, "w") as f:
        f.write('hostname = "mx.example.org"\n\nhostnam = "typo"\n')
    code, out = run([world.program, "config", "check", "--config", path], check=False)
    expect(code != 0 and "3" in out and "hostname" in out, "the line and the nearest key", code, out)
