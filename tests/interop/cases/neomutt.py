"""neomutt: sends in batch mode, and reads and changes a mailbox in a terminal of its own."""
import os
import re

from harness import case, expect, expect_equal, message, need, run, token


def muttrc(world, more="", user="mutt"):
    home = os.path.join(world.folder, f"mutt-{token()}")
    os.makedirs(home)
    with open(home + "/muttrc", "w") as f:
        f.write(f"""set ssl_force_tls = yes
set ssl_starttls = yes
set certificate_file = "{world.ca}"
set ssl_ca_certificates_file = "{world.ca}"
set imap_user = "{user}"
set imap_pass = "{user}"
set smtp_pass = "mutt"
# neomutt 2022 with GNU SASL takes -PLUS over TLS 1.3 and then has no tls-exporter binding to give.
set smtp_authenticators = "plain"
set smtp_url = "smtps://mutt@localhost:{world.port('submissions')}"
set from = "{world.address('mutt')}"
set realname = "Mutt"
set folder = "imaps://{user}@localhost:{world.port('imaps')}/"
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


def log_of_session(home, commands, name):
    """What neomutt wrote and read while it did these keys. A terminal of its own: it needs one to open a mailbox."""
    run(["script", "-q", "-e", "-c", f"neomutt -n -F {home}/muttrc -d 5 -l {home}/{name} -e '{commands}'", "/dev/null"], env={"HOME": home, "TERM": "xterm"}, seconds=45, check=False)
    found = "".join(open(os.path.join(home, file), errors="replace").read() for file in sorted(os.listdir(home)) if file.startswith(name))
    expect("SELECT" in found, "a log of the session", found[-500:])
    return found


def with_a_cache(world, extension):
    """A second start tells by mod-sequences what changed meanwhile: flags, messages gone, messages new."""
    words = [token() for _ in range(4)]
    with world.imap("cached", None) as client:
        box = f"Box-{token()}"
        client.create(box)
        for word in words[:3]:
            client.append(box, None, None, message(word))
    home = muttrc(world, user="cached", more=f"""set header_cache = "~/headers"
set spoolfile = "+{box}"
set imap_condstore = yes
set imap_qresync = {'yes' if extension == 'QRESYNC' else 'no'}
""")
    first = log_of_session(home, 'push "<quit>"', "first")
    expect(re.search(r"SELECT.*\(CONDSTORE\)" if extension == "CONDSTORE" else "ENABLE.*QRESYNC", first), f"{extension} is used", first[-2000:])
    with world.imap("cached", box) as client:
        client.store("1", "+FLAGS", "(\\Flagged)")
        client.store("2", "+FLAGS", "(\\Deleted)")
        client.expunge()
        client.append(box, None, None, message(words[3]))
    second = log_of_session(home, f'push "<limit>~F~s{words[0]}<enter><clear-flag>!<limit>~s{words[3]}<enter><set-flag>!<sync-mailbox><quit>"', "second")
    expect(re.search(r"CHANGEDSINCE \d+\)" if extension == "CONDSTORE" else r"CHANGEDSINCE \d+ VANISHED\)", second), f"the second start asks for what changed ({extension})", second[-2000:])
    if extension == "QRESYNC":
        expect("* VANISHED (EARLIER) 2" in second, "what went is told", second[-2000:])
    with world.imap("cached", box) as client:
        flagged = [client.search(None, "SUBJECT", word, "FLAGGED")[1][0].split() for word in words]
        expect_equal(flagged, [[], [], [], [b"3"]], "it saw the flag of another client, the message gone, and the new one")


@case
def changes_since_the_last_start_by_condstore(world):
    with_a_cache(world, "CONDSTORE")


@case
def changes_since_the_last_start_by_qresync(world):
    with_a_cache(world, "QRESYNC")
