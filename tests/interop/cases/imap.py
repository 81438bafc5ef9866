"""IMAP: everything Python's imaplib offers, and a socket for IDLE, LITERAL+ and pipelining."""
import base64
import imaplib
import random
import re
import socket
import ssl
import time

from harness import DOMAIN, Raw, case, expect, expect_equal, message, sha, token

# Messages that break careless servers; each must come back byte for byte.
ODD = {
    "empty body": b"From: a@b.test\r\nSubject: empty\r\n\r\n",
    "no header": b"\r\njust a body\r\n",
    "header only": b"Subject: no blank line\r\n",
    "no last newline": b"Subject: x\r\n\r\nend without newline",
    "one byte": b"x",
    "nul free eight bit": b"Subject: \xe4\xf6\xfc\r\n\r\n" + bytes(range(1, 256)).replace(b"\r", b"").replace(b"\n", b"") + b"\r\n",
    "bare newlines": b"Subject: bare\n\nline one\nline two\n",
    "bare returns": b"Subject: cr\r\n\r\na\rb\r\r\nc\r\n",
    "long line": b"Subject: long\r\n\r\n" + b"y" * 200_000 + b"\r\n",
    "long header": b"Subject: " + b"word " * 5_000 + b"\r\n\r\nbody\r\n",
    "deep multipart": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(60)) + b"\r\nbottom\r\n",
    "missing boundary": b"Content-Type: multipart/mixed\r\n\r\n--\r\nno boundary\r\n",
    "unclosed multipart": b"Content-Type: multipart/mixed; boundary=q\r\n\r\npreamble\r\n--q\r\nContent-Type: text/plain\r\n\r\npart",
    "attached message": b"Content-Type: message/rfc822\r\n\r\nFrom: in@side.test\r\nSubject: =?utf-8?q?=E2=82=AC?=\r\n\r\ninner\r\n",
    "bad encoded word": b"Subject: =?utf-8?b?////?= =?nope?x?y?=\r\nFrom: =?x\r\n\r\n.\r\n",
    "dots": b"Subject: dots\r\n\r\n.\r\n..\r\n.\r\n",
    "folded oddly": b"Subject: a\r\n b\r\n\tc\r\n \r\n d\r\nTo: (comment (nested)) <x@y.test>, group: a@b.test, c@d.test;\r\n\r\nbody\r\n",
    "quotes and parentheses": b'From: "a \\"quoted\\" (name)" <"odd local"@b.test>\r\nSubject: "(){ %*\\]"\r\n\r\n{5}\r\nabcde)\r\n',
}


@case
def every_command(world):
    box, other, word = f"Box-{token()}", f"Other {token()}", token()
    client = imaplib.IMAP4("127.0.0.1", world.port("imap"), timeout=20)
    expect("IMAP4REV1" in client.capabilities, "CAPABILITY", client.capabilities)
    expect("SASL-IR" in client.capabilities, "CAPABILITY before login lacks SASL-IR", client.capabilities)

    def ok(answer):
        expect(answer[0] == "OK", "not OK", answer)
        return answer[1]
    ok(client.noop())
    ok(client.login("basic", "basic"))
    ok(client.capability())
    for name in ("IDLE", "NAMESPACE", "UIDPLUS", "LITERAL+", "UNSELECT", "ID", "ENABLE", "CHILDREN", "MOVE", "SPECIAL-USE"):
        expect(name.encode() in ok(client.capability())[0].upper().split(), f"CAPABILITY lacks {name}")
    expect(b"((" in ok(client.namespace())[0], "NAMESPACE")
    ok(client.create(box))
    ok(client.create(f'"{other}"'))
    expect(any(box.encode() in line for line in ok(client.list())), "LIST")
    ok(client.list('""', '"%"'))
    ok(client.subscribe(box))
    expect(any(box.encode() in line for line in ok(client.lsub())), "LSUB")
    ok(client.unsubscribe(box))
    expect_equal(ok(client.select(box)), [b"0"], "SELECT of an empty mailbox")
    for item in ("UIDVALIDITY", "UIDNEXT", "PERMANENTFLAGS", "FLAGS"):
        expect(client.response(item)[1] != [None], f"SELECT answers {item}")
    date = imaplib.Time2Internaldate(1_600_000_000)
    for i in range(5):
        answer = ok(client.append(box, "(\\Seen $Keyword)" if i == 0 else None, date, message(f"{word} number{i}", body=f"Body number{i} needle{i % 2}\r\n")))
        expect(re.search(rb"\[APPENDUID \d+ \d+\]", answer[0]), "APPENDUID (RFC 4315)", answer)
    expect_equal(ok(client.select(box)), [b"5"], "EXISTS")
    ok(client.check())
    status = ok(client.status(box, "(MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)"))[0]
    expect(b"MESSAGES 5" in status and b"UNSEEN 4" in status, "STATUS", status)
    # SEARCH, every kind of key.
    for key, wanted in [("ALL", 5), ("SEEN", 1), ("UNSEEN", 4), ("KEYWORD $Keyword", 1), ("UNKEYWORD $Keyword", 4), (f'SUBJECT "{word}"', 5), ("SUBJECT number3", 1), ('BODY "needle1"', 2),
                        ('TEXT "number4"', 1), ('FROM "alice"', 5), ('TO "bob"', 5), ('CC "bob"', 0), ("HEADER Message-ID client.test", 5), ("BEFORE 14-Sep-2020", 5), ("ON 13-Sep-2020", 5),
                        ("SINCE 14-Sep-2020", 0), ("SENTBEFORE 2-Jan-1970", 5), ("LARGER 10", 5), ("SMALLER 10", 0), ("2:3", 2), ("UID 1:*", 5), ("NOT 1", 4), ("OR 1 2", 2), ("(SEEN 1)", 1),
                        ("OR (SUBJECT number1) NOT (UNSEEN)", 2), ("ANSWERED", 0), ("UNANSWERED", 5), ("DELETED", 0), ("DRAFT", 0), ("FLAGGED", 0), ("NEW", None), ("OLD", None), ("RECENT", None)]:
        found = ok(client.search(None, key))[0].split()
        if wanted is not None:
            expect_equal(len(found), wanted, f"SEARCH {key}")
    expect_equal(len(ok(client.search("UTF-8", 'SUBJECT "number"'))[0].split()), 5, "SEARCH CHARSET")
    # FETCH, every item.
    for item in ("FLAGS", "UID", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE", "ALL", "FAST", "FULL", "RFC822.HEADER", "RFC822.TEXT", "RFC822", "BODY.PEEK[]", "BODY.PEEK[HEADER]",
                 "BODY.PEEK[TEXT]", "BODY.PEEK[1]", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]", "BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT)]", "BODY.PEEK[]<0.20>", "(UID FLAGS BODY.PEEK[TEXT]<5.3>)"):
        got = ok(client.fetch("2", item if item.startswith("(") or item in ("ALL", "FAST", "FULL") else f"({item})"))
        expect(got and got[0], f"FETCH {item}", got)
    envelope = ok(client.fetch("3", "(ENVELOPE)"))[0]
    expect(f"{word} number2".encode() in envelope and b'"bob" "example.test"' in envelope, "ENVELOPE", envelope)
    expect(b"13-Sep-2020" in ok(client.fetch("1", "(INTERNALDATE)"))[0], "INTERNALDATE")
    expect(b"\\Seen" in ok(client.fetch("2", "(FLAGS)"))[0], "RFC822 sets \\Seen")
    # STORE, COPY, MOVE, EXPUNGE.
    expect(b"\\Flagged" in ok(client.store("3", "+FLAGS", "(\\Flagged)"))[0], "STORE +FLAGS")
    expect(b"\\Flagged" not in ok(client.store("3", "-FLAGS", "(\\Flagged)"))[0], "STORE -FLAGS")
    expect(b"\\Answered" in ok(client.store("3", "FLAGS", "(\\Answered custom)"))[0], "STORE FLAGS")
    expect_equal(ok(client.store("3", "+FLAGS.SILENT", "(\\Draft)")), [None], "SILENT")
    expect(re.search(rb"\[COPYUID \d+ \S+ \S+\]", ok(client.copy("1:3", f'"{other}"'))[0]), "COPYUID (RFC 4315)")
    expect(b"MESSAGES 3" in ok(client.status(f'"{other}"', "(MESSAGES)"))[0], "COPY")
    first = re.search(rb"UID (\d+)", ok(client.fetch("4", "(UID)"))[0]).group(1).decode()
    ok(client.uid("MOVE", first, f'"{other}"'))
    expect(b"MESSAGES 4" in ok(client.status(f'"{other}"', "(MESSAGES)"))[0], "MOVE")
    ok(client.store("1:2", "+FLAGS", "(\\Deleted)"))
    uid = re.search(rb"UID (\d+)", ok(client.fetch("1", "(UID)"))[0]).group(1).decode()
    ok(client.uid("EXPUNGE", uid))
    ok(client.noop())
    ok(client.expunge())
    expect(b"MESSAGES 2" in ok(client.status(box, "(MESSAGES)"))[0], "EXPUNGE")
    ok(client.unselect())
    ok(client.select(box, readonly=True))
    client.store("1", "+FLAGS", "(\\Flagged)")
    ok(client.close())
    ok(client.select(box))
    expect(b"\\Flagged" not in ok(client.fetch("1", "(FLAGS)"))[0], "STORE in EXAMINE changes nothing")
    ok(client.close())
    ok(client.rename(box, box + "2"))
    expect_equal(client.select(box)[0], "NO", "the old name is gone")
    ok(client.delete(box + "2"))
    ok(client.delete(f'"{other}"'))
    expect_equal(client.delete("INBOX")[0], "NO", "DELETE INBOX")
    expect_equal(client.create("INBOX")[0], "NO", "CREATE INBOX")
    expect_equal(client.logout()[0], "BYE", "LOGOUT")


@case
def logins(world):
    for mechanism in ("LOGIN", "PLAIN"):
        client = imaplib.IMAP4("localhost", world.port("imap"), timeout=20)
        client.starttls(world.tls())
        if mechanism == "LOGIN":
            client.login(f"basic@{DOMAIN}", "basic")
        else:
            client.authenticate("PLAIN", lambda _: b"\0basic\0basic")
        client.logout()
    for user, secret in (("basic", "wrong"), ("nobody-at-all", "x"), ("", "")):
        client = imaplib.IMAP4("127.0.0.1", world.port("imap"), timeout=20)
        try:
            client.login(user or '""', secret)
            expect(False, f"login as {user!r} with {secret!r}")
        except imaplib.IMAP4.error as error:
            expect("AUTHENTICATIONFAILED" in str(error) or not user, "RFC 5530", error)
    imaplib.IMAP4_SSL("localhost", world.port("imaps"), ssl_context=world.tls(), timeout=20).login("basic", "basic")
    with Raw(world.port("imap")) as raw:
        raw.line()
        raw.imap("a", "AUTHENTICATE PLAIN " + base64.b64encode(b"\0basic\0basic").decode())
        raw.imap("b", "SELECT INBOX")
        raw.imap("c", 'ID ("name" "interop")')
        raw.imap("d", "ENABLE UTF8=ACCEPT IMAP4rev2 NOSUCH")
        raw.imap("e", "LOGIN basic basic", b"BAD")


@case
def odd_messages_come_back(world):
    box = f"Odd{token()}"
    with world.imap("bytes", None) as client:
        client.create(box)
        sent = []
        for name, data in ODD.items():
            # imaplib rewrites line ends in append(): say it by hand.
            with Raw(world.port("imap")) as raw:
                raw.line()
                raw.imap("a", "LOGIN bytes bytes")
                raw.send(b"b APPEND %b {%d+}\r\n" % (box.encode(), len(data)) + data + b"\r\n")
                lines = raw.until(b"b ")
                expect(lines[-1].startswith(b"b OK"), f"APPEND of {name}", lines)
            sent.append((name, data))
        client.select(box)
        for i, (name, data) in enumerate(sent, 1):
            got = client.fetch(str(i), "(RFC822.SIZE BODY.PEEK[])")[1][0]
            expect_equal(got[1], data, name)
            expect(f"RFC822.SIZE {len(data)}".encode() in got[0], f"size of {name}", got[0])
            for item in ("ENVELOPE", "BODYSTRUCTURE", "BODY.PEEK[HEADER]", "BODY.PEEK[TEXT]", "BODY.PEEK[1]", "BODY.PEEK[1.2.3]"):
                answer = client.fetch(str(i), f"({item})")
                expect(answer[0] == "OK", f"{item} of {name}", answer)
            whole = client.fetch(str(i), "(BODY.PEEK[HEADER] BODY.PEEK[TEXT])")[1]
            expect_equal(b"".join(p[1] for p in whole if isinstance(p, tuple)), data, f"HEADER and TEXT of {name} join")
            middle = len(data) // 2
            if middle:
                halves = [client.fetch(str(i), f"(BODY.PEEK[]<{a}.{n}>)")[1][0][1] for a, n in ((0, middle), (middle, len(data)))]
                expect_equal(b"".join(halves), data, f"two halves of {name}")
        client.delete(box)


@case
def binary_parts_come_back(world):
    """RFC 3516: attachments of any size without their base64, whole and in pieces, the size as promised."""
    random.seed(12)
    box = f"Binary{token()}"
    with Raw(world.port("imap"), timeout=60) as raw:
        raw.line()
        raw.imap("a", "LOGIN bytes bytes")
        raw.imap("b", f"CREATE {box}")
        wanted = [random.randbytes(size) for size in (0, 1, 49_151, 49_152, 49_153, 98_304, 3_000_000)]
        for data in wanted:
            whole = b"Subject: b\r\nContent-Type: application/x-thing\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(data).replace(b"\n", b"\r\n")
            raw.send(b"c APPEND %b {%d+}\r\n" % (box.encode(), len(whole)) + whole + b"\r\n")
            expect(raw.until(b"c ")[-1].startswith(b"c OK"), "APPEND")
        raw.imap("d", f"SELECT {box}")

        def fetch(number, item):
            raw.send(f"e FETCH {number} ({item})\r\n")
            line = raw.line()
            found = re.search(rb"(~?)\{(\d+)\}$", line)
            expect(found, item, line)
            size = int(found.group(2))
            while len(raw.buffer) < size:
                raw.buffer += raw.socket.recv(1 << 20)
            data, raw.buffer = raw.buffer[:size], raw.buffer[size:]
            expect_equal(raw.line(), b")", "the end of FETCH")
            expect(raw.line().startswith(b"e OK"), "FETCH")
            expect_equal(found.group(1) == b"~", b"\0" in data, "literal8 where there are NULs")
            return data
        for number, data in enumerate(wanted, 1):
            expect(b"BINARY.SIZE[1] %d)" % len(data) in b"".join(raw.imap("f", f"FETCH {number} BINARY.SIZE[1]")), "BINARY.SIZE", len(data))
            expect(fetch(number, "BINARY.PEEK[1]") == data, "decoded octets", len(data))
            for origin, count in ((0, 10), (49_150, 70_000), (len(data) - 3 if len(data) > 3 else 0, 100), (5_000_000, 1)):
                expect(fetch(number, f"BINARY.PEEK[1]<{origin}.{count}>") == data[origin:origin + count], "a piece", len(data), origin, count)
        raw.imap("g", f"DELETE {box}")


@case(seconds=90)
def random_bytes_come_back(world):
    box = f"Random{token()}"
    random.seed(11)
    with Raw(world.port("imap"), timeout=60) as raw:
        raw.line()
        raw.imap("a", "LOGIN bytes bytes")
        raw.imap("b", f"CREATE {box}")
        wanted = []
        for size in (0, 1, 2, 4095, 4096, 4097, 65535, 65536, 65537, 300_000, 5_000_000):
            data = b"Subject: r\r\n\r\n" + random.randbytes(size).replace(b"\0", b"\1")
            wanted.append(data)
            raw.send(b"c APPEND %b {%d}\r\n" % (box.encode(), len(data)))
            expect(raw.line().startswith(b"+"), "continuation")
            raw.send(data + b"\r\n")
            expect(raw.until(b"c ")[-1].startswith(b"c OK"), "APPEND")
    with world.imap("bytes", box) as client:
        for i, data in enumerate(wanted, 1):
            expect_equal(sha(client.fetch(str(i), "(BODY.PEEK[])")[1][0][1]), sha(data), f"message of {len(data)} bytes")
        client.delete(box)


@case
def idle_tells_at_once(world):
    with Raw(world.port("imap")) as watcher:
        watcher.line()
        watcher.imap("a", "LOGIN idler idler")
        before = next(int(l.split()[1]) for l in watcher.imap("b", "SELECT INBOX") if l.endswith(b" EXISTS"))
        watcher.send("c IDLE\r\n")
        expect(watcher.line().startswith(b"+"), "continuation")
        started = time.monotonic()
        with world.imap("idler") as client:
            client.append("INBOX", None, None, message(token()))
            line = watcher.until(f"* {before + 1} EXISTS".encode())[-1]
            expect(time.monotonic() - started < 5, "EXISTS took long", line)
            client.store(str(before + 1), "+FLAGS", "(\\Flagged)")
            expect(b"\\Flagged" in watcher.until(f"* {before + 1} FETCH".encode())[-1], "FETCH of new flags")
            client.store(str(before + 1), "+FLAGS", "(\\Deleted)")
            client.expunge()
            watcher.until(f"* {before + 1} EXPUNGE".encode())
        watcher.send("DONE\r\n")
        expect(watcher.until(b"c ")[-1].startswith(b"c OK"), "IDLE ends")
        # Mail over SMTP wakes it too.
        watcher.send("d IDLE\r\n")
        expect(watcher.line().startswith(b"+"), "continuation")
        import smtplib
        with smtplib.SMTP("127.0.0.1", world.port("smtp"), timeout=20) as smtp:
            smtp.sendmail(f"alice@{DOMAIN}", [world.address("idler")], message(token()))
        watcher.until(f"* {before + 1} EXISTS".encode())
        watcher.send("DONE\r\n")
        watcher.until(b"d ")
        watcher.imap("e", "STORE 1:* +FLAGS (\\Deleted)")
        watcher.imap("f", "CLOSE")


@case
def numbers_hold_until_said(world):
    """RFC 3501 7.4.1: no EXPUNGE while FETCH, STORE or SEARCH runs; the other session keeps its numbers."""
    box = f"Numbers{token()}"
    with world.imap("idler", None) as client:
        client.create(box)
        for i in range(4):
            client.append(box, None, None, message(f"n{i}"))
        client.select(box)
        with Raw(world.port("imap")) as other:
            other.line()
            other.imap("a", "LOGIN idler idler")
            other.imap("b", f"SELECT {box}")
            client.store("2", "+FLAGS", "(\\Deleted)")
            client.expunge()
            lines = other.imap("c", "FETCH 4 (UID)")
            expect(any(l.startswith(b"* 4 FETCH") for l in lines) and not any(l.endswith(b"EXPUNGE") for l in lines), "FETCH in the old numbering", lines)
            lines = other.imap("d", "NOOP")
            expect(b"* 2 EXPUNGE" in lines, "NOOP tells", lines)
            expect(any(l.startswith(b"* 3 FETCH") for l in other.imap("e", "FETCH 3 (UID)")), "the new numbering")
        client.delete(box)


@case
def pipelined_commands(world):
    with Raw(world.port("imap")) as raw:
        raw.line()
        raw.send("a LOGIN basic basic\r\nb SELECT INBOX\r\nc NOOP\r\nd UID SEARCH ALL\r\ne LOGOUT\r\n")
        for tag in (b"a", b"b", b"c", b"d", b"e"):
            expect(raw.until(tag + b" ")[-1].split()[1] == b"OK", f"tag {tag}")
        expect(raw.closed(), "closed after LOGOUT")


@case
def bad_input_is_bad(world):
    with Raw(world.port("imap")) as raw:
        raw.line()
        for line in ("a", "a NOSUCH", "a SELECT INBOX", "a LOGIN x", "a UID", "a FETCH 1 (FLAGS)"):
            raw.send(line + "\r\n")
            got = raw.line()
            expect(got.split()[1] in (b"BAD", b"NO"), line, got)
        raw.imap("b", "LOGIN basic basic")
        raw.imap("c", "SELECT INBOX")
        for line in ("FETCH", "FETCH 0 (FLAGS)", "FETCH 1:* (NOSUCH)", "FETCH abc (FLAGS)", "STORE 1 FLAGS", "SEARCH", "SEARCH NOSUCH", "UID FETCH 1:* ((((", "APPEND INBOX", "LIST", "FETCH 4294967296 (FLAGS)"):
            raw.send(f"d {line}\r\n")
            got = raw.until(b"d ")[-1]
            expect(got.split()[1] == b"BAD", line, got)
        raw.send("e APPEND INBOX {99999999999}\r\n")
        got = raw.line()
        expect(got.split()[1] in (b"BAD", b"NO"), "a literal of 100 GB", got)


@case
def mailbox_names(world):
    names = ["Entwürfe", "日本語", "a/b/c", "with space", 'quote"d', "amp&ersand", "percent", "~tilde", "INBOX/child"]
    with world.imap("basic", None) as client:
        root = token()
        for name in names:
            full = f"{root}/{name}" if not name.startswith("INBOX") else f"{name}-{root}"
            encoded = utf7(full)
            quoted = '"' + encoded.replace("\\", "\\\\").replace('"', '\\"') + '"'
            expect(client.create(quoted)[0] == "OK", f"CREATE {name}")
            expect(client.append(quoted, None, None, message("x"))[0] == "OK", f"APPEND to {name}")
            expect(client.select(quoted)[1] == [b"1"], f"SELECT {name}")
        listed = b"\n".join(l if isinstance(l, bytes) else b" ".join(l) for l in client.list(f'"{root}/"', '"*"')[1])
        expect(utf7("Entwürfe").encode() in listed and utf7("日本語").encode() in listed, "LIST in modified UTF-7", listed)
        expect(b"\\HasChildren" in listed and b"\\HasNoChildren" in listed, "CHILDREN", listed)
        for use in (b"\\Sent", b"\\Trash", b"\\Drafts", b"\\Junk"):
            expect(use in b"\n".join(client.list()[1]), f"SPECIAL-USE {use}")


def utf7(text):
    """RFC 3501 5.1.3."""
    out, run = "", ""

    def flush():
        nonlocal out, run
        if run:
            out += "&" + base64.b64encode(run.encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"
            run = ""
    for c in text:
        if 0x20 <= ord(c) <= 0x7e:
            flush()
            out += "&-" if c == "&" else c
        else:
            run += c
    flush()
    return out


@case
def two_sessions_see_one_mailbox(world):
    box = f"Shared{token()}"
    with world.imap("basic", None) as one, world.imap("basic", None) as two:
        one.create(box)
        one.select(box)
        two.select(box)
        one.append(box, None, None, message("both"))
        expect_equal(two.noop()[0], "OK", "NOOP")
        expect_equal(two.response("EXISTS")[1][-1], b"1", "EXISTS")
        one.noop()
        one.store("1", "+FLAGS", "(\\Answered)")
        two.noop()
        expect(b"\\Answered" in two.fetch("1", "(FLAGS)")[1][0], "flags")
        one.delete(box)


@case
def tls_1_1_is_refused(world):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    try:
        imaplib.IMAP4_SSL("localhost", world.port("imaps"), ssl_context=context, timeout=20)
        expect(False, "TLS 1.1 was accepted")
    except (ssl.SSLError, OSError, imaplib.IMAP4.error):
        pass


@case
def tickets_of_one_service_are_worth_nothing_at_another(world):
    context = ssl.create_default_context(cafile=world.ca)

    def visit(service, session):
        with socket.create_connection(("127.0.0.1", world.port(service)), 10) as plain:
            with context.wrap_socket(plain, server_hostname="localhost", session=session) as client:
                client.recv(1000)  # The tickets of TLS 1.3 come before the greeting.
                return client.session_reused, client.session

    services = ("imaps", "pop3s", "submissions")
    for given in services:
        _, session = visit(given, None)
        expect(visit(given, session)[0], f"{given} takes up a session of its own")
        for other in services:
            if other != given:
                expect(not visit(other, session)[0], f"a session of {given} was taken up by {other}")
