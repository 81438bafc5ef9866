"""mbsync (isync): two-way synchronisation, the strictest user of UIDs and flags."""
import glob
import os
import random
import re

from harness import case, expect, expect_equal, message, need, run, sha, token


def without_line_ends(data):
    """With LF line ends, as a Maildir has them."""
    return data.replace(b"\r\n", b"\n")


def maildir(home):
    """{sha256 with LF line ends: path} of the synchronised messages, less the header that mbsync adds."""
    found = {}
    for path in glob.glob(f"{home}/mail/*/[cn]*/*") + glob.glob(f"{home}/mail/*/*/[cn]*/*"):
        data = re.sub(rb"^X-TUID: .*\n", b"", open(path, "rb").read(), flags=re.M)
        found[sha(data)] = path
    return found


@case(seconds=120)
def both_ways_and_idempotent(world):
    need("mbsync")
    home = os.path.join(world.folder, f"mbsync-{token()}")
    os.makedirs(home + "/mail")
    with open(home + "/rc", "w") as f:
        f.write(f"""IMAPAccount godwit
Host localhost
Port {world.port('imaps')}
User sync
Pass sync
SSLType IMAPS
CertificateFile {world.ca}
PipelineDepth 50

IMAPStore far
Account godwit

MaildirStore near
Path {home}/mail/
Inbox {home}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
Remove Both
SyncState {home}/state-
CopyArrivalDate yes
""")

    def sync():
        return run(["mbsync", "-c", home + "/rc", "-V", "all"], seconds=60)[1]
    random.seed(5)
    sent = []
    with world.imap("sync", None) as client:
        client.create("Archive")
        client.create("Archive/2026")
        for i in range(40):
            body = "".join(random.choice("abcdefgh \n") for _ in range(random.randrange(1, 3000))).replace("\n", "\r\n") + "\r\n"
            data = message(f"{token()} {i}", body=body)
            sent.append(data)
            client.append(["INBOX", "Archive", "Archive/2026"][i % 3], "(\\Seen)" if i % 2 else None, None, data)
    sync()
    wanted = {sha(d.replace(b"\r\n", b"\n")) for d in sent}
    expect_equal(len(wanted & set(maildir(home))), 40, "messages that came down with the right checksum")
    before = maildir(home)
    out = sync()
    expect_equal(maildir(home), before, "a second run changes nothing")
    # Flags and deletions both ways, and new mail upwards.
    one = maildir(home)[sha(sent[0].replace(b"\r\n", b"\n"))]
    base = os.path.basename(one).split(":2,")[0]
    os.rename(one, os.path.join(os.path.dirname(os.path.dirname(one)), "cur", base + ":2,FRS"))
    gone = maildir(home)[sha(sent[3].replace(b"\r\n", b"\n"))]
    os.unlink(gone)
    up = message("upwards " + token()).replace(b"\r\n", b"\n")
    with open(f"{home}/mail/INBOX/new/1700000000.{token()}.host", "wb") as f:
        f.write(up)
    with world.imap("sync") as client:
        number = client.search(None, "SUBJECT", sent[6].split(b"Subject: ")[1].split()[0].decode())[1][0].split()[0]
        client.store(number, "+FLAGS", "(\\Flagged \\Answered)")
    sync()
    with world.imap("sync") as client:
        def flags(data):
            number = client.search(None, "SUBJECT", data.split(b"Subject: ")[1].split()[0].decode())[1][0].split()
            return client.fetch(number[0], "(FLAGS)")[1][0] if number else None
        expect(b"\\Flagged" in flags(sent[0]) and b"\\Answered" in flags(sent[0]) and b"\\Seen" in flags(sent[0]), "flags went up", flags(sent[0]))
        expect_equal(flags(sent[3]), None, "the deletion went up")
        numbers = client.search(None, "SUBJECT", "upwards")[1][0].split()
        expect_equal(len(numbers), 1, "new mail went up")
    path = maildir(home)[sha(sent[6].replace(b"\r\n", b"\n"))]
    expect({"F", "R"} <= set(path.split(":2,")[1]), "flags came down", path)
    expect(sha(up) in maildir(home), "the uploaded message keeps its bytes")
    before = maildir(home)
    sync()
    expect_equal(maildir(home), before, "a last run changes nothing")
