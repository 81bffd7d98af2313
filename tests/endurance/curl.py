"""curl's own options: what a person may try first."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from stand import Row, origin, proxy

SHOW = "%{http_code} %{http_version} %{size_download} %{size_upload}"


def curl(*options: str, patience: str = "20") -> tuple[int, str, bytes]:
    """Exit code, what -w shows, and the body."""
    command = ["curl", "--silent", "--max-time", patience, "--write-out", "\n" + SHOW, *options]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    body, _, shown = done.stdout.rpartition(b"\n")
    return done.returncode, shown.decode(), body


def rows(_):
    if shutil.which("curl") is None:
        yield Row("curl", "not installed", "", None)
        return
    with origin() as server, proxy(server.port) as aside, tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(bytes(300_000))
        base = f"http://127.0.0.1:{aside.port}"
        yield from asked(base, file.name)
        yield from spoken(base)


def asked(base: str, file: str):
    """Options that have to work: what is shown must match the pattern."""
    chunked = f"{base}/big/x?bytes=200000&chunked=1"
    for options, expected in (
        (["--http1.0", f"{base}/small"], r"0 200 1(\.0)? 16 0"),
        (["--http1.0", chunked], r"0 200 1(\.0)? 200000 0"),
        (["--http1.1", f"{base}/small", f"{base}/small"], r"0 200 1.1 16 0"),
        (["--raw", chunked], r"0 200 1.1 2000\d\d 0"),
        (["--tr-encoding", chunked], r"0 200 1.1 200000 0"),
        (["--compressed", f"{base}/small"], r"0 200 1.1 16 0"),
        (["--head", f"{base}/small"], r"0 200 1.1 0 0"),
        (["--upload-file", file, f"{base}/up"], r"0 200 1.1 21 300000"),
        (["--upload-file", "-", f"{base}/up"], r"0 200 1.1 16 \d+"),
        (["--upload-file", file, "--header", "Transfer-Encoding: chunked", f"{base}/up"], r"0 200 1.1 21 \d+"),
        (["--expect100-timeout", "10", "--header", "Expect: 100-continue", "--upload-file", file, f"{base}/up"], r"0 200 1.1 21 300000"),
        (["--data", "a=1", "--get", f"{base}/small"], r"0 200 1.1 16 0"),
        (["--form", f"file=@{file}", f"{base}/up"], r"0 200 1.1 21 300\d\d\d"),
        (["--limit-rate", "100k", f"{base}/big/x?bytes=200000"], r"0 200 1.1 200000 0"),
        (["--continue-at", "0", f"{base}/small"], r"0 200 1.1 16 0"),
        (["--no-keepalive", "--tcp-nodelay", "--tcp-fastopen", f"{base}/small"], r"0 200 1.1 16 0"),
        (["--request-target", "*", "--request", "OPTIONS", base], r"0 200 1.1 16 0"),
        (["--path-as-is", f"{base}/a/../small"], r"0 200 1.1 16 0"),
        (["--proxy", base, "http://elsewhere.example/small"], r"0 200 1.1 16 0"),
    ):
        code, shown, _ = curl(*options)
        found = f"{code} {shown}"
        yield Row("curl " + short(options, base, file), found, expected.replace("\\", ""), re.fullmatch(expected, found) is not None)
    code, shown, _ = curl(f"{base}/events?count=100&every=0.1", patience="1")
    yield Row("curl --max-time 1 of an endless stream", f"{code} {shown}", "28 200", code == 28 and shown.startswith("200"))
    code, shown, _ = curl(f"{base}/small")
    yield Row("curl after it", f"{code} {shown}", "0 200", code == 0 and shown.startswith("200"))


def spoken(base: str):
    """What this version need not speak: said, and never a reason to hang or to give something else."""
    for options, version in (
        (["--http2", f"{base}/small"], "1.1 or 2"),
        (["--http2-prior-knowledge", f"{base}/small"], "2"),
        (["--haproxy-protocol", f"{base}/small"], "1.1"),
    ):
        code, shown, _ = curl(*options, patience="5")
        good = code == 0 and shown.startswith("200")
        told = f"spoken: {shown.split()[1]}" if good else f"not spoken ({code} {shown})"
        yield Row("curl " + short(options, base, ""), told, "an answer or an end", good or code != 28)


def short(options: list[str], base: str, file: str) -> str:
    return " ".join(options).replace(base, "").replace(file or "\0", "FILE")
