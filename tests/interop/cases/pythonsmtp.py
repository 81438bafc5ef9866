"""Python's smtplib."""
import email.message
import smtplib
import ssl

from harness import DISCARD, DOMAIN, case, expect, expect_equal, message, token, without_trace


def letter(word, sender="alice", to="bob"):
    mail = email.message.EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = f"{sender}@{DOMAIN}", f"{to}@{DOMAIN}", word
    mail.set_content("Plain words, and ümläuts.\n")
    mail.add_alternative("<p>HTML words, and ümläuts.</p>\n", subtype="html")
    mail.add_attachment(bytes(range(256)) * 100, maintype="image", subtype="png", filename="bild ü.png")
    return mail


@case
def send_message(world):
    word = token()
    with smtplib.SMTP("127.0.0.1", world.port("smtp"), timeout=20) as client:
        expect_equal(client.send_message(letter(word)), {}, "refused")
    expect(b"bild" in world.wait_mail("bob", word)[0], "the attachment's name")


@case
def starttls_login_send(world):
    for port, factory in (("submission", None), ("submissions", smtplib.SMTP_SSL)):
        word = token()
        if factory:
            client = factory("localhost", world.port(port), timeout=20, context=world.tls())
        else:
            client = smtplib.SMTP("localhost", world.port(port), timeout=20)
            client.starttls(context=world.tls())
        with client:
            client.login("alice", "alice")
            client.send_message(letter(word))
        world.wait_mail("bob", word)


@case
def many_messages_on_one_connection(world):
    word = token()
    with smtplib.SMTP("127.0.0.1", world.port("smtp"), timeout=20) as client:
        for i in range(50):
            client.sendmail(f"alice@{DOMAIN}", [f"bob@{DOMAIN}"], message(f"{word} {i}"))
    found = world.wait_mail("bob", word, count=50)
    expect_equal(len({f for f in found}), 50, "different messages")


@case
def refusals_are_per_recipient(world):
    with smtplib.SMTP("127.0.0.1", world.port("smtp"), timeout=20) as client:
        word = token()
        refused = client.sendmail(f"alice@{DOMAIN}", [f"bob@{DOMAIN}", f"ghost@{DOMAIN}", f"x@{DISCARD}"], message(word))
        expect_equal(list(refused), [f"ghost@{DOMAIN}"], "refused")
        world.wait_mail("bob", word)
        try:
            client.sendmail(f"alice@{DOMAIN}", [f"ghost@{DOMAIN}"], message(token()))
            expect(False, "a message without a recipient was accepted")
        except smtplib.SMTPRecipientsRefused:
            pass


@case
def smtputf8(world):
    word = token()
    with smtplib.SMTP("127.0.0.1", world.port("smtp"), timeout=20) as client:
        client.ehlo()
        expect(client.has_extn("smtputf8"), "SMTPUTF8", client.esmtp_features)
        data = message(f"Größe {word}", sender="δοκιμή@παράδειγμα.test")
        client.sendmail("δοκιμή@παράδειγμα.test", [f"bob@{DOMAIN}"], data, mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    expect_equal(without_trace(world.wait_mail("bob", word)[0]), data, "bytes")


@case(seconds=90)
def twenty_mebibytes(world):
    word = token()
    line = b"0123456789" * 7 + b"\r\n"
    data = message(word) + line * (20 * 1024 * 1024 // len(line))
    with smtplib.SMTP("127.0.0.1", world.port("smtp"), timeout=60) as client:
        client.sendmail(f"alice@{DOMAIN}", [f"carol@{DOMAIN}"], data)
    with world.imap("carol") as client:
        number = client.uid("SEARCH", None, "SUBJECT", word)[1][0].split()[-1]
        got = client.uid("FETCH", number, "(BODY.PEEK[])")[1][0][1]
        expect(without_trace(got) == data, "20 MiB come back byte for byte", len(got), len(data))
        part = client.uid("FETCH", number, f"(BODY.PEEK[]<{len(got) - 1000}.5000>)")[1][0][1]
        expect_equal(part, got[-1000:], "the last thousand bytes")
        client.uid("STORE", number, "+FLAGS", "(\\Deleted)")
        client.expunge()


@case
def old_tls_is_refused(world):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    try:
        smtplib.SMTP_SSL("localhost", world.port("submissions"), timeout=20, context=context)
        expect(False, "TLS 1.1 was accepted (RFC 8996)")
    except (ssl.SSLError, OSError):
        pass
