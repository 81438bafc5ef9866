"""Mail on its way in and out: Maildirs made here, imported while the server runs, read back by IMAP."""
import json
import os
import signal
import subprocess
import time

import harness
from harness import DOMAIN, case, expect, expect_equal, message, run, token


def lay(folder, name, octets, when, part="cur"):
    """A message in a Maildir, as a delivery puts it there."""
    for each in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(folder, each), exist_ok=True)
    path = os.path.join(folder, part, name)
    with open(path, "wb") as file:
        file.write(octets)
    os.utime(path, (when, when))
    return path


def text(subject, body="Hello.\n", lines="\n"):
    return (f"From: a@{DOMAIN}\nTo: b@{DOMAIN}\nSubject: {subject}\nMessage-ID: <{token()}@{DOMAIN}>\n\n{body}").replace("\n", lines).encode()


def wire(octets):
    """What IMAP gives of a file's message: every LF has its CR."""
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def account(world, name=None):
    """An account that nobody else of the run uses."""
    name = name or f"move{token()}"
    world.godwit("account", "add", f"{name}@{DOMAIN}", "--password", f"{name}-secret")
    return name


def log_in(world, name):
    import imaplib
    client = imaplib.IMAP4("127.0.0.1", world.port("imap"))
    client.login(f"{name}@{DOMAIN}", f"{name}-secret")
    return client


def fetch(client, box):
    """uid -> (flags, date, octets) of a folder."""
    import imaplib
    kind, facts = client.select(f'"{box}"', readonly=True)
    expect_equal(kind, "OK", f"SELECT {box}: {facts}")
    if facts == [b"0"]:
        return {}
    found = {}
    kind, answers = client.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")
    for answer in answers:
        if isinstance(answer, tuple):
            uid = int(answer[0].split(b"UID ")[1].split()[0].rstrip(b")"))
            flags = {f.decode() for f in imaplib.ParseFlags(answer[0])} - {"\\Recent"}
            found[uid] = (flags, time.mktime(imaplib.Internaldate2tuple(answer[0])), answer[1])
    return found


def append(world, name, box, octets, flags="()", date="01-Feb-2020 10:00:00 +0000"):
    """APPEND that leaves line ends alone, as imaplib does not."""
    with harness.Raw(world.port("imap")) as raw:
        raw.line()
        raw.imap("a", f"LOGIN {name}@{DOMAIN} {name}-secret")
        raw.send(f'b APPEND "{box}" {flags} "{date}" {{{len(octets)}+}}\r\n'.encode() + octets + b"\r\n")
        answer = raw.until(b"b ")[-1]
        expect(answer.startswith(b"b OK"), "APPEND", answer)


def last_json(out):
    """The report among the lines of both streams."""
    return json.loads([line for line in out.splitlines() if line.startswith("{")][-1])


def report(world, *words, codes=(0,)):
    return last_json(world.godwit(*words, "--json", codes=codes)[1])


def all_boxes(client):
    return sorted(line.decode().rsplit(' "/" ', 1)[1].strip('"') for line in client.list()[1])


def sample_maildir(root):
    """Folders, flags, keywords, dates and Dovecot's files. name -> octets."""
    mails = {
        "1000.one.host,S=10:2,S": text("one"), "1001.two.host:2,FRa": text("two", "Gr\u00fc\u00dfe\n\nFrom here\n.dot\n"),
        "1002.three.host": text("three", "no end"), "1003.crlf.host:2,PST": text("crlf", lines="\r\n"),
    }
    for number, (name, octets) in enumerate(mails.items()):
        lay(root, name, octets, 1600000000 + number, "new" if ":" not in name else "cur")
    with open(f"{root}/dovecot-keywords", "w") as file:
        file.write("0 Invoice\n1 $Label1\n")
    with open(f"{root}/dovecot-uidlist", "w") as file:
        file.write("3 V1234567 N50 G0123456789abcdef\n7 :1000.one.host,S=10\n9 Pold-uidl-9 :1001.two.host\n40 W20 :1003.crlf.host\n")
    lay(f"{root}/.Sent Messages", "1.sent.host:2,S", text("sent"), 1500000000)
    lay(f"{root}/.Work.B&APw-ro", "1.work.host:2,", text("work"), 1500000001)
    lay(f"{root}/Nested/Deep.er", "1.deep.host:2,D", text("deep"), 1500000002)
    os.makedirs(f"{root}/.Empty/cur")
    with open(f"{root}/subscriptions", "w") as file:
        file.write("Sent Messages\nWork.B&APw-ro\n")
    return mails


@case(seconds=120)
def maildir_comes_in_whole(world):
    root = os.path.join(world.folder, f"maildir-{token()}")
    mails = sample_maildir(root)
    name = account(world)
    done = report(world, "import", "maildir", name, root, "--uids", "--uidls")
    expect_equal((done["imported"], done["failed"], done["folders"]), (7, 0, 5), str(done))
    client = log_in(world, name)
    inbox = fetch(client, "INBOX")
    expect_equal(sorted(inbox), [7, 9, 40, 41], "UIDs")
    expect_equal(client.response("UIDVALIDITY")[1], [b"1234567"], "UIDVALIDITY")
    by_name = dict(zip([7, 9, 40, 41], ["1000.one.host,S=10:2,S", "1001.two.host:2,FRa", "1003.crlf.host:2,PST", "1002.three.host"]))
    flags = {7: {"\\Seen"}, 9: {"\\Flagged", "\\Answered", "Invoice"}, 40: {"\\Seen", "\\Deleted", "$Forwarded"}, 41: set()}
    for uid, file in by_name.items():
        expect_equal(inbox[uid][2], wire(mails[file]), f"octets of {file}")
        expect_equal(inbox[uid][0], flags[uid], f"flags of {file}")
        expect_equal(inbox[uid][1], 1600000000 + list(mails).index(file), f"date of {file}")
    boxes = all_boxes(client)
    for box in ("Sent Messages", "Work/B&APw-ro", "Nested/Deep.er", "Empty"):
        expect(box in boxes, f"no folder {box}", boxes)
    expect("Sent" not in boxes, "the unused Sent made no way", boxes)
    expect([line for line in client.list()[1] if b"\\Sent" in line and b"Sent Messages" in line], "the role is lost")
    expect(any(b"B&APw-ro" in line for line in client.lsub()[1]), "the subscription is lost")
    expect_equal(list(fetch(client, "Nested/Deep.er").values())[0][0], {"\\Draft"}, "flags of a nested one")
    # POP3 gives the names that the messages had.
    with harness.Raw(world.port("pop3")) as pop:
        pop.line()
        for word in (f"USER {name}@{DOMAIN}", f"PASS {name}-secret", "UIDL"):
            pop.send(f"{word}\r\n".encode())
            pop.line()
        lines = [pop.line() for _ in range(4)]
    ids = [line.split()[1].decode() if isinstance(line, bytes) else line.split()[1] for line in lines]
    expect_equal(ids[:3], ["0000000700" + "12d687", "old-uidl-9", "000000280012d687"], "UIDLs")
    # Again: nothing comes twice, not what was deleted since either; what is new does.
    client.select("INBOX")
    client.uid("STORE", "7", "+FLAGS", "(\\Deleted)")
    client.uid("EXPUNGE", "7")
    again = report(world, "import", "maildir", name, root)
    expect_equal((again["imported"], again["known"]), (0, 7), str(again))
    os.rename(f"{root}/new/1002.three.host", f"{root}/cur/1002.three.host:2,S")
    lay(root, "2000.new.host:2,", text("new"), 1700000000)
    again = report(world, "import", "maildir", name, root)
    expect_equal((again["imported"], again["known"]), (1, 7), str(again))
    # Numbers cannot be had twice: it says so, and the others come.
    lay(f"{root}/.Late", "1.late.host:2,", text("late"), 1700000000)
    with open(f"{root}/dovecot-uidlist", "w") as file:
        file.write("3 V7654321 N50\n7 :1000.one.host,S=10\n")
    again = report(world, "import", "maildir", name, root, "--uids", codes=(1,))
    expect_equal(again["imported"], 1, str(again))
    expect("UIDs cannot be kept" in again["problems"][0]["reason"], "", again)


@case(seconds=120)
def maildir_goes_by_map_and_role(world):
    root = os.path.join(world.folder, f"maildir-{token()}")
    lay(root, "1.host:2,", text("one"), 1600000000)
    lay(f"{root}/.Gesendet", "2.host:2,S", text("two"), 1600000000)
    lay(f"{root}/.Left", "3.host:2,S", text("three"), 1600000000)
    os.makedirs(f"{root}/.Bad", exist_ok=True)
    name = account(world)
    done = report(world, "import", "maildir", name, root, "--map", "Gesendet=Out/Sent", "--role", "Gesendet=sent", "--only", "INBOX", "--only", "Gesendet")
    expect_equal(done["imported"], 2, str(done))
    client = log_in(world, name)
    expect([line for line in client.list()[1] if b"\\Sent" in line and b'"Out/Sent"' in line or b" Out/Sent" in line], "no role", client.list()[1])
    expect("Left" not in all_boxes(client), "a folder came that was not asked for")
    out = world.godwit("import", "maildir", name, root, "--role", "INBOX=king", codes=(2,))
    expect("none of archive" in out[1], out)
    world.godwit("import", "maildir", name, os.path.join(root, "none"), codes=(1,))
    world.godwit("import", "maildir", "nobody-of-that-name", root, codes=(1,))


def big_maildir(root, count):
    wanted = {}
    for number in range(count):
        octets = text(f"n {number}", "x" * (number % 700) + "\n")
        lay(root, f"{1000 + number}.many.host:2,S", octets, 1600000000 + number)
        wanted[f"n {number}"] = wire(octets)
    return wanted


def subjects(found):
    return sorted(octets.split(b"Subject: ")[1].split(b"\r\n")[0].decode() for _, _, octets in found.values())


@case(seconds=240)
def killed_import_goes_on_where_it_was(world):
    root = os.path.join(world.folder, f"maildir-{token()}")
    wanted = big_maildir(root, 3000)
    name = account(world)
    words = [world.program, "import", "maildir", name, root, "--dir", world.data, "--json"]
    kills = 0
    for _ in range(30):
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            process.wait(0.05 + 0.05 * (kills % 5))
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
            kills += 1
    expect(kills > 0, "the import was never killed")
    done = report(world, "import", "maildir", name, root)
    expect_equal(done["imported"] + done["known"], 3000, str(done))
    found = fetch(log_in(world, name), "INBOX")
    expect_equal(subjects(found), sorted(wanted), "messages, each once")
    for _, _, octets in found.values():
        expect_equal(octets, wanted[octets.split(b"Subject: ")[1].split(b"\r\n")[0].decode()], "octets")


def reach(world, name, count, process):
    """Waits until INBOX has this many messages, or the importer has ended."""
    client = log_in(world, name)
    while process.poll() is None:
        if int(client.status("INBOX", "(MESSAGES)")[1][0].split(b"MESSAGES ")[1].rstrip(b")")) >= count:
            break
    client.shutdown()


@case(seconds=240)
def killed_server_loses_and_doubles_nothing(world):
    root = os.path.join(world.folder, f"maildir-{token()}")
    wanted = big_maildir(root, 3000)
    own = harness.World(world.program, os.path.join(world.folder, f"own-{token()}"))
    os.makedirs(own.folder, exist_ok=True)
    own.start()
    try:
        name = account(own)
        failed = 0
        for number in range(4):
            process = subprocess.Popen([own.program, "import", "maildir", name, root, "--dir", own.data, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            # At a piece of the way that is not there yet: a clock would say "ended" here and "not begun" there.
            reach(own, name, 400 + 600 * number, process)
            own.process.kill()
            own.process.wait()
            out, err = process.communicate(timeout=60)
            if process.returncode != 0:
                failed += 1
                expect(b"godwit:" in err, "no word of the server's end", err)
            own.start()
        expect(failed > 0, "the server never ended in the midst of it")
        done = report(own, "import", "maildir", name, root)
        expect_equal(done["imported"] + done["known"], 3000, str(done))
        expect_equal(subjects(fetch(log_in(own, name), "INBOX")), sorted(wanted), "messages, each once")
        expect(json.loads(own.godwit("fsck", "--json")[1])["good"], "the store does not hold")
    finally:
        own.close()


@case(seconds=120)
def import_without_a_server_works_on_the_store(world):
    root = os.path.join(world.folder, f"maildir-{token()}")
    sample_maildir(root)
    own = harness.World(world.program, os.path.join(world.folder, f"own-{token()}"))
    os.makedirs(own.folder, exist_ok=True)
    own.start()
    try:
        name = account(own)
        own.stop()
        done = report(own, "import", "maildir", name, root)
        expect_equal((done["imported"], done["failed"]), (7, 0), str(done))
        own.start()
        expect_equal(len(fetch(log_in(own, name), "INBOX")), 4, "messages")
    finally:
        own.close()


@case(seconds=120)
def quota_ends_an_import_with_a_word(world):
    root = os.path.join(world.folder, f"maildir-{token()}")
    big_maildir(root, 300)
    name = account(world)
    world.godwit("account", "change", f"{name}@{DOMAIN}", "--quota-messages", "200")
    done = world.godwit("import", "maildir", name, root, "--json", codes=(1, 75))
    facts = last_json(done[1])
    expect_equal(facts["imported"], 200, str(facts)[:300])
    expect("full" in done[1], done)
    world.godwit("account", "change", f"{name}@{DOMAIN}", "--quota-messages", "0")
    again = report(world, "import", "maildir", name, root)
    expect_equal((again["imported"], again["known"]), (100, 200), str(again))


def everything(client):
    """Of each folder: the multiset of (octets, flags, date)."""
    found = {}
    for box in all_boxes(client):
        kind, _ = client.select(f'"{box}"', readonly=True)
        if kind == "OK":
            mails = fetch(client, box)
            found[box] = [(octets, sorted(flags), date) for _, (flags, date, octets) in sorted(mails.items())]
    return found


def fill(world, name):
    """An account with all that is hard to move. The mails whose octets no mbox can hold exactly."""
    client = log_in(world, name)
    hard = ["From: a\r\nSubject: quoting\r\n\r\nFrom x\r\n>From y\r\n>>From z\r\n\r\nFrom a@b Mon Nov 23 16:24:04 2026\r\n\r\n\r\n",
            "Status: R\r\nX-Keywords: mine\r\nSubject: status\r\n\r\nbody\r\n", "Subject: none\r\n\r\n", "Subject: octets\r\n\r\n\u00e4\r\n",
            "Subject: bare cr\r\n\r\na\rb\r\n", "Subject: two\r\n\r\na\r\r\nb\r\n", "Subject: big\r\n\r\n" + "x" * 70 + "\r\n", "Subject: twice\r\n\r\nsame\r\n", "Subject: twice\r\n\r\nsame\r\n"]
    hard[6] = "Subject: big\r\n\r\n" + ("y" * 70 + "\r\n") * 20000
    flags = ["(\\Seen)", "(\\Flagged $Forwarded)", "(Junk \\Answered)", "()", "(\\Deleted \\Draft)", "($Label1 $MDNSent)", "()", "(\\Seen)", "(\\Seen)"]
    for box in ("INBOX", "Work", "Work/Sub.dot", "&APw-ber"):
        client.create(f'"{box}"')
        client.subscribe(f'"{box}"')
        for number, (octets, names) in enumerate(zip(hard, flags)):
            append(world, name, box, octets.encode(), names, f"{10 + number:02}-Feb-2020 10:00:{number:02} +0000")
    append(world, name, "INBOX", b"Subject: end\r\n\r\nno end")
    append(world, name, "Work", b"Subject: mixed\nX: y\r\n\r\nz\r\n")
    client.select("INBOX")
    client.uid("STORE", "3", "+FLAGS", "(\\Deleted)")
    client.uid("EXPUNGE", "3")
    return client


@case(seconds=120)
def maildir_out_and_in_again_is_the_same(world):
    name, other = account(world), account(world)
    client = fill(world, name)
    root = os.path.join(world.folder, f"out-{token()}")
    done = report(world, "export", "maildir", name, root)
    expect_equal((done["failed"], done["changed"]), (0, 1), str(done))
    expect("mixed" in done["problems"][0]["reason"], "", done)
    back = report(world, "import", "maildir", other, root, "--uids")
    expect_equal((back["imported"], back["failed"]), (done["exported"], 0), str(back))
    before, after = everything(client), everything(log_in(world, other))
    before["Work"] = [(wire(octets), *rest) if b"mixed" in octets else (octets, *rest) for octets, *rest in before["Work"]]
    expect_equal(sorted(after), sorted(before), "folders")
    for box in before:
        expect_equal(len(after[box]), len(before[box]), box)
        for was, now in zip(before[box], after[box]):
            expect_equal(now, tuple(was), box)
    with log_in(world, other) as second:
        expect_equal(sorted(fetch(second, "INBOX")), sorted(fetch(client, "INBOX")), "UIDs")
        expect_equal(second.response("UIDVALIDITY"), client.response("UIDVALIDITY"), "UIDVALIDITY")
        expect_equal(sorted(second.lsub()[1]), sorted(client.lsub()[1]), "subscriptions")
    # A folder that holds something is left alone.
    out = world.godwit("export", "maildir", name, root, codes=(1,))
    expect("not empty" in out[1], out)


@case(seconds=120)
def mbox_out_and_in_again_is_the_same(world):
    name, other = account(world), account(world)
    client = fill(world, name)
    root = os.path.join(world.folder, f"out-{token()}")
    done = report(world, "export", "mbox", name, root)
    expect_equal((done["failed"], done["changed"]), (0, 2), str(done))
    back = report(world, "import", "mbox", other, root)
    expect_equal((back["imported"], back["failed"]), (done["exported"], 0), str(back))
    before, after = everything(client), everything(log_in(world, other))
    expect_equal(sorted(after), sorted(before), "folders")
    for box in before:
        expect_equal(len(after[box]), len(before[box]), box)
        for (octets, *rest), now in zip(before[box], after[box]):
            octets = wire(octets) if b"mixed" in octets else octets + b"\r\n" * octets.endswith(b"no end")
            expect_equal(now, (octets, *rest), box)
    again = report(world, "import", "mbox", other, root)
    expect_equal((again["imported"], again["known"]), (0, done["exported"]), str(again))
    # Python reads the same out of it.
    import mailbox
    expect_equal(len(mailbox.mbox(os.path.join(root, "INBOX.mbox"))), len(before["INBOX"]), "messages as another program counts them")


@case(seconds=60)
def mbox_of_others_is_taken(world):
    import mailbox
    path = os.path.join(world.folder, f"box-{token()}")
    made = mailbox.mbox(path)
    for number in range(5):
        one = mailbox.mboxMessage(text(f"py {number}", "From here\n\nFrom there on\n"))
        one.set_from("someone@example.org", time.gmtime(1500000000 + number))
        one.set_flags(["RO", "A", "F", "D", "T"][number])
        made.add(one)
    made.flush()
    made.close()
    strange = os.path.join(world.folder, f"strange-{token()}")
    with open(strange, "wb") as file:
        file.write(b"\x00\x01 no mbox\n")
    name = account(world)
    done = report(world, "import", "mbox", name, path, "--folder", "Old")
    expect_equal(done["imported"], 5, str(done))
    client = log_in(world, name)
    found = fetch(client, "Old")
    flags = [{"\\Seen"}, {"\\Answered"}, {"\\Flagged"}, {"\\Deleted"}, {"\\Draft"}]
    for number, (uid, (names, date, octets)) in enumerate(sorted(found.items())):
        expect_equal((names, date), (flags[number], 1500000000 + number), f"message {number}")
        expect(octets.endswith(b"\r\n\r\nFrom here\r\n\r\nFrom there on\r\n"), "body", octets)
    out = world.godwit("import", "mbox", name, strange, codes=(1,))
    expect("is no mbox" in out[1], out)
    world.godwit("import", "mbox", name, path, "--quoting", "wrong", codes=(2,))


def other_append(port, user, password, box, octets, flags, date):
    with harness.Raw(port) as raw:
        raw.line()
        raw.imap("a", f"LOGIN {user} {password}")
        raw.send(f'b CREATE "{box}"\r\nc SUBSCRIBE "{box}"\r\nd APPEND "{box}" {flags} "{date}" {{{len(octets)}+}}\r\n'.encode() + octets + b"\r\n")
        expect(raw.until(b"d ")[-1].startswith(b"d OK"), "APPEND there")


def secret_file(world, secret):
    path = os.path.join(world.folder, f"secret-{token()}")
    with open(path, "w") as file:
        file.write(secret + "\n")
    return path


class Cutter:
    """Passes connections on to a port and cuts each after a while: how often is counted."""

    def __init__(self, port, octets, times):
        import socket
        import threading
        self.target, self.octets, self.left, self.cuts = port, octets, times, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        import socket
        import threading
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self.pump, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, self.octets), daemon=True).start()

    def pump(self, source, sink, most):
        seen = 0
        try:
            while True:
                data = source.recv(4096)
                if not data:
                    break
                seen += len(data)
                if most and seen > most and self.left > 0:
                    self.left -= 1
                    self.cuts += 1
                    break
                sink.sendall(data)
        except OSError:
            pass
        import contextlib
        import socket
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@case(seconds=180)
def imap_pulls_all_from_dovecot(world):
    import hashlib
    import imaplib
    import ssl
    from peers.dovecot import Dovecot
    harness.need("dovecot", "doveadm")
    imap, imaps, pop3 = harness.free_ports(3)
    there = Dovecot(os.path.join(world.folder, f"dovecot-{token()}"), dict(imap=imap, imaps=imaps, pop3=pop3), mail_format="maildir", tls=True).start()
    try:
        wanted = {}
        for box in ("INBOX", "Sent", "Work/Sub", "&APw-ber", "Gelesen"):
            for number in range(7):
                octets = wire(text(f"{box} {number}", "\u00e4 From here\n" * (1 + number ** 5)))
                flags = ["\\Seen", "\\Flagged $Forwarded", "", "\\Answered Junk", "\\Draft", "\\Deleted", "$Label1"][number]
                other_append(imap, "anna", "anna", box, octets, f"({flags})", f"{number + 10}-Mar-2021 11:00:00 +0100")
                wanted.setdefault(box, []).append((octets, sorted(flags.split()), 1615284000 + 86400 * (number + 1) + 0))
        with imaplib.IMAP4("127.0.0.1", imap) as source:
            source.login("anna", "anna")
            source.select("INBOX")
            source.uid("STORE", "3", "+FLAGS", "(\\Deleted)")
            source.uid("EXPUNGE", "3")
            before = {box: fetch(source, box) for box in wanted}
            source.select("INBOX", readonly=True)
            validity = source.response("UIDVALIDITY")[1]
            uid_next = source.status("INBOX", "(UIDNEXT)")[1][0].split()[-1]
        name, secret = account(world), secret_file(world, "anna")
        words = ["import", "imap", name, f"localhost:{imaps}", "--user", "anna", "--password-file", secret]
        # Who is not trusted gets no password.
        out = world.godwit(*words, codes=(1, 75))
        expect("certificate" in out[1] or "TLS" in out[1], "not checked", out)
        out = world.godwit(*words, "--fingerprint", "00" * 32, codes=(1,))
        expect("fingerprint" in out[1], "", out)
        with open(f"{there.base}/cert.pem") as file:
            der = ssl.PEM_cert_to_DER_cert(file.read().strip())
        done = report(world, *words, "--fingerprint", hashlib.sha256(der).hexdigest(), "--uids", "--connections", "3")
        expect_equal((done["imported"], done["failed"]), (34, 0), str(done))
        client = log_in(world, name)
        for box in wanted:
            after = fetch(client, box)
            expect_equal(sorted(after), sorted(before[box]), f"UIDs of {box}")
            for uid, (flags, date, octets) in before[box].items():
                expect_equal(after[uid], (flags, date, octets), f"{box} {uid}")
        client.select("INBOX", readonly=True)
        expect_equal(client.response("UIDVALIDITY")[1], validity, "UIDVALIDITY")
        expect_equal(client.status("INBOX", "(UIDNEXT)")[1][0].split()[-1], uid_next, "UIDNEXT")
        roles = {line.decode().split(")")[0].split("\\")[-1].strip(): line for line in client.list()[1] if b"\\Sent" in line}
        expect(any(b"Sent" in line for line in roles.values()), "the role of Sent", client.list()[1])
        expect(any(b"Work/Sub" in line for line in client.lsub()[1]), "subscriptions", client.lsub()[1])
        other_append(imap, "anna", "anna", "Gelesen", wire(text("late")), "()", "10-Mar-2021 11:00:00 +0100")
        again = report(world, *words, "--ca-file", f"{there.base}/cert.pem")
        expect_equal((again["imported"], again["known"]), (1, 34), str(again))
        out = world.godwit(*words[:-1], secret_file(world, "wrong"), "--fingerprint", hashlib.sha256(der).hexdigest(), codes=(1,))
        expect("said" in out[1], "a wrong password", out)
        # The same mail from its Maildir: POP3 calls it as Dovecot did.
        with harness.Raw(pop3) as pop:
            pop.line()
            for word in ("USER anna", "PASS anna", "UIDL"):
                pop.send(f"{word}\r\n")
                pop.line()
            said = [line.split()[1] for line in pop.until(b".")[:-1]]
        second = account(world)
        done = report(world, "import", "maildir", second, f"{there.base}/home/anna/maildir", "--uids", "--uidls")
        expect_equal(done["failed"], 0, str(done))
        with harness.Raw(world.port("pop3")) as pop:
            pop.line()
            for word in (f"USER {second}@{DOMAIN}", f"PASS {second}-secret", "UIDL"):
                pop.send(f"{word}\r\n")
                pop.line()
            expect_equal([line.split()[1] for line in pop.until(b".")[:-1]], said, "UIDLs")
        twin = log_in(world, second)
        for box in ("INBOX", "&APw-ber", "Work/Sub"):
            expect_equal(fetch(twin, box), before[box], f"{box} from the Maildir")
    finally:
        there.stop()


@case(seconds=180)
def imap_pull_outlives_broken_connections(world):
    source, name = account(world), account(world)
    root = os.path.join(world.folder, f"maildir-{token()}")
    wanted = big_maildir(root, 400)
    lay(f"{root}/.Big", "1.big.host:2,", text("big", "z" * 70 + "\n") + b"y" * 3_000_000, 1600000000)
    report(world, "import", "maildir", source, root)
    secret = secret_file(world, f"{source}-secret")
    cutter = Cutter(world.port("imap"), 150_000, 3)
    done = report(world, "import", "imap", name, f"localhost:{cutter.port}", "--no-tls", "--user", f"{source}@{DOMAIN}", "--password-file", secret, "--connections", "1")
    expect(cutter.cuts == 3, "nothing was cut", cutter.cuts)
    expect_equal((done["imported"], done["known"], done["failed"]), (401, 0, 0), str(done))
    client = log_in(world, name)
    expect_equal(subjects(fetch(client, "INBOX")), sorted(wanted), "messages, each once")
    expect_equal([entry[2] for entry in fetch(client, "Big").values()], [entry[2] for entry in fetch(log_in(world, source), "Big").values()], "the big one")
    # By STARTTLS with the server's own CA, and SCRAM; nothing is new.
    again = report(world, "import", "imap", name, f"localhost:{world.port('imap')}", "--starttls", "--ca-file", world.ca, "--user", f"{source}@{DOMAIN}", "--password-file", secret, "--source", f"imap {source}@{DOMAIN}@localhost")
    expect_equal((again["imported"], again["known"]), (0, 401), str(again))
    # Where it cannot be right the command says so.
    for options, word in ((["--no-tls"], "only for servers on this machine"), (["--fingerprint", "12"], "64 hexadecimal"), (["--connections", "9"], "from 1 to 8"), (["--connections", "0"], "from 1 to 8")):
        out = world.godwit("import", "imap", name, "imap.example.org", "--user", "x", "--password-file", secret, *options, codes=(2,))
        expect(word in out[1], "usage", out)


@case(seconds=120)
def two_imports_at_once_take_each_message_once(world):
    root = os.path.join(world.folder, f"maildir-{token()}")
    wanted = big_maildir(root, 1500)
    name = account(world)
    running = [subprocess.Popen([world.program, "import", "maildir", name, root, "--dir", world.data, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(3)]
    reports = [json.loads(process.communicate(timeout=100)[0]) for process in running]
    expect_equal(sum(each["imported"] for each in reports), 1500, str(reports))
    expect_equal(subjects(fetch(log_in(world, name), "INBOX")), sorted(wanted), "messages, each once")
