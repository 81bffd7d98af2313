"""h2spec, over TLS: every section of HTTP/2 and HPACK. Where H2SPEC names the program, or PATH has it."""

import os
import re
import shutil
import subprocess
import tempfile

from stand import Row, origin, proxy

SAYS = re.compile(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed")
CERTIFICATE = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"


def rows(_):
    binary = os.environ.get("H2SPEC") or shutil.which("h2spec")
    if binary is None:
        yield Row("h2spec", "not installed; H2SPEC=path/to/h2spec", "", None)
        return
    with tempfile.TemporaryDirectory() as folder:
        cert, key = f"{folder}/cert.pem", f"{folder}/key.pem"
        subprocess.run(["openssl", *CERTIFICATE.split(), "-keyout", key, "-out", cert], check=True, capture_output=True)
        with origin() as server, proxy(server.port, f'[tls]\ncert = "{cert}"\nkey = "{key}"') as aside:
            command = [binary, "--tls", "--insecure", "--host", "localhost", "--port", str(aside.port), "--timeout", "5"]
            said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False)
            found = SAYS.search(said.stdout)
            good = found is not None and found[3] == "0" and found[4] == "0" and int(found[1]) > 0
            if not good:
                print(said.stdout[said.stdout.find("Failures"):] or said.stderr)
            yield Row("h2spec over TLS", found[0] if found else "it does not say", "none failed", good and aside.is_alive())
