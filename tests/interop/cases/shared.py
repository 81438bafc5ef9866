"""Mailboxes that others are let into, by the administrator's command and read by curl and imaplib."""
import imaplib

from cases.curl import curl, upload
from harness import case, expect, expect_equal, message, token


@case
def by_command_and_read_by_curl(world):
    word = token()
    owner, visitor = f"own{word}", f"see{word}"
    domain = world.address("alice").split("@")[1]
    for name in (owner, visitor):
        world.godwit("account", "add", f"{name}@{domain}", "--password", name)
    base = f"imap://127.0.0.1:{world.port('imap')}"
    data = message(word)
    curl(world, "--user", f"{owner}:{owner}", "--request", "CREATE Team", "--url", base + "/")
    curl(world, "--user", f"{owner}:{owner}", "--upload-file", upload(world, data), "--url", f"{base}/Team")
    box = f"{base}/Other%20users/{owner}%40{domain}/Team"
    me = ["--user", f"{visitor}:{visitor}"]
    # 67: SELECT is refused, as of a mailbox that is not there.
    curl(world, *me, "--url", box + ";MAILINDEX=1", codes=(67,))
    out = world.godwit("acl", "set", f"{owner}@{domain}", "Team", f"{visitor}@{domain}", "lrsw")[1]
    expect_equal(out, f"{owner}@{domain}, Team: {visitor}@{domain} has lrsw\n", "what acl set says")
    expect(f"Other users/{owner}@{domain}/Team" in curl(world, *me, "--request", 'LIST "" "Other users/*"', "--url", base + "/"), "LIST")
    got = curl(world, *me, "--url", box + ";MAILINDEX=1")
    expect_equal(got.replace("\r\n", "\n"), data.decode().replace("\r\n", "\n"), "octets")
    client = imaplib.IMAP4("127.0.0.1", world.port("imap"))
    client.login(visitor, visitor)
    expect_equal(client.myrights(f'"Other users/{owner}@{domain}/Team"')[1], [f'"Other users/{owner}@{domain}/Team" lrsw'.encode()], "MYRIGHTS")
    expect_equal(client.namespace()[1], [b'(("" "/")) (("Other users/" "/")) (("Shared/" "/"))'], "NAMESPACE")
    client.select(f'"Other users/{owner}@{domain}/Team"')
    expect_equal(client.search(None, "SEEN")[1], [b"1"], "what curl read is seen")
    out = world.godwit("acl", "remove", f"{owner}@{domain}", "Team", f"{visitor}@{domain}")[1]
    expect_equal(out, f"{owner}@{domain}, Team: {visitor}@{domain} has no rights\n", "what acl remove says")
    curl(world, *me, "--url", box + ";MAILINDEX=1", codes=(67,))
    for name in (owner, visitor):
        world.godwit("account", "remove", f"{name}@{domain}")
