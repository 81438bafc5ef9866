"""Start and stop of the real program. Runs last."""
import smtplib
import time

from harness import DOMAIN, Raw, case, expect, expect_equal, message, token


@case(seconds=90)
def restart_finds_the_mail(world):
    word = token()
    with smtplib.SMTP("127.0.0.1", world.port("smtp"), timeout=20) as client:
        client.sendmail(f"alice@{DOMAIN}", [f"bob@{DOMAIN}"], message(word))
    expect_equal(world.stop(), 0, "exit code after SIGTERM")
    started = time.monotonic()
    world.start()
    expect(time.monotonic() - started < 10, "a second start takes seconds", time.monotonic() - started)
    world.wait_mail("bob", word)


@case(seconds=90)
def stop_says_421_and_waits_for_the_dot(world):
    """A client between DATA and the dot gets its answer; an idle one gets 421."""
    word = token()
    idle = Raw(world.port("smtp"))
    idle.reply()
    idle.smtp("EHLO idle.test", 250)
    busy = Raw(world.port("smtp"))
    busy.reply()
    busy.smtp("EHLO busy.test", 250)
    busy.smtp(f"MAIL FROM:<alice@{DOMAIN}>", 250)
    busy.smtp(f"RCPT TO:<bob@{DOMAIN}>", 250)
    busy.smtp("DATA", 354)
    data = message(word)
    busy.send(data[:50])
    import signal
    world.process.send_signal(signal.SIGTERM)
    expect_equal(idle.reply()[0], 421, "the idle client")
    busy.send(data[50:] + b".\r\n")
    expect_equal(busy.reply()[0], 250, "the reply after the dot")
    expect_equal(world.stop(), 0, "exit code")
    world.start()
    world.wait_mail("bob", word)


@case(seconds=60)
def fsck_is_content(world):
    out = world.godwit("fsck")[1]
    expect(any(c.isdigit() for c in out), "fsck says counts", out)
