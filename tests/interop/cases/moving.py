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
            time.sleep(0.1 + 0.1 * number)
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
