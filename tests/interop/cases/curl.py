"""curl speaks all three protocols and is on every machine."""
import os

from harness import case, expect, expect_equal, message, need, run, token, without_trace


def curl(world, *words, codes=(0,)):
    need("curl")
    return run(["curl", "--silent", "--show-error", "--max-time", "25", *words], codes=codes)[1]


def upload(world, data):
    path = os.path.join(world.folder, f"upload-{token()}.eml")
    with open(path, "wb") as f:
        f.write(data)
    return path


@case
def smtp_send(world):
    word = token()
    data = message(word)
    curl(world, "--url", f"smtp://127.0.0.1:{world.port('smtp')}/client.test", "--mail-from", world.address("alice"), "--mail-rcpt", world.address("bob"), "--upload-file", upload(world, data))
    expect_equal(without_trace(world.wait_mail("bob", word)[0]), data, "bytes")


@case
def smtp_starttls_with_auth(world):
    word = token()
    curl(world, "--ssl-reqd", "--cacert", world.ca, "--url", f"smtp://localhost:{world.port('submission')}/client.test", "--user", "alice:alice",
         "--mail-from", world.address("alice"), "--mail-rcpt", world.address("bob"), "--upload-file", upload(world, message(word)))
    world.wait_mail("bob", word)


@case
def imap_append_search_fetch(world):
    word = token()
    data = message(word, to=world.address("carol"))
    base = f"imap://127.0.0.1:{world.port('imap')}"
    me = ["--user", "carol:carol"]
    box = f"Curl{word}"
    curl(world, *me, "--request", f"CREATE {box}", "--url", base + "/")
    curl(world, *me, "--upload-file", upload(world, data), "--url", f"{base}/{box}")
    expect(box in curl(world, *me, "--url", base + "/"), "LIST shows the new mailbox")
    found = curl(world, *me, "--url", f"{base}/{box}?SUBJECT%20{word}")
    expect_equal(found.strip(), "* SEARCH 1", "SEARCH")
    got = curl(world, *me, "--url", f"{base}/{box};MAILINDEX=1")
    expect_equal(got.replace("\r\n", "\n"), data.decode().replace("\r\n", "\n"), "FETCH")
    expect(word in curl(world, *me, "--url", f"{base}/{box};UID=1;SECTION=HEADER.FIELDS%20(SUBJECT)"), "SECTION")
    curl(world, *me, "--request", "STORE 1 +FLAGS (\\Deleted)", "--url", f"{base}/{box}")
    curl(world, *me, "--request", "EXPUNGE", "--url", f"{base}/{box}")
    curl(world, *me, "--request", f"DELETE {box}", "--url", base + "/")


@case
def imaps_and_starttls(world):
    for url in ([f"imaps://localhost:{world.port('imaps')}/INBOX?ALL"], ["--ssl-reqd", f"imap://localhost:{world.port('imap')}/INBOX?ALL"]):
        expect("* SEARCH" in curl(world, "--cacert", world.ca, "--user", "carol:carol", *url), "SEARCH ALL over TLS")
    # 67: login denied.
    curl(world, "--user", "carol:wrong", f"imap://127.0.0.1:{world.port('imap')}/INBOX?ALL", codes=(67,))


@case
def pop3_list_and_retrieve(world):
    word = token()
    data = message(word, to=world.address("popper"))
    curl(world, "--url", f"smtp://127.0.0.1:{world.port('smtp')}/client.test", "--mail-from", world.address("alice"), "--mail-rcpt", world.address("popper"), "--upload-file", upload(world, data))
    world.wait_mail("popper", word)
    base = f"pop3://127.0.0.1:{world.port('pop3')}/"
    lines = curl(world, "--user", "popper:popper", "--url", base).strip().splitlines()
    expect(lines and all(len(l.split()) == 2 for l in lines), "LIST", lines)
    last = lines[-1].split()[0]
    expect(word in curl(world, "--user", "popper:popper", "--url", base + last), "RETR")
    for url in (["--cacert", world.ca, f"pop3s://localhost:{world.port('pop3s')}/{last}"], ["--ssl-reqd", "--cacert", world.ca, f"pop3://localhost:{world.port('pop3')}/{last}"]):
        expect(word in curl(world, "--user", "popper:popper", *url), "RETR over TLS")


@case
def http_page(world):
    expect("Godwit" in curl(world, f"http://127.0.0.1:{world.port('http')}/"), "the start page")
    code = curl(world, "--output", "/dev/null", "--write-out", "%{http_code}", f"http://127.0.0.1:{world.port('http')}/health")
    expect_equal(code, "200", "/health")
