"""msmtp: what scripts and cron jobs send with."""
import os

from harness import case, expect, message, need, run, token


def config(world, lines):
    path = os.path.join(world.folder, f"msmtprc-{token()}")
    with open(path, "w") as f:
        f.write(f"defaults\nlogfile -\naccount default\nhost localhost\nfrom {world.address('alice')}\n" + "\n".join(lines) + "\n")
    os.chmod(path, 0o600)
    return path


@case
def starttls_and_tls(world):
    need("msmtp")
    for port, more in (("submission", ["tls_starttls on"]), ("submissions", ["tls_starttls off"])):
        for mechanism in ("plain", "scram-sha-256", "scram-sha-1"):
            word = token()
            path = config(world, [f"port {world.port(port)}", "tls on", f"tls_trust_file {world.ca}", "tls_host_override localhost", f"auth {mechanism}", "user alice", "password alice", *more])
            run(["msmtp", "-C", path, world.address("bob")], text=message(word).replace(b"\r\n", b"\n"))
            world.wait_mail("bob", word)


@case
def refusals_reach_the_exit_code(world):
    need("msmtp")
    path = config(world, [f"port {world.port('submission')}", "tls on", f"tls_trust_file {world.ca}", "auth plain", "user alice", "password wrong"])
    code, out = run(["msmtp", "-C", path, world.address("bob")], text=message("x"), check=False)
    expect(code == 77, "EX_NOPERM", code, out)
    path = config(world, [f"port {world.port('smtp')}", "tls off", "auth off"])
    code, out = run(["msmtp", "-C", path, world.address("nobody-at-all")], text=message("x"), check=False)
    expect(code != 0 and "550" in out, "550", code, out)


@case
def lmtp(world):
    need("msmtp")
    word = token()
    path = config(world, [f"port {world.port('lmtp')}", "protocol lmtp", "tls off", "auth off"])
    run(["msmtp", "-C", path, world.address("bob")], text=message(word).replace(b"\r\n", b"\n"))
    world.wait_mail("bob", word)
