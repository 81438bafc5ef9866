"""Domains that live elsewhere: mail kept until fetchmail asks for it (ETRN), fetched over the connection that its server made (ATRN), and recipients whose own server is asked."""
import base64
import os
import smtplib
import socket
import threading

from cases.serve import Production
from harness import Raw, case, expect, expect_equal, free_ports, message, need, run, token


class Sink(threading.Thread):
    """A small SMTP server: takes everything but recipients that begin with "no"."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", port))
        self.messages, self.commands, self.arrived = [], [], threading.Event()
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            speak(connection, self.messages, self.commands)
            self.arrived.set()


def speak(connection, messages, commands):
    """The server's side of one SMTP session."""
    lines = connection.makefile("rb")

    def say(text):
        connection.sendall(text.encode() + b"\r\n")

    say("220 sink.test ready")
    for line in lines:
        command = line.decode().strip()
        commands.append(command)
        verb = command.upper()
        if verb.startswith("RCPT TO:<NO"):
            say("550 5.1.1 nobody of that name")
        elif verb == "DATA":
            say("354 go on")
            body = b""
            for text in lines:
                if text == b".\r\n":
                    break
                body += text
            messages.append(body)
            say("250 2.0.0 taken")
        elif verb == "QUIT":
            say("221 bye")
            return
        else:
            say("250 ok")


def relaying(world, name, rows):
    """A production server whose relay domain is `away.example`, routed to a free port; and that port."""
    server, port = Production(world, name), free_ports(1)[0]
    server.write(server.read() + f'\n[[relay_domain]]\ndomain = "away.example"\n{rows}\n\n[[route]]\ndomain = "away.example"\nhost = "127.0.0.1"\nport = {port}\n')
    server.start()
    server.godwit("account", "add", "anna@example.org", "--password", "anna")
    return server, port


def hand_in(server, word, recipient="someone@away.example"):
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=20) as client:
        client.sendmail("stranger@far.example", [recipient], message(word))


def waiting(server):
    return server.godwit("queue", "list")[1]


@case(seconds=120)
def mail_is_kept_until_fetchmail_asks_by_etrn(world):
    need("fetchmail")
    server, port = relaying(world, "etrn", 'hold = true\nlifetime = "30 days"\nnetworks = ["127.0.0.0/8", "::1"]')
    with server:
        word, sink = token(), Sink(port)
        hand_in(server, word)
        expect("until it is asked for" in waiting(server), "held", waiting(server))
        home = os.path.join(world.folder, f"fetchmail-{word}")
        os.makedirs(home, mode=0o700)
        command = ["fetchmail", "-f", "/dev/null", "--nosyslog", "-v", "--pidfile", home + "/pid", "-p", "ETRN", "--port", str(server.ports["smtp"]), "--sslproto", "", "--fetchdomains", "away.example", "localhost"]
        out = run(command, codes=(0, 1), env={"HOME": home, "FETCHMAILHOME": home}, seconds=60)[1]
        expect("253 2.0.0 OK, 1 pending messages for node away.example started" in out, "the reply to ETRN", out)
        expect(sink.arrived.wait(20), "the mail comes")
        expect_equal(sum(word.encode() in each for each in sink.messages), 1, "messages")
        out = run(command, codes=(0, 1), env={"HOME": home, "FETCHMAILHOME": home}, seconds=60)[1]
        expect("251 2.0.0 OK, no messages waiting for node away.example" in out, "nothing is left", out)


@case(seconds=120)
def mail_is_fetched_by_atrn(world):
    server, _ = relaying(world, "atrn", 'hold = true\naccounts = ["anna"]')
    with server:
        words = [token(), token()]
        for word in words:
            hand_in(server, word)
        context = server.tls()
        context.check_hostname = False
        with Raw(server.ports["submission"]) as client:
            client.reply()
            client.smtp("EHLO mail.away.example", 250)
            client.smtp("STARTTLS", 220)
            client.starttls(context)
            announced = str(client.smtp("EHLO mail.away.example", 250))
            expect("ATRN" in announced and "ETRN" in announced, "announced", announced)
            client.smtp("ATRN away.example", 530)
            client.smtp("AUTH PLAIN " + base64.b64encode(b"\0anna\0anna").decode(), 235)
            client.smtp("ATRN example.org", 450)
            client.smtp("ATRN away.example", 250)
            messages, commands = [], []
            speak(client.socket, messages, commands)
            for word in words:
                expect_equal(sum(word.encode() in each for each in messages), 1, "messages")
            expect_equal(commands[0], "EHLO mx.example.org", "who speaks now")
            expect_equal(commands[-1], "QUIT", "the end")
        server.wait_log('"smtp.turn_ended"')
        expect("away.example" not in waiting(server), "nothing is left", waiting(server))


@case(seconds=120)
def recipients_of_a_relay_domain_are_asked_for(world):
    need("swaks")
    server, port = relaying(world, "verifying", "verify = true")
    with server:
        def swaks(recipient, *words, codes=(0,)):
            return run(["swaks", "--server", f"127.0.0.1:{server.ports['smtp']}", "--timeout", "30", "--helo", "client.test", "--from", "someone@far.test", "--to", recipient, *words], codes=codes)[1]

        # Its server is not there yet: nobody can say whether the address exists.
        out = swaks("early@away.example", "--quit-after", "RCPT", codes=(24,))
        expect("450 4.1.1 <early@away.example> cannot be verified now" in out, "put off", out)
        sink = Sink(port)
        out = swaks("nobody@away.example", codes=(24,))
        expect("550 5.1.1 <nobody@away.example> is not known, its server says: 550 5.1.1 nobody of that name" in out, "refused", out)
        asked = len(sink.commands)
        swaks("nobody@away.example", codes=(24,))
        expect_equal(len(sink.commands), asked, "it is remembered")
        expect("MAIL FROM:<>" in sink.commands and "DATA" not in sink.commands, "the question", sink.commands)
        word = token()
        sink.arrived.clear()
        swaks("somebody@away.example", "--header", f"Subject: {word}")
        server.wait_log('"queue.attempt"')
        expect_equal(sum(word.encode() in each for each in sink.messages), 1, "messages")
