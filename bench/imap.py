#!/usr/bin/env python3
"""Reading over IMAP: Godwit beside Dovecot (sdbox), on one big mailbox.

usage: ./dev bench imap [--runs 5] [--messages 10000] [--idle 500] [--idle-tls 5000]
SELECT, FETCH of all there is, SEARCH, SORT, THREAD, STORE of a thousand; APPEND (durable, 1 and 10 connections); logins; memory per idle connection,
in clear and over TLS (Dovecot with --idle of them, Godwit with --idle-tls). --only idle leaves out all but that memory.
"""
import json
import subprocess
import threading
import time

from mailload import Imap, letter
from measure import Meter, settle
from opening import Stage, parser_of

USERS, SECRET = 10, "pass"
SELECT = "SELECT INBOX"
# What is asked, the command before it in the session, the command. Every word of mailload.py is in a tenth of the subjects and in nearly every body.
OPERATIONS = [("SELECT", None, SELECT), ("FETCH FLAGS", SELECT, "FETCH 1:* (UID FLAGS)"), ("FETCH FLAGS INTERNALDATE SIZE", SELECT, "FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)"),
              ("FETCH ENVELOPE", SELECT, "FETCH 1:* (ENVELOPE)"), ("FETCH BODYSTRUCTURE", SELECT, "FETCH 1:* (BODYSTRUCTURE)"), ("FETCH ENVELOPE BODYSTRUCTURE", SELECT, "FETCH 1:* (ENVELOPE BODYSTRUCTURE)"),
              ("FETCH 1000 bodies", SELECT, "FETCH 1:1000 (BODY.PEEK[])"), ("SEARCH UNSEEN", SELECT, "SEARCH UNSEEN"), ("SEARCH SUBJECT", SELECT, 'SEARCH SUBJECT "money"'),
              ("SEARCH FROM", SELECT, 'SEARCH FROM "p77@"'), ("SEARCH BODY, in nearly all", SELECT, 'SEARCH BODY "money"'), ("SEARCH BODY, two words", SELECT, 'SEARCH BODY "money story"'), ("SEARCH TEXT, in no message", SELECT, 'SEARCH TEXT "qzxqzxnever"'),
              ("SORT SUBJECT", SELECT, "SORT (SUBJECT) UTF-8 ALL"), ("THREAD REFERENCES", SELECT, "THREAD REFERENCES UTF-8 ALL"), ("STORE 1:1000", SELECT, "STORE 1:1000 +FLAGS (\\Flagged)"),
              ("STORE 1:1000 back", SELECT, "STORE 1:1000 -FLAGS.SILENT (\\Flagged)")]
BODIES = 1000


def together(jobs):
    """Runs the functions in threads; the seconds until the last one ended. The first error is raised."""
    errors = []

    def guarded(job):
        try:
            job()
        except Exception as error:
            errors.append(error)
    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return time.monotonic() - began


def wait_for_index(godwit, seconds=1800):
    """Until Godwit has read all messages for its search index, but for the few that always wait; the seconds it took. Dovecot makes what it has while it answers."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        rows = json.loads(subprocess.run([godwit.program, "index", "list", "--json", "--dir", godwit.folder], capture_output=True, text=True, check=True).stdout)
        if all(row["waiting"] < 50 for row in rows):
            return round(time.monotonic() - began)
        time.sleep(1)
    raise TimeoutError("the search index is not complete")


def idle(results, options, dovecot, godwit):
    """Memory of sessions that are logged in, have selected a mailbox and wait in IDLE."""
    results.rows = []
    for name, tls, count, port, account in [("dovecot", False, options.idle, dovecot.ports["imap"], dovecot.group), ("godwit", False, options.idle, godwit.port(143), godwit.group),
                                            ("dovecot", True, options.idle, dovecot.ports["imaps"], dovecot.group), ("godwit", True, options.idle_tls, godwit.port(993), godwit.group)]:
        # What a server keeps for users who were there before (views, verified passwords) is none of a connection's.
        for i in range(USERS):
            client = Imap(port, tls=tls)
            client.login(f"u{i}", SECRET)
            client.command("SELECT INBOX")
            client.close()
        settle(account)
        before = account.memory()
        clients = []
        for i in range(count):
            client = Imap(port, tls=tls)
            client.login(f"u{i % USERS}", SECRET)
            client.command("SELECT INBOX")
            client.socket.sendall(b"I IDLE\r\n")
            while not client.line().startswith(b"+"):
                pass
            clients.append(client)
        time.sleep(2)
        memory = account.memory()
        results.add(name, f"connections in IDLE{', TLS' if tls else ''}", kib=(memory - before) / 1024 / count, connections=count, whole_mib=memory / 1048576, processes=len(account.pids()))
        for client in clients:
            client.close()
        settle(account)
    results.table("godwit", "dovecot", [("kib", "KiB each", "less"), ("connections", "connections", "more"), ("whole_mib", "MiB in all", "less"), ("processes", "processes", "less")])
    results.save(kind="idle")


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--messages", type=int, default=10000)
    parser.add_argument("--idle", type=int, default=500)
    parser.add_argument("--idle-tls", type=int, default=5000)
    parser.add_argument("--only", choices=["idle"])
    options = parser.parse_args()
    if options.messages < BODIES:
        parser.error(f"--messages is at least {BODIES}")
    with Stage("imap", options.program) as stage:
        dovecot = stage.dovecot(SECRET, "imaps", tls=True)
        godwit = stage.godwit(accounts=[("reader", SECRET)] + [(f"u{i}", SECRET) for i in range(USERS)])
        results = stage.start()
        if options.only == "idle":
            return idle(results, options, dovecot, godwit)
        servers = [("dovecot", dovecot.ports["imap"], dovecot.group), ("godwit", godwit.port(143), godwit.group)]
        for name, port, _ in servers:
            began = time.monotonic()
            client = Imap(port)
            client.login("reader", SECRET)
            client.fill("INBOX", (letter(i) for i in range(options.messages)))
            client.close()
            print(f"  {name}: filled {options.messages} messages in {time.monotonic() - began:.1f} s", flush=True)
        print(f"  godwit: search index complete {wait_for_index(godwit)} s later", flush=True)
        for label, first, command in OPERATIONS:
            for _ in range(options.runs):
                for name, port, account in servers:
                    client = Imap(port)
                    client.login("reader", SECRET)
                    if first:
                        client.command(first)
                    settle(account)
                    with Meter(account) as meter:
                        seconds, data = client.command(command)
                    client.close()
                    results.add(name, f"{label}, {options.messages} messages", ms=seconds * 1000, cpu_ms=meter.cpu * 1000, kib=len(data) // 1024)
        results.table("godwit", "dovecot", [("ms", "ms", "less"), ("cpu_ms", "CPU ms", "less")])
        results.save(kind="operations")

        results.rows = []
        data = letter(7, 4096)
        for connections in (1, 10):
            for _ in range(options.runs):
                for name, port, account in servers:
                    clients = [Imap(port) for _ in range(connections)]
                    for i, client in enumerate(clients):
                        client.login(f"u{i % USERS}", SECRET)
                    each = (300 if connections == 1 else 1000) // connections

                    def work(client):
                        for _ in range(each):
                            client.append("INBOX", data)
                    settle(account)
                    with Meter(account) as meter:
                        seconds = together([lambda c=c: work(c) for c in clients])
                    for client in clients:
                        client.close()
                    results.add(name, f"APPEND 4 KiB x {connections} connections", per_s=each * connections / seconds, cpu_ms=meter.cpu / each / connections * 1000)
        for _ in range(options.runs):
            for name, port, account in servers:
                def logins(number):
                    for i in range(30):
                        client = Imap(port)
                        client.login(f"u{(number + i) % USERS}", SECRET)
                        client.command("LOGOUT")
                        client.close()
                settle(account)
                with Meter(account) as meter:
                    seconds = together([lambda n=n: logins(n) for n in range(10)])
                results.add(name, "connect, LOGIN, LOGOUT x 10", per_s=300 / seconds, cpu_ms=meter.cpu / 300 * 1000)
        results.table("godwit", "dovecot", [("per_s", "per s", "more"), ("cpu_ms", "CPU ms each", "less")])
        results.save(kind="rates")

        idle(results, options, dovecot, godwit)


if __name__ == "__main__":
    main()
