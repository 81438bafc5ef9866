#!/usr/bin/env python3
"""How soon IDLE tells of new mail: from the 250 of a delivery over LMTP to "* n EXISTS" at the idling sessions. Godwit beside Dovecot (sdbox).

usage: ./dev bench push [--runs 3] [--messages 300] [--idling 1,20]
One message after the other, a few milliseconds apart, to a mailbox that `idling` sessions have selected; a time is that until the last of them
has heard. Where all heard before the 250 came it is 0. One thread reads all connections, so that a time has its own work in it, too.
"""
import selectors
import statistics
import time

from mailload import Connection, Imap, letter
from measure import LOCAL, settle
from opening import Stage, parser_of

SECRET = "pass"
GAP = 0.003
LOST_AFTER = 10


class Lmtp(Connection):
    """One LMTP session, a step at a time."""

    def __init__(self, port):
        super().__init__(port)
        self.ask(b"LHLO load.test\r\n")

    def ask(self, command):
        self.socket.sendall(command)
        while (line := self.line())[3:4] == b"-":
            pass
        if line[:1] not in b"23":
            raise SystemExit(f"push: the server answers {line!r} to {command[:60]!r}")

    def begin(self, recipient):
        """All but the end of the message's data."""
        self.ask(b"MAIL FROM:<load@client.test>\r\n")
        self.ask(b"RCPT TO:<%b>\r\n" % recipient.encode())
        self.ask(b"DATA\r\n")


class Idler(Imap):
    def __init__(self, port, user):
        super().__init__(port, 30)
        self.login(user, SECRET)
        self.command("SELECT INBOX")
        self.socket.sendall(b"I IDLE\r\n")
        while not self.line().startswith(b"+"):
            pass

    def heard(self):
        """Reads what has come; whether an EXISTS was in it."""
        data = self.socket.recv(65536)
        if not data:
            raise SystemExit("push: a session was closed")
        self.buffer += data
        *lines, self.buffer = self.buffer.split(b"\r\n")
        return any(line.endswith(b" EXISTS") for line in lines)


def once(lmtp, idlers, user, number):
    """(milliseconds from the 250 to the last EXISTS, milliseconds from the final dot to the 250)."""
    lmtp.begin(f"{user}@{LOCAL}")
    lmtp.socket.sendall(letter(number))
    silent = set(idlers)
    answered = last_heard = None
    with selectors.DefaultSelector() as selector:
        for source in (lmtp, *idlers):
            selector.register(source.socket, selectors.EVENT_READ, source)
        dot = time.perf_counter()
        lmtp.socket.sendall(b".\r\n")
        while silent or answered is None:
            for key, _ in selector.select(LOST_AFTER):
                if key.data is lmtp:
                    line = lmtp.line()
                    answered = time.perf_counter()
                    if not line.startswith(b"250"):
                        raise SystemExit(f"push: {line!r}")
                elif key.data.heard():
                    last_heard = time.perf_counter()
                    silent.discard(key.data)
            if time.perf_counter() - dot > LOST_AFTER:
                raise SystemExit(f"push: {len(silent)} of {len(idlers)} sessions heard nothing within {LOST_AFTER} s")
    return max(0.0, last_heard - answered) * 1000, (answered - dot) * 1000


def main():
    parser = parser_of(__doc__, runs=3)
    parser.add_argument("--messages", type=int, default=300)
    parser.add_argument("--idling", default="1,20")
    options = parser.parse_args()
    with Stage("push", options.program) as stage:
        dovecot = stage.dovecot(SECRET)
        godwit = stage.godwit(accounts=[("idle", SECRET)])
        results = stage.start()
        servers = (("dovecot", dovecot.ports["lmtp"], dovecot.ports["imap"], dovecot.group), ("godwit", godwit.port(24), godwit.port(143), godwit.group))
        for idling in map(int, options.idling.split(",")):
            for _ in range(options.runs):
                for name, port, imap, account in servers:
                    idlers = [Idler(imap, "idle") for _ in range(idling)]
                    lmtp = Lmtp(port)
                    settle(account)
                    # Dovecot waits half a second before it tells: a tenth of the messages tell as much.
                    count = options.messages if name == "godwit" else max(10, options.messages // 10)
                    times = []
                    for number in range(count):
                        times.append(once(lmtp, idlers, "idle", number))
                        time.sleep(GAP)
                    lmtp.ask(b"QUIT\r\n")
                    for client in (*idlers, lmtp):
                        client.close()
                    pushed = sorted(push for push, _ in times)
                    results.add(name, f"{idling} in IDLE", median_ms=statistics.median(pushed), p99_ms=pushed[int(len(pushed) * 0.99)], most_ms=pushed[-1], answer_ms=statistics.median(a for _, a in times))
        results.table("godwit", "dovecot", [("median_ms", "median ms", "less"), ("p99_ms", "p99 ms", "less"), ("most_ms", "most ms", "less"), ("answer_ms", "dot to 250 ms", "less")])
        results.save()


if __name__ == "__main__":
    main()
