"""nodemailer and imapflow: what web applications use."""
import os

from harness import ROOT, Skip, case, need, run, token

NODE = os.path.join(ROOT, "tests", "interop", "node")


def node(world, script, *words):
    need("node")
    if not os.path.isdir(os.path.join(ROOT, "tests", "interop", "node_modules", "imapflow")):
        raise Skip("the npm packages are not installed (./dev bootstrap test)")
    env = {f"PORT_{name.upper()}": str(world.port(name)) for name in ("smtp", "submission", "submissions", "imap", "imaps")}
    run(["node", os.path.join(NODE, script), *words], env=dict(env, CA=world.ca, NODE_EXTRA_CA_CERTS=world.ca), seconds=50)


@case
def nodemailer(world):
    word = token()
    node(world, "nodemailer.mjs", word)
    world.wait_mail("bob", word, 3)


@case
def imapflow(world):
    node(world, "imapflow.mjs", token())


@case
def imapflow_with_qresync(world):
    node(world, "imapflow_qresync.mjs", token())
