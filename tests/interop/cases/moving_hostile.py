"""Mail on its way in from those who mean ill, and out under names no file can have."""
import os
import re
import socket
import stat
import threading

from cases.moving import account, all_boxes, append, fetch, last_json, lay, log_in, report, secret_file, text, wire
from harness import case, expect, expect_equal, token

ESCAPE = "\x1b]0;owned\x07"
MAIL = b"From: a@example.test\r\nSubject: there\r\n\r\nHello.\r\n"


class Hostile:
    """An IMAP server that does as `answers` say: a function of (command, words) that gives the octets in
    front of the tagged OK, or a pair with the octets that stand for that line. None hangs up."""

    def __init__(self, answers, greeting=b"* OK ready\r\n"):
        self.answers, self.greeting, self.seen = answers, greeting, []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            client.settimeout(60)
            client.sendall(self.greeting)
            for line in client.makefile("rb"):
                self.seen.append(line)
                tag, command, *words = line.decode("utf-8", "replace").split()
                if command == "UID":
                    command = "UID " + words.pop(0)
                said = self.answers(command, words)
                if said is None:
                    break
                octets, end = said if isinstance(said, tuple) else (said, None)
                client.sendall(octets + (end if end is not None else f"{tag} OK done\r\n".encode()))
                if command == "STARTTLS":
                    self.seen.append(client.recv(4096))
                    break
        except (OSError, ValueError):
            pass
        finally:
            client.close()


def answers(**changed):
    """Of a server with one folder and one message, but for what is `changed`, a function of the words."""
    usual = {
        "CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n", "LIST": b'* LIST () "/" INBOX\r\n',
        "EXAMINE": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n",
        "FETCH": b"* 1 FETCH (UID 1 FLAGS (\\Seen) RFC822.SIZE %d)\r\n" % len(MAIL),
        "UID FETCH": b"* 1 FETCH (UID 1 BODY[] {%d}\r\n%b)\r\n" % (len(MAIL), MAIL),
    }
    changed = {name.replace("_", " "): answer for name, answer in changed.items()}

    def answer(command, words):
        if command in changed:
            return changed[command](words) if callable(changed[command]) else changed[command]
        return usual.get(command, b"")

    return answer


def pull(world, name, server, *options, codes=(0, 1, 3, 75)):
    secret = secret_file(world, "secret")
    return world.godwit("import", "imap", name, f"127.0.0.1:{server.port}", "--no-tls", "--user", "x", "--password-file", secret, *options, codes=codes)


def is_plain(out):
    return not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", out)


@case(seconds=180)
def imap_source_that_makes_no_sense_does_no_harm(world):
    # What is no message of the folder never comes in, whatever stands behind a literal that is too large.
    forged = b"Subject: forged\r\n\r\n"
    inject = b"* 1 FETCH (UID 1 BODY[] {%d}\r\n%b)\r\n" % (len(forged), forged) + b"".join(b"g%d OK x\r\n" % n for n in range(1, 40))
    for changed in (
        dict(UID_FETCH=(b"* 1 FETCH (UID 1 BODY[] {999999999999}\r\n" + inject, b"")),
        dict(EXAMINE=b"* 2 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n", FETCH=b"* 1 FETCH (UID 1 FLAGS ())\r\n* 2 FETCH (UID 2 FLAGS ())\r\n",
             UID_FETCH=(b"* 1 FETCH (UID 2 BODY[] {999999999999}\r\n" + inject, b"")),
        dict(UID_FETCH=(b'* 1 FETCH (UID 1 X "no end\r\n' + inject, b"")),
        dict(FETCH=(b"* 1 FETCH (UID 1 FLAGS {999999999999}\r\n" + inject, b"")),
        dict(FETCH=(b"* 1 FETCH (" + b"(" * 2_000_000 + b"\r\n", b"")),
        dict(FETCH=(b"* 1 FETCH (UID 1 FLAGS (" + b"a " * 20_000 + b"))\r\n", None)),
        dict(UID_FETCH=b"* 1 FETCH (UID 2 BODY[] {%d}\r\n%b)\r\n" % (len(forged), forged)),
        dict(UID_FETCH=b"* 1 FETCH (UID 1 BODY[] NIL)\r\n"),
        dict(FETCH=b"* 1 FETCH (UID 1 RFC822.SIZE 99999999999 FLAGS ())\r\n"),
    ):
        name = account(world)
        code, out = pull(world, name, Hostile(answers(**changed)), "--json")
        facts = last_json(out)
        expect_equal(facts["imported"], 0, f"{changed}"[:200] + out)
        expect(facts["problem_count"] > 0 and code != 0, "nothing was told", f"{changed}"[:200] + out)
        expect_equal(fetch(log_in(world, name), "INBOX"), {}, f"{changed}"[:200])
    # A folder that makes no sense does not keep the others behind.
    def two(words):
        return (b"* 1 FETCH (UID 1 BODY[] {999999999999}\r\n" + inject, b"") if server.seen[-3].find(b"Bad") > 0 or server.seen[-2].find(b"Bad") > 0 else b"* 1 FETCH (UID 1 BODY[] {%d}\r\n%b)\r\n" % (len(MAIL), MAIL)
    server = Hostile(answers(LIST=b'* LIST () "/" Bad\r\n* LIST () "/" INBOX\r\n', UID_FETCH=two))
    name = account(world)
    out = pull(world, name, server, "--json", "--connections", "1", codes=(1,))
    expect_equal((last_json(out[1])["imported"], last_json(out[1])["failed"]), (1, 1), out)
    expect_equal([octets for _, _, octets in fetch(log_in(world, name), "INBOX").values()], [MAIL], "the other folder")


@case(seconds=120)
def imap_source_may_quote_and_say_more(world):
    # RFC 3501 9: BODY[] is an nstring. What stands beside it is no part of it.
    for said in (b'* 1 FETCH (UID 1 BODY[] "Subject: short")\r\n',
                 b"* 1 FETCH (X {3}\r\nabc BODY[] {14}\r\nSubject: short Y {5}\r\nother UID 1)\r\n",
                 b'* 5 EXISTS\r\n* 2 FETCH (FLAGS (\\Seen))\r\n* CAPABILITY X\r\n* 1 FETCH (UID 1 BODY[] ~{14}\r\nSubject: short)\r\n* 9 FETCH (UID 9 BODY[] {1}\r\nx)\r\n'):
        name = account(world)
        out = pull(world, name, Hostile(answers(UID_FETCH=said)), "--json")
        expect_equal(last_json(out[1])["imported"], 1, out)
        expect_equal([octets for _, _, octets in fetch(log_in(world, name), "INBOX").values()], [b"Subject: short"], str(said))


@case(seconds=120)
def imap_source_that_hangs_up_or_greets_oddly_is_told(world):
    for greeting in (b"* PREAUTH welcome\r\n", f"* BYE {ESCAPE}\r\n".encode(), b"", b"\x9b31m\x00\xff\r\n", b"* OK ready\r\ng1 OK\r\ng2 NO no\r\n"):
        server = Hostile(answers(LOGIN=(f"* OK {ESCAPE}\r\n".encode(), f"g2 NO {ESCAPE}\r\n".encode()), AUTHENTICATE=None), greeting)
        if not greeting:
            server.serve = lambda client: client.close()
        code, out = pull(world, "bob", server, codes=(1, 3, 75))
        expect(code != 0 and is_plain(out), greeting, repr(out))
    # Who may listen gets no password: not before TLS, not by what stands behind the OK in the clear.
    secret = secret_file(world, "hidden-word")
    for said in (b"", b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\ng2 OK\r\n* PREAUTH x\r\n"):
        server = Hostile(lambda command, words, said=said: (b"", b"g1 OK begin\r\n" + said) if command == "STARTTLS" else b"")
        code, _ = world.godwit("import", "imap", "bob", f"127.0.0.1:{server.port}", "--starttls", "--user", "x", "--password-file", secret, codes=(1, 3, 75))
        expect(code != 0 and b"hidden-word" not in b"".join(server.seen) and not any(b"LOGIN" in line or b"AUTHENTICATE" in line for line in server.seen), "STARTTLS", server.seen)


@case(seconds=120)
def imap_names_that_mean_ill_become_folders_or_problems(world):
    names = [b"../../etc/passwd", b"a//b", b".", b"x" * 5000, b"ok\xff\xfe", b"Work\x1b[2J", b"&AJs-31m", b"&IC4-evil", b"inbox/Sub", b"Gr\xc3\xbcn", b"Gru\xcc\x88n", b"&AAA-", b"a\r\nb", b"\x00"]
    server = Hostile(answers(LIST=b"".join(b'* LIST () "/" {%d}\r\n%b\r\n' % (len(name), name) for name in names)))
    name = account(world)
    out = pull(world, name, server, codes=(1,))[1]
    expect(is_plain(out), "escapes", repr(out)[:2000])
    expect(not any(line.startswith(b"b\"") for line in server.seen), "a command of two lines", server.seen)
    client = log_in(world, name)
    for box in all_boxes(client):
        expect_equal(client.select(f'"{box}"', readonly=True)[0], "OK", f"a folder that nobody can open: {box!r}")
    expect("../../etc/passwd" in all_boxes(client), "a name is a name", all_boxes(client))
    # As files they stay where they shall.
    for kind in ("maildir", "mbox"):
        root = os.path.join(world.folder, f"deep-{token()}", "in", "side")
        done = report(world, "export", kind, name, root)
        expect_equal(done["failed"], 0, str(done))
        expect_equal(os.listdir(os.path.dirname(root)), ["side"], kind)
        expect_equal(os.listdir(os.path.dirname(os.path.dirname(root))), ["in"], kind)


@case(seconds=120)
def hostile_files_are_told_and_not_read(world):
    root = os.path.join(world.folder, f"maildir-{token()}")
    secret = os.path.join(world.folder, f"private-{token()}")
    with open(secret, "w") as file:
        file.write("From a@b Mon Nov 23 16:24:04 2026\nSubject: secret\n\nsecret\n")
    lay(root, "1.good:2,S", text("good"), 1600000000)
    lay(f"{root}/.Sub", f"1.x{ESCAPE}:2,", text("odd"), 1600000000)
    os.symlink(secret, f"{root}/cur/2.link:2,")
    os.symlink("/dev/zero", f"{root}/cur/3.zero:2,")
    os.mkfifo(f"{root}/cur/4.fifo:2,")
    os.mkdir(f"{root}/cur/5.folder:2,")
    os.mkfifo(f"{root}/dovecot-uidlist")
    os.mkfifo(f"{root}/subscriptions")
    os.symlink(f"{root}/.Sub", f"{root}/.Elsewhere")
    name = account(world)
    out = world.godwit("import", "maildir", name, root, "--json", codes=(1,))[1]
    facts = last_json(out)
    expect_equal((facts["imported"], facts["failed"]), (2, 4), out)
    expect(any(one["folder"] == "Elsewhere" for one in facts["problems"]), "a folder behind a link", out)
    expect(is_plain(world.godwit("import", "maildir", name, root, codes=(1,))[1]), "escapes")
    # The same of mboxes.
    boxes = os.path.join(world.folder, f"boxes-{token()}")
    os.mkdir(boxes)
    os.symlink(secret, f"{boxes}/link.mbox")
    os.mkfifo(f"{boxes}/fifo.mbox")
    with open(f"{boxes}/good.mbox", "w") as file:
        file.write("From a@b Mon Nov 23 16:24:04 2026\nSubject: box\n\nbody\n")
    facts = last_json(world.godwit("import", "mbox", name, boxes, "--json", codes=(1,))[1])
    expect_equal((facts["imported"], facts["problem_count"]), (1, 1), str(facts))
    expect("link" not in all_boxes(log_in(world, name)), "the link's folder")


@case(seconds=120)
def exports_are_private_and_take_long_names(world):
    name, other = account(world), account(world)
    client = log_in(world, name)
    boxes = ["Deep/er/Box", "n" * 250, "m" * 300, "m" * 299 + "n", "long/" + "o" * 260 + "/Sub"]
    for box in boxes:
        client.create(box)
        append(world, name, box, wire(text(box[-20:])))
    for kind in ("maildir", "mbox"):
        root = os.path.join(world.folder, f"out-{token()}")
        os.mkdir(root, 0o755)
        done = report(world, "export", kind, name, root)
        expect_equal((done["exported"], done["failed"]), (5, 0), str(done))
        # The two, the one with a level that is too long, and that level itself.
        expect_equal(done["changed"], 4, str(done))
        for path, folders, files in os.walk(root):
            for each, mode in [(f, 0o700) for f in folders] + [(f, 0o600) for f in files]:
                expect_equal(stat.S_IMODE(os.stat(os.path.join(path, each)).st_mode), mode, os.path.join(path, each))
        back = report(world, "import", kind, other, root, "--source", kind)
        expect_equal(back["imported"], 5, str(back))


@case(seconds=60)
def mbox_of_odd_fronts_gives_back_every_octet(world):
    name, other = account(world), account(world)
    odd = [b"\tgoes on\r\nSubject: x\r\n\r\nb\r\n", b"\r\nno header\r\n", b"From x Mon Nov 23 16:24:04 2026\r\n\r\nb\r\n", b"Status: O\r\n goes on\r\nStatus: R\r\n\r\nb\r\n", b"\r\n\r\nFrom " + b"z" * 200_000 + b"\r\n"]
    for octets in odd:
        append(world, name, "INBOX", octets, "(\\Seen)")
    root = os.path.join(world.folder, f"out-{token()}")
    done = report(world, "export", "mbox", name, root)
    expect_equal((done["exported"], done["changed"]), (len(odd), 1), str(done))
    report(world, "import", "mbox", other, root)
    expect_equal([octets for _, _, octets in fetch(log_in(world, other), "INBOX").values()], odd, "octets")
