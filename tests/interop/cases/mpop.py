"""mpop: mail taken over POP3, told apart by UIDL."""
import glob
import os

from harness import case, expect_equal, message, need, run, sha, token
from cases.mbsync import without_line_ends


def taken(home):
    return sorted(sha(without_line_ends(open(path, "rb").read())) for path in glob.glob(f"{home}/mail/[cn]*/*"))


def settings(world, home, keep):
    for folder in ("cur", "new", "tmp"):
        os.makedirs(f"{home}/mail/{folder}", exist_ok=True)
    with open(home + "/rc", "w") as f:
        f.write(f"""account default
host localhost
port {world.port('pop3s')}
user popper2
password popper2
tls on
tls_starttls off
tls_trust_file {world.ca}
auth plain
keep {'on' if keep else 'off'}
uidls_file {home}/uidls
received_header off
delivery maildir {home}/mail
""")
    os.chmod(home + "/rc", 0o600)


@case
def told_apart_by_uidl(world):
    """What is kept on the server is taken once; what comes later is taken alone; without `keep` the maildrop is empty after."""
    need("mpop")
    home = os.path.join(world.folder, f"mpop-{token()}")
    settings(world, home, keep=True)

    def fetch():
        run(["mpop", "-C", home + "/rc", "-Q"], env={"HOME": home}, seconds=40)
    sent = [message(f"{token()} {i}", body=".dot\r\n\r\nFrom here\r\n" * (1 + i * 40)) for i in range(6)]
    with world.imap("popper2", None) as client:
        for data in sent[:4]:
            client.append("INBOX", None, None, data)
        fetch()
        expect_equal(taken(home), sorted(sha(without_line_ends(data)) for data in sent[:4]), "what was taken")
        fetch()
        expect_equal(len(taken(home)), 4, "taken once")
        for data in sent[4:]:
            client.append("INBOX", None, None, data)
        fetch()
        expect_equal(taken(home), sorted(sha(without_line_ends(data)) for data in sent), "the new ones alone were taken")
    settings(world, home, keep=False)
    fetch()
    with world.imap("popper2") as client:
        expect_equal(client.search(None, "ALL")[1], [b""], "left on the server")
    expect_equal(len(taken(home)), 6, "none was taken twice")
