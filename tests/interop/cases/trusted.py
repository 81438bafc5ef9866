"""Proxies, filters and load balancers that may speak for others: XCLIENT, XFORWARD, the PROXY protocol; VRFY and EXPN. swaks knows them."""
import socket

from cases.serve import Production
from harness import Raw, case, expect, free_ports, need, run, token

CLIENT = "203.0.113.9"


def trusted(world, name):
    """A production server that trusts loopback, with a listener behind a balancer."""
    server = Production(world, name)
    port, tls_port = free_ports(2)
    text = server.read()
    text += f'\n[[listener]]\nprotocol = "smtp"\naddress = "127.0.0.1:{port}"\nproxy = true\n'
    text += f'\n[[listener]]\nprotocol = "imaps"\naddress = "127.0.0.1:{tls_port}"\nproxy = true\n'
    head, tables = text.split("\n[", 1)
    server.write(head + '\n[trust]\nanswer = ["127.0.0.0/8"]\nxclient = ["127.0.0.1"]\nxforward = ["127.0.0.1"]\nproxy = ["127.0.0.1", "::1"]\n\n[' + tables)
    server.start()
    server.godwit("account", "add", "anna@example.org", "--password", "anna")
    server.godwit("alias", "add", "both@example.org", "anna@example.org", "ben@elsewhere.test")
    return server, port, tls_port


def swaks(port, *words, codes=(0,)):
    need("swaks")
    return run(["swaks", "--server", f"127.0.0.1:{port}", "--timeout", "20", "--helo", "client.test", "--from", "someone@elsewhere.test", "--to", "anna@example.org", *words], codes=codes)[1]


def received(server, word):
    return server.find("anna", "anna", word)[0].split(b"\r\nby ", 1)[0]


@case(seconds=120)
def xclient_and_proxy_of_swaks(world):
    server, port, tls_port = trusted(world, "trusted")
    with server:
        word = token()
        out = swaks(server.ports["smtp"], "--xclient-name", "far.example", "--xclient-addr", CLIENT, "--header", f"Subject: {word}")
        expect("XCLIENT NAME=far.example ADDR=203.0.113.9" in out.replace("ADDR=203.0.113.9 NAME=far.example", "NAME=far.example ADDR=203.0.113.9"), "XCLIENT was used", out)
        expect(b"far.example [203.0.113.9]" in received(server, word), "the client's name and address in Received")
        # Its account, without a password: it may relay then.
        out = swaks(server.ports["smtp"], "--xclient", "LOGIN=anna", "--from", "anna@example.org", "--to", "far@elsewhere.test", "--quit-after", "RCPT")
        expect("250 2.1.5" in out, "a relayed recipient", out)
        for version in ("1", "2"):
            word = token()
            swaks(port, "--proxy-version", version, "--proxy-family", "TCP4" if version == "1" else "AF_INET", "--proxy-source", CLIENT, "--proxy-source-port", "4711",
                  "--proxy-dest", "192.0.2.1", "--proxy-dest-port", "25", *(() if version == "1" else ("--proxy-protocol", "STREAM")), "--header", f"Subject: {word}", "--tls")
            expect(CLIENT.encode() in received(server, word), f"the client's address by PROXY version {version}")
        # Without a header: closed without a word.
        swaks(port, "--quit-after", "EHLO", codes=(6,))
        # Before implicit TLS; a client of IMAP is at the address that the balancer names.
        with socket.create_connection(("127.0.0.1", tls_port), 10) as plain:
            plain.sendall(f"PROXY TCP4 {CLIENT} 192.0.2.1 4711 993\r\n".encode())
            context = server.tls()
            context.check_hostname = False
            with context.wrap_socket(plain) as tls:
                lines = tls.makefile("rb")
                expect(lines.readline().startswith(b"* OK"), "IMAP behind a balancer")
                tls.sendall(b"a LOGIN anna wrong\r\n")
                expect(lines.readline().startswith(b"a NO"), "a wrong password")
        server.wait_log(CLIENT)


@case(seconds=120)
def questions_and_xforward(world):
    server, _, _ = trusted(world, "asking")
    with server:
        with Raw(server.ports["smtp"]) as client:
            client.reply()
            announced = client.smtp("EHLO filter.test", 250)
            expect(any("XFORWARD NAME ADDR" in str(line) for line in announced[1]) and any("EXPN" in str(line) for line in announced[1]), "announced", announced)
            expect("<anna@example.org>" in str(client.smtp("VRFY anna", 250)), "VRFY")
            client.smtp("VRFY nobody@example.org", 550)
            answer = str(client.smtp("EXPN both@example.org", 250))
            expect("<anna@example.org>" in answer and "<ben@elsewhere.test>" in answer, "EXPN", answer)
            client.smtp(f"XFORWARD NAME=far.example ADDR={CLIENT} PORT=4711", 250)
            client.smtp("MAIL FROM:<a@far.example>", 250)
            client.smtp("RCPT TO:<anna@example.org>", 250)
            client.smtp("DATA", 354)
            client.send("Subject: x\r\n\r\nx\r\n.\r\n")
            answer = str(client.reply())
        mail = answer.split("delivered as ")[1].split("'")[0].split("\\")[0].strip()
        shown = server.godwit("message", "show", mail, "--json")[1]
        expect(f"{CLIENT}:4711" in shown, "the first client in the trail", shown)
