"""fetchmail: takes mail away over POP3 and IMAP."""
import os
import smtplib

from harness import DOMAIN, case, expect, expect_equal, message, need, run, token


def fetch(world, home, protocol, port, options, poll=""):
    with open(home + "/rc", "w") as f:
        f.write(f'poll localhost protocol {protocol} port {world.port(port)} {poll} user "fetch" password "fetch" mda "cat >> {home}/box" {options}\n')
    os.chmod(home + "/rc", 0o600)
    # 1: there was no mail.
    return run(["fetchmail", "-f", home + "/rc", "--nosyslog", "-v", "--idfile", home + "/ids", "--pidfile", home + "/pid"], codes=(0, 1), env={"HOME": home, "FETCHMAILHOME": home}, seconds=40)


def session(world, protocol, port, options, poll=""):
    need("fetchmail")
    home = os.path.join(world.folder, f"fetchmail-{token()}")
    os.makedirs(home, mode=0o700)
    fetch(world, home, protocol, port, options, poll)
    open(home + "/box", "w").close()
    word = token()
    with smtplib.SMTP("127.0.0.1", world.port("smtp"), timeout=20) as client:
        for i in range(5):
            client.sendmail(f"alice@{DOMAIN}", [world.address("fetch")], message(f"{word} {i}", body=".dot\r\n\r\nFrom here\r\n"))
    world.wait_mail("fetch", word, 5)
    out = fetch(world, home, protocol, port, options, poll)[1]
    box = open(home + "/box").read()
    expect_equal(box.count(word), 5, f"messages fetched: {out[-600:]}")
    expect_equal(box.count("\n.dot\n"), 5, "dots")
    code, _ = fetch(world, home, protocol, port, options, poll)
    expect_equal(code, 1, "nothing left the second time")


@case
def pop3(world):
    session(world, "pop3", "pop3", "sslproto ''")


@case
def pop3s_keeping_by_uidl(world):
    session(world, "pop3", "pop3s", f"ssl sslcertfile \"{world.ca}\" sslcertck keep", "uidl")


@case
def imap_with_starttls(world):
    session(world, "imap", "imap", f"sslproto tls1.2+ sslcertfile \"{world.ca}\" sslcertck")
