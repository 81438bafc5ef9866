"""offlineimap: two-way synchronisation with a Maildir, as many archives are kept."""
import glob
import os

from harness import case, expect, expect_equal, message, need, run, sha, token
from cases.mbsync import without_line_ends


def stored(home):
    """{sha256 with LF line ends: path} of what lies in the Maildir."""
    return {sha(without_line_ends(open(path, "rb").read())): path for path in glob.glob(f"{home}/mail/*/[cn]*/*")}


@case(seconds=120)
def both_ways_and_idempotent(world):
    need("offlineimap")
    home = os.path.join(world.folder, f"offlineimap-{token()}")
    os.makedirs(home)
    with open(home + "/rc", "w") as f:
        f.write(f"""[general]
accounts = godwit
metadata = {home}/state
maxsyncaccounts = 1

[Account godwit]
localrepository = near
remoterepository = far

[Repository near]
type = Maildir
localfolders = {home}/mail

[Repository far]
type = IMAP
remotehost = localhost
remoteport = {world.port('imaps')}
remoteuser = offline
remotepass = offline
ssl = yes
sslcacertfile = {world.ca}
maxconnections = 3
""")

    def sync():
        return run(["offlineimap", "-c", home + "/rc", "-o", "-u", "basic"], env={"HOME": home}, seconds=60)[1]
    sent = [message(f"{token()} {i}", body=f"Message {i} of {token()}\r\n" * (1 + i * 7)) for i in range(30)]
    with world.imap("offline", None) as client:
        client.create("Archive")
        client.create("Archive/Grüße".encode("utf-7").decode().replace("+", "&"))
        for i, data in enumerate(sent):
            client.append(["INBOX", "Archive"][i % 2], "(\\Seen)" if i % 3 == 0 else None, None, data)
    sync()
    wanted = {sha(without_line_ends(data)): data for data in sent}
    expect_equal(set(stored(home)), set(wanted), "messages that came down with the right checksum")
    before = stored(home)
    sync()
    expect_equal(stored(home), before, "a second run changes nothing")

    flagged, gone = (stored(home)[sha(without_line_ends(data))] for data in sent[1:3])
    base = os.path.basename(flagged).split(":2,")[0]
    os.rename(flagged, os.path.join(os.path.dirname(os.path.dirname(flagged)), "cur", base + ":2,FS"))
    os.unlink(gone)
    up = without_line_ends(message("upwards " + token()))
    with open(f"{home}/mail/INBOX/new/1700000000.{token()}.host", "wb") as f:
        f.write(up)

    def number(client, data):
        return client.search(None, "SUBJECT", data.split(b"Subject: ")[1].split()[0].decode())[1][0].split()
    with world.imap("offline") as client:
        client.store(number(client, sent[4])[0], "+FLAGS", "(\\Answered)")
    sync()
    with world.imap("offline", "Archive") as client:
        flags = client.fetch(number(client, sent[1])[0], "(FLAGS)")[1][0]
        expect(b"\\Flagged" in flags and b"\\Seen" in flags, "flags went up", flags)
    with world.imap("offline") as client:
        expect_equal(number(client, sent[2]), [], "the deletion went up")
        expect_equal(len(client.search(None, "SUBJECT", "upwards")[1][0].split()), 1, "new mail went up")
    expect("R" in stored(home)[sha(without_line_ends(sent[4]))].split(":2,")[1], "a flag came down", stored(home))
    before = {sha(without_line_ends(open(path, "rb").read())): os.path.basename(path) for path in stored(home).values()}
    sync()
    expect_equal({key: os.path.basename(path) for key, path in stored(home).items()}, before, "a last run changes nothing")
