"""Messages that end the server, and a disk that loses octets: the real program is killed and its files are hit."""
import glob
import json
import os
import poplib
import signal
import smtplib
import socket
import threading
import time

from harness import DOMAIN, Raw, World, case, expect, expect_equal, message, token


class Sink:
    """A next hop. What comes for an address in `stalls` is taken to the dot and never answered."""

    def __init__(self):
        self.stalls, self.taken, self.stalled, self.lock = set(), [], [], threading.Lock()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        lines = connection.makefile("rb")
        try:
            connection.sendall(b"220 sink.test ESMTP\r\n")
            to = None
            while line := lines.readline():
                word = line.strip().upper()
                if word.startswith(b"RCPT"):
                    to = line[line.index(b"<") + 1:line.index(b">")].decode()
                if word == b"DATA":
                    connection.sendall(b"354 go\r\n")
                    while (text := lines.readline()) not in (b".\r\n", b""):
                        pass
                    with self.lock:
                        stalls = to in self.stalls
                        (self.stalled if stalls else self.taken).append(to)
                    if stalls:
                        lines.readline()  # Until it is killed.
                        return
                connection.sendall(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
        except OSError:
            pass

    def wait(self, known, what, seconds=60):
        end = time.monotonic() + seconds
        while not known():
            expect(time.monotonic() < end, f"waited {seconds} s for {what}", self.taken, self.stalled)
            time.sleep(0.05)


def kill(world):
    world.process.send_signal(signal.SIGKILL)
    world.process.wait()
    world.process = None


@case(seconds=240)
def two_crashes_put_a_message_aside(world):
    sink = Sink()
    own = World(world.program, os.path.join(world.folder, "quarantine"), (f"sink.test=127.0.0.1:{sink.port}",))
    os.makedirs(own.folder)
    own.start()
    try:
        sink.stalls = {"poison@sink.test", "slow@sink.test"}
        # The good one first: a site that nothing is known of has two deliveries at a time, and both of the others hang.
        for name in ("good", "poison", "slow"):
            with smtplib.SMTP("127.0.0.1", own.port("submission"), timeout=20) as client:
                client.login("alice", "alice")
                client.sendmail(f"alice@{DOMAIN}", [f"{name}@sink.test"], message(token(), to=f"{name}@sink.test"))
            sink.wait(lambda: name != "good" or sink.taken, "the good one")
        sink.wait(lambda: len(sink.stalled) == 2 and "good@sink.test" in sink.taken, "both in hand, the other delivered")
        kill(own)
        # Both are suspects now: they go one at a time. One of them comes through this time.
        sink.stalls, sink.stalled = {"poison@sink.test"}, []
        own.start()
        sink.wait(lambda: sink.stalled == ["poison@sink.test"], "the suspect in hand again")
        expect_equal(own.godwit("queue", "list", "--quarantined", "--json")[1].strip(), "[]", "nothing is quarantined after one crash")
        kill(own)
        sink.stalled = []
        own.start()
        sink.wait(lambda: "slow@sink.test" in sink.taken, "the one that had nothing to do with it")
        rows = json.loads(own.godwit("queue", "list", "--quarantined", "--json")[1])
        expect_equal([(r["recipients"], r["state"], r["crashes"]) for r in rows], [(["poison@sink.test"], "quarantined", 2)], "the quarantined")
        expect("in hand at 2 crashes" in own.godwit("queue", "list")[1], "the reason in the plain list")
        story = own.godwit("message", "show", rows[0]["id"])[1]
        expect("suspected" in story and "quarantined" in story, "the message's story", story)
        time.sleep(3)
        expect_equal(sink.stalled, [], "it is not tried by itself")
        # An orderly stop is no crash, and the quarantine outlives it.
        expect_equal(own.stop(), 0, "exit code")
        expect(not os.path.exists(os.path.join(own.data, "in-hand")), "no register after an orderly end")
        own.start()
        expect_equal(len(json.loads(own.godwit("queue", "list", "--quarantined", "--json")[1])), 1, "still quarantined")
        sink.stalls = set()
        own.godwit("queue", "release", rows[0]["id"])
        sink.wait(lambda: "poison@sink.test" in sink.taken, "the released one")
        expect_equal(sorted(sink.taken), ["good@sink.test", "poison@sink.test", "slow@sink.test"], "each once")
    finally:
        own.close()
        sink.server.close()


@case(seconds=300)
def a_damaged_body_is_found_listed_and_repaired(world):
    own = World(world.program, os.path.join(world.folder, "repair"))
    os.makedirs(own.folder)
    own.start()
    try:
        words = [token() for _ in range(3)]
        for word in words:
            with smtplib.SMTP("127.0.0.1", own.port("smtp"), timeout=20) as client:
                client.sendmail(f"alice@{DOMAIN}", [f"bob@{DOMAIN}"], message(word, body=f"{word} is said here.\r\n" * 2000))
        code, out = own.godwit("fsck", "--repair", check=False)
        expect(code not in (0, 1) or "stop it first" in out, "no repair beside a server", code, out)
        expect_equal(own.stop(), 0, "exit code")
        [segment] = glob.glob(os.path.join(own.data, "blobs", "seg-*"))
        content = open(segment, "rb").read()
        at = content.index(words[1].encode() + b" is said here") + 500
        with open(segment, "r+b") as file:
            file.seek(at)
            file.write(bytes([content[at] ^ 1]))
        own.start()
        # The others can be read; this one is refused; the connection stays.
        with own.imap("bob") as client:
            verdicts = [client.uid("FETCH", str(uid), "(BODY.PEEK[])")[0] for uid in (1, 2, 3)]
            expect_equal(verdicts, ["OK", "NO", "OK"], "FETCH")
        # The scrubber finds it by itself and does not forget it.
        end = time.monotonic() + 150
        while own.godwit("fsck", "--damaged", check=False)[0] == 0:
            expect(time.monotonic() < end, "the scrubber found nothing")
            time.sleep(1)
        expect("does not hold" in own.godwit("fsck", "--damaged", check=False)[1], "what is wrong with it")
        while "last full pass" not in (status := own.godwit("status")[1]):
            expect(time.monotonic() < end, "no full pass", status)
            time.sleep(1)
        expect("1 damaged" in status, "status", status)
        expect_equal(own.stop(), 0, "exit code")
        code, out = own.godwit("fsck", "--repair", "--json", check=False)
        report = json.loads(out)
        expect_equal((code, report["losses"], report["repaired"]), (1, 1, {}), "the first repair")
        expect_equal((report["lost"][0]["mailbox"], report["lost"][0]["uid"]), ("INBOX", 2), "what is lost")
        expect_equal(own.godwit("fsck", "--repair", "--drop-lost", check=False)[0], 0, "dropped")
        expect("good" in own.godwit("fsck", "--repair")[1], "nothing is left to repair")
        own.start()
        expect_equal(len(own.find("bob", words[0])) + len(own.find("bob", words[2])), 2, "the others")
        expect_equal(own.find("bob", words[1]), [], "the lost one")
        expect_equal(own.stop(), 0, "exit code")
    finally:
        own.close()


@case(seconds=120)
def a_damaged_body_comes_back_with_the_next_copy_of_it(world):
    own = World(world.program, os.path.join(world.folder, "again"))
    backup = os.path.join(world.folder, "again-backup")
    os.makedirs(own.folder)
    own.start()
    try:
        texts = [message(word := token(), body=f"{word} is said here.\r\n" * 1000) for _ in range(2)]

        def send(text, to):
            with smtplib.SMTP("127.0.0.1", own.port("smtp"), timeout=20) as client:
                client.sendmail(f"alice@{DOMAIN}", [f"{to}@{DOMAIN}"], text)

        def verdicts(who):
            with own.imap(who) as client:
                return [client.uid("FETCH", str(uid), "(BODY.PEEK[])")[0] for uid in (1, 2)]

        for text in texts:
            send(text, "alice")
        own.godwit("backup", backup)
        expect_equal(own.stop(), 0, "exit code")
        [segment] = glob.glob(os.path.join(own.data, "blobs", "seg-*"))
        content = bytearray(open(segment, "rb").read())
        content[9000] ^= 1
        content[-9000] ^= 1
        with open(segment, "r+b") as file:
            file.write(content)
        own.start()
        expect_equal(verdicts("alice"), ["NO", "NO"], "FETCH of what is damaged")
        send(texts[0], "bob")
        with own.imap("bob") as client:
            expect_equal(client.uid("FETCH", "1", "(BODY.PEEK[])")[0], "OK", "what was acknowledged can be read")
        expect_equal(verdicts("alice"), ["OK", "NO"], "the same body is whole for all who have it")
        report = json.loads(own.godwit("restore", backup, "--account", "alice", "--json")[1])
        expect_equal((report["mended"], report["present"], report["restored"]), (1, 1, 0), "the other, out of the backup")
        expect_equal(verdicts("alice"), ["OK", "OK"], "under the UIDs they had")
        expect_equal(own.godwit("restore", backup, "--account", "alice", "--to-mailbox", "a//b", check=False)[0], 1, "a name that is refused")
        expect_equal(own.stop(), 0, "exit code")
        expect("good" in own.godwit("fsck")[1], "fsck")
    finally:
        own.close()


@case(seconds=120)
def a_large_damaged_body_costs_itself_only(world):
    """Damage far behind a body's beginning is met before its size is promised: those behind it come too."""
    own = World(world.program, os.path.join(world.folder, "large"))
    os.makedirs(own.folder)
    own.start()
    try:
        words = [token() for _ in range(3)]
        for word in words:
            with smtplib.SMTP("127.0.0.1", own.port("smtp"), timeout=20) as client:
                client.sendmail(f"alice@{DOMAIN}", [f"bob@{DOMAIN}"], message(word, body=f"{word} is said here.\r\n" * 9000))
        expect_equal(own.stop(), 0, "exit code")
        [segment] = glob.glob(os.path.join(own.data, "blobs", "seg-*"))
        content = open(segment, "rb").read()
        at = content.index(words[1].encode() + b" is said here") + 200_000
        with open(segment, "r+b") as file:
            file.seek(at)
            file.write(bytes([content[at] ^ 1]))
        own.start()
        with own.imap("bob") as client:
            for what in ("BODY.PEEK[]", "BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[TEXT]"):
                verdict, data = client.uid("FETCH", "1:*", f"({what})")
                expect_equal(verdict, "NO", what)
                expect("[CORRUPTION] The message with UID 2 cannot be read" in str(data[-1]), "what is wrong", data[-1])
            expect_equal(client.uid("FETCH", "1:*", "(FLAGS)")[0], "OK", "the session goes on")
            given = [uid for uid in (1, 2, 3) if client.uid("FETCH", str(uid), "(BODY.PEEK[]<0.100>)")[0] == "OK"]
            expect_equal(given, [1, 2, 3], "what is whole of it can be read")
        raw = Raw(own.port("imap"))
        raw.line()
        raw.imap("a", "LOGIN bob bob")
        raw.imap("b", "SELECT INBOX")
        lines = raw.imap("c", "FETCH 1:* (UID BODY.PEEK[])", b"NO")
        raw.close()
        expect_equal([line.split()[1] for line in lines if line.startswith(b"* ") and b" FETCH (" in line], [b"1", b"3"], "the others are given, nothing of the damaged one")
        popper = poplib.POP3("127.0.0.1", own.port("pop3"), timeout=20)
        popper.user("bob")
        popper.pass_("bob")
        verdicts = []
        for number in (1, 2, 3):
            try:
                verdicts.append(len(popper.retr(number)[1]) > 8000)
            except poplib.error_proto as error:
                verdicts.append("damaged" in str(error))
        popper.quit()
        expect_equal(verdicts, [True, True, True], "POP3: given, refused, given")
        expect_equal(own.stop(), 0, "exit code")
    finally:
        own.close()


def possible_duplicates(own):
    return json.loads(own.godwit("status", "--json")[1])["metrics"]["godwit_possible_duplicates_total"]


@case(seconds=240)
def possible_duplicates_are_counted(world):
    """W1 by a crash and by a stop, W2 by a client that goes away: godwit_possible_duplicates_total."""
    sink = Sink()
    own = World(world.program, os.path.join(world.folder, "duplicates"), (f"sink.test=127.0.0.1:{sink.port}",))
    os.makedirs(own.folder)
    own.start()
    try:
        sink.stalls = {"slow@sink.test"}
        with smtplib.SMTP("127.0.0.1", own.port("submission"), timeout=20) as client:
            client.login("alice", "alice")
            client.sendmail(f"alice@{DOMAIN}", ["slow@sink.test"], message(token(), to="slow@sink.test"))
        sink.wait(lambda: sink.stalled, "the message behind its dot")
        expect_equal(possible_duplicates(own), 0, "while nothing happened")
        kill(own)
        sink.stalled = []
        own.start()
        sink.wait(lambda: sink.stalled, "the message, again")
        expect_equal(possible_duplicates(own), 1, "W1 by a crash")
        [mail] = json.loads(own.godwit("queue", "list", "--json")[1])
        expect("may have been sent" in own.godwit("message", "show", mail["id"])[1], "the message's story")
        # A stop that does not wait any longer: a second signal.
        own.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        own.process.send_signal(signal.SIGTERM)
        expect_equal(own.stop(), 0, "exit code")
        sink.stalls = set()
        own.start()
        sink.wait(lambda: "slow@sink.test" in sink.taken, "the message, in the end")
        expect_equal(possible_duplicates(own), 1, "W1 by a stop; counted from the start on")
        story = own.godwit("message", "show", mail["id"])[1]
        expect("interrupted" in story, "the message's story", story)
        expect_equal(own.stop(), 0, "exit code")
        expect(not os.path.exists(os.path.join(own.data, "in-hand")), "no register when nothing was cut off")
        own.start()
        expect_equal(possible_duplicates(own), 0, "nothing is counted twice")
        # Whoever closes behind the dot, and does not wait for the answer.
        for word, is_gone in ((token(), True), (token(), False)):
            with socket.create_connection(("127.0.0.1", own.port("smtp")), timeout=20) as client:
                lines = client.makefile("rb")
                lines.readline()
                for line in ("EHLO client.test", f"MAIL FROM:<a@client.test>", f"RCPT TO:<bob@{DOMAIN}>", "DATA"):
                    client.sendall(line.encode() + b"\r\n")
                    while lines.readline()[3:4] == b"-":
                        pass
                client.sendall(b"Subject: %s\r\n\r\nx\r\n.\r\n" % word.encode())
                if not is_gone:
                    lines.readline()
                lines.close()
            end = time.monotonic() + 20
            while not own.find("bob", word):
                expect(time.monotonic() < end, "the message was taken")
                time.sleep(0.1)
            time.sleep(0.3)
            expect_equal(possible_duplicates(own), 1, "W2, and nobody who read the answer")
        expect_equal(own.stop(), 0, "exit code")
    finally:
        own.close()
        sink.server.close()
