"""neomutt: sends in batch mode, and reads and changes a mailbox in a terminal of its own."""
import os

from harness import case, expect, message, need, run, token


def muttrc(world, more=""):
    home = os.path.join(world.folder, f"mutt-{token()}")
    os.makedirs(home)
    with open(home + "/muttrc", "w") as f:
        f.write(f"""set ssl_force_tls = yes
set ssl_starttls = yes
set certificate_file = "{world.ca}"
set ssl_ca_certificates_file = "{world.ca}"
set imap_user = "mutt"
set imap_pass = "mutt"
set smtp_pass = "mutt"
# neomutt 2022 with GNU SASL takes -PLUS over TLS 1.3 and then has no tls-exporter binding to give.
set smtp_authenticators = "plain"
set smtp_url = "smtps://mutt@localhost:{world.port('submissions')}"
set from = "{world.address('mutt')}"
set realname = "Mutt"
set folder = "imaps://mutt@localhost:{world.port('imaps')}/"
set spoolfile = "+INBOX"
set copy = no
set header_cache = ""
set message_cachedir = ""
set send_charset = "utf-8"
set delete = yes
set quit = yes
set wait_key = no
{more}
""")
    return home


def mutt(world, home, *words, text=None):
    need("neomutt")
    return run(["neomutt", "-n", "-F", home + "/muttrc", *words], text=text, env={"HOME": home, "TERM": "xterm"}, seconds=45)[1]


@case
def sends_over_tls(world):
    need("neomutt")
    word = token()
    home = muttrc(world)
    with open(home + "/picture.bin", "wb") as f:
        f.write(bytes(range(256)) * 50)
    mutt(world, home, "-s", f"Größe {word}", "-a", home + "/picture.bin", "--", world.address("bob"), text="Hallo, schöne Welt\n")
    with world.imap("bob") as client:
        def count():
            client.noop()
            return len(client.search("UTF-8", "SUBJECT", word)[1][0].split())
        import time
        end = time.monotonic() + 15
        while not count() and time.monotonic() < end:
            time.sleep(0.2)
        expect(count() == 1, "the message arrived, and SEARCH decodes the encoded subject")


@case
def reads_and_changes(world):
    """Opens INBOX, tags by subject, saves to another mailbox, deletes, and leaves."""
    need("neomutt")
    words = [token() for _ in range(3)]
    with world.imap("mutt") as client:
        for word in words:
            client.append("INBOX", None, None, message(word, to=world.address("mutt")))
        client.create("Kept")
    home = muttrc(world)
    commands = f'push "<limit>~s{words[0]}<enter><flag-message><limit>~A<enter><delete-pattern>~s{words[1]}<enter><sync-mailbox><quit>"'
    # A terminal of its own: neomutt needs one to open a mailbox.
    run(["script", "-q", "-e", "-c", f"neomutt -n -F {home}/muttrc -e '{commands}'", "/dev/null"], env={"HOME": home, "TERM": "xterm"}, seconds=45, check=False)
    with world.imap("mutt") as client:
        expect(len(client.search(None, "SUBJECT", words[0], "FLAGGED")[1][0].split()) == 1, "flagged")
        expect(len(client.search(None, "SUBJECT", words[1])[1][0].split()) == 0, "deleted")
        expect(len(client.search(None, "SUBJECT", words[2])[1][0].split()) == 1, "left alone")
