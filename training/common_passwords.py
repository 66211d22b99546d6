"""Build the list of known passwords: `python training/common_passwords.py DJANGO.whl ZXCVBN.whl`.

Both wheels come from the Python index (`pip download --no-deps django zxcvbn`). Writes
`src/veille/web/wordlists/known.bin`: the first 5 bytes of BLAKE2b of each folded password, sorted,
and `known.toml` beside it, which says what went in. The passwords themselves are not shipped.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import hashlib
import lzma
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from veille.web.known import DIGEST_BYTES, SHORTEST, digest, reduced

HERE = Path(__file__).parent
COMMUNES = HERE.parent / "models" / "communes" / "communes.tsv.xz"
OUT = HERE.parent / "src" / "veille" / "web" / "wordlists"
ROWS = (
    "azertyuiopqsdfghjklmwxcvbn", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm",
    "abcdefghijklmnopqrstuvwxyz", "aqwzsxedcrfvtgbyhnujikolpm", "azqswxedcrfvtgbyhnujikolpm",
)  # fmt: skip
LISTING = """\
# Made by training/common_passwords.py; LICENSES.txt beside it is part of it.
built = {built}
count = {count}
digest_bytes = {size}
sha256 = "{sha256}"
# a password that is in no list is taken for one of them once in this many looks
false_positive_one_in = {odds}

[sources]
django = "{django}: {django_count} passwords, BSD-3-Clause"
zxcvbn = "{zxcvbn}: {zxcvbn_count} passwords, MIT"
communes = "models/communes: {communes_count} names, Licence Ouverte 2.0"
veille = "training/passwords_fr.txt and rows of keyboards: {own_count}, EUPL-1.2"
"""


def of_django(wheel: Path) -> list[str]:
    """Return the passwords Django refuses."""
    with zipfile.ZipFile(wheel) as archive:
        packed = archive.read("django/contrib/auth/common-passwords.txt.gz")
    return gzip.decompress(packed).decode().splitlines()


def of_zxcvbn(wheel: Path) -> list[str]:
    """Return zxcvbn's list of passwords, without its lists of words and names."""
    with zipfile.ZipFile(wheel) as archive:
        module = ast.parse(archive.read("zxcvbn/frequency_lists.py"))
    for node in ast.walk(module):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "passwords":
                    texts = [str(n.value) for n in ast.walk(value) if isinstance(n, ast.Constant)]
                    return max(texts, key=len).split(",")
    raise SystemExit(f"{wheel}: no list of passwords in it")


def of_communes() -> list[str]:
    """Return the names of all communes."""
    lines = lzma.decompress(COMMUNES.read_bytes()).decode().splitlines()
    return [line.split("\t")[1] for line in lines]


def of_ours() -> Iterator[str]:
    """Yield our own list, and four keys or more of each row, both ways."""
    for line in (HERE / "passwords_fr.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line
    for row in (*ROWS, *(row[::-1] for row in ROWS)):
        for start in range(len(row) - 3):
            yield from (row[start:end] for end in range(start + 4, len(row) + 1))


def main() -> None:
    """Write the list and what it is made of."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("django", type=Path)
    parser.add_argument("zxcvbn", type=Path)
    given = parser.parse_args()
    lists = {
        "django": of_django(given.django),
        "zxcvbn": of_zxcvbn(given.zxcvbn),
        "communes": of_communes(),
        "own": list(of_ours()),
    }
    plain = {reduced(each) for found in lists.values() for each in found}
    digests = sorted({digest(each) for each in plain if len(each) >= SHORTEST})
    body = b"".join(digests)
    (OUT / "known.bin").write_bytes(body)
    listing = LISTING.format(
        built=datetime.now(UTC).date(),
        count=len(digests),
        size=DIGEST_BYTES,
        sha256=hashlib.sha256(body).hexdigest(),
        odds=256**DIGEST_BYTES // len(digests),
        django=given.django.name.removesuffix(".whl"),
        zxcvbn=given.zxcvbn.name.removesuffix(".whl"),
        **{f"{name}_count": len(set(found)) for name, found in lists.items()},
    )
    (OUT / "known.toml").write_text(listing, encoding="utf-8")
    print(listing)


if __name__ == "__main__":
    main()
