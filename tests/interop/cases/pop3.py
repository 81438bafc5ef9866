"""POP3: Python's poplib, and a socket for pipelining and LANG."""
import base64
import poplib

from harness import DOMAIN, Raw, case, expect, expect_equal, message, token, without_trace
import smtplib


def fill(world, count=3, name="popper"):
    word = token()
    sent = [message(f"{word} {i}", body=f"Line one\r\n.dot\r\nLine {i}\r\n" + "x\r\n" * 20, to=world.address(name)) for i in range(count)]
    with smtplib.SMTP("127.0.0.1", world.port("smtp"), timeout=20) as client:
        for data in sent:
            client.sendmail(f"alice@{DOMAIN}", [world.address(name)], data)
    world.wait_mail(name, word, count)
    return word, sent


def login(world, name="popper", factory=None):
    client = factory or poplib.POP3("127.0.0.1", world.port("pop3"), timeout=20)
    client.user(name)
    client.pass_(name)
    return client


def empty(world, name="popper"):
    client = login(world, name)
    for i in range(1, client.stat()[0] + 1):
        client.dele(i)
    client.quit()


@case
def every_command(world):
    empty(world)
    word, sent = fill(world)
    client = login(world)
    capabilities = client.capa()
    for name in ("TOP", "UIDL", "USER", "PIPELINING", "RESP-CODES", "STLS", "SASL", "UTF8", "LANG"):
        expect(name in capabilities or (name == "STLS" and "STLS" in capabilities), f"CAPA lacks {name}", capabilities)
    count, size = client.stat()
    expect_equal(count, 3, "STAT")
    listed = client.list()[1]
    expect_equal(sum(int(l.split()[1]) for l in listed), size, "LIST adds up to STAT")
    for i, data in enumerate(sent, 1):
        got = b"\r\n".join(client.retr(i)[1]) + b"\r\n"
        expect_equal(len(got), int(listed[i - 1].split()[1]), "LIST says the size RETR gives")
        expect_equal(without_trace(got), data, "RETR")
    top = client.top(1, 2)[1]
    expect_equal(top[-2:], [b"Line one", b".dot"], "TOP")
    unique = [l.split()[1] for l in client.uidl()[1]]
    expect_equal(len(set(unique)), 3, "UIDL")
    expect(all(1 <= len(u) <= 70 and all(33 <= c <= 126 for c in u) for u in unique), "UIDL characters (RFC 1939 7)", unique)
    client.dele(2)
    for bad in (2, 0, 4, 99999):
        try:
            client.retr(bad)
            expect(False, f"RETR {bad}")
        except poplib.error_proto:
            pass
    client.rset()
    client.noop()
    client.dele(1)
    client.quit()
    client = login(world)
    expect_equal([l.split()[1] for l in client.uidl()[1]], unique[1:], "UIDL after the deletion")
    client.close()


@case
def drop_without_quit_deletes_nothing(world):
    fill(world, 1)
    client = login(world)
    count = client.stat()[0]
    client.dele(1)
    client.close()
    client = login(world)
    expect_equal(client.stat()[0], count, "messages after a lost connection (RFC 1939 6)")
    client.quit()


@case
def tls_both_ways(world):
    fill(world, 1)
    client = poplib.POP3("localhost", world.port("pop3"), timeout=20)
    client.stls(context=world.tls())
    expect("STLS" not in client.capa(), "STLS within TLS")
    login(world, factory=client).quit()
    login(world, factory=poplib.POP3_SSL("localhost", world.port("pop3s"), timeout=20, context=world.tls())).quit()


@case
def wrong_password_and_apop(world):
    for user, secret in (("popper", "no"), ("nobody-at-all", "x")):
        client = poplib.POP3("127.0.0.1", world.port("pop3"), timeout=20)
        client.user(user)
        try:
            client.pass_(secret)
            expect(False, "a wrong password was accepted")
        except poplib.error_proto as error:
            expect(b"[AUTH]" in error.args[0], "RFC 3206 [AUTH]", error.args)
    with Raw(world.port("pop3")) as raw:
        raw.line()
        raw.send("APOP popper c4c9334bac560ecc979e58001b3e22fb\r\n")
        expect(raw.line().startswith(b"-ERR"), "APOP is refused")


@case
def pipelined_and_sasl(world):
    word, _ = fill(world, 2)
    with Raw(world.port("pop3")) as raw:
        raw.line()
        raw.send("AUTH PLAIN " + base64.b64encode(b"\0popper\0popper").decode() + "\r\nSTAT\r\nNOOP\r\nUIDL 1\r\nLIST\r\n")
        expect(raw.line().startswith(b"+OK"), "AUTH PLAIN")
        expect(raw.line().startswith(b"+OK "), "STAT")
        expect(raw.line().startswith(b"+OK"), "NOOP")
        expect(raw.line().startswith(b"+OK 1 "), "UIDL 1")
        expect(raw.until(b".")[-1] == b".", "LIST")
        raw.send("LANG\r\n")
        expect(raw.until(b".")[0].startswith(b"+OK"), "LANG (RFC 6856 3.2)")
        raw.send("NONSENSE\r\nQUIT\r\n")
        expect(raw.line().startswith(b"-ERR"), "an unknown command")
        expect(raw.line().startswith(b"+OK"), "QUIT")


@case
def snapshot_beside_imap(world):
    """RFC 1939 8 and the promise that POP3 does not lock IMAP out."""
    word, _ = fill(world, 2)
    client = login(world)
    count = client.stat()[0]
    with world.imap("popper") as imap:
        imap.append("INBOX", None, None, message("later " + token()))
        expect_equal(int(imap.select("INBOX")[1][0]), count + 1, "IMAP sees the new one")
        expect_equal(client.stat()[0], count, "POP3 keeps its count")
        imap.store("1:*", "+FLAGS", "(\\Deleted)")
        imap.expunge()
    try:
        client.retr(1)
    except poplib.error_proto:
        pass
    client.quit()
    client = login(world)
    expect_equal(client.stat()[0], 0, "what IMAP expunged is gone")
    client.quit()
