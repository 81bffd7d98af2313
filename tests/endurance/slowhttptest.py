"""slowhttptest's four attacks, and how other clients fare meanwhile."""

import re
import shutil
import subprocess
import threading

from stand import Others, Row, origin, proxy

SECONDS = 20
CONNECTIONS = 500
# The others ask for this, so that it is aside that is measured and not the origin.
ROUTE = '[[route]]\npath = "/hit"\nttl = "1h"\n'
COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
SAYS = re.compile(r"service available:\s*(\w+)")
ATTACKS = {
    "slow heads": ["-H", "-i", "2", "-t", "GET", "-x", "24"],
    "slow bodies": ["-B", "-i", "2", "-t", "POST", "-s", "8192", "-x", "10"],
    "slow reads": ["-X", "-w", "10", "-y", "20", "-n", "2", "-z", "32", "-k", "3"],
    "ranges": ["-R", "-t", "HEAD", "-a", "10", "-b", "3000"],
}


def rows(_):
    binary = shutil.which("slowhttptest")
    if binary is None:
        yield Row("slowhttptest", "not installed", "", None)
        return
    for name, options in ATTACKS.items():
        with origin() as server, proxy(server.port, ROUTE) as aside:
            target = "/big/x?bytes=5000000" if "-X" in options else "/other"
            command = [binary, *options, "-c", str(CONNECTIONS), "-r", "200", "-l", str(SECONDS), "-p", "3"]
            attack = subprocess.Popen(
                [*command, "-u", f"http://127.0.0.1:{aside.port}{target}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            drain = []
            reading = threading.Thread(target=lambda: drain.append(attack.stdout.read().decode("latin-1")))
            reading.start()
            others = Others(aside.port, "/hit")
            while attack.poll() is None and len(others.times) < 10 * (SECONDS + 20):
                others.ask_for(1)
            if attack.poll() is None:
                attack.terminate()
            reading.join()
            alive = aside.is_alive()
            said = set(SAYS.findall(COLOUR.sub("", drain[0])))
            told = f"service available: {' and '.join(sorted(said)) or 'it does not say'}"
            yield Row(f"slowhttptest, {CONNECTIONS} connections, {name}", told, "YES", alive and said == {"YES"})
            yield others.row("other clients meanwhile")
