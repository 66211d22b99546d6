"""Build the gazetteer of communes from two npm packages: `python training/communes.py`.

Names, codes and legal populations come from @etalab/decoupage-administratif (Licence Ouverte);
dictionary-fr (MPL-2.0) only tells which names are also ordinary words. Writes
`communes.tsv.xz` (code, name, population, `o` for an ordinary word), `areas.tsv`, and
`communes.toml` with the SHA-256 of both and of `clues.tsv`. After a change of `clues.tsv` by hand,
`--seal` writes `communes.toml` alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from veille.domain.text import fold, words
from veille.nlp.gazetteer import department

OFFICIAL = "@etalab/decoupage-administratif@6.0.0"
DICTIONARY = "dictionary-fr@3.0.0"
OUT = Path(__file__).parents[1] / "models" / "communes"
ARTICLES = {"le", "la", "les", "l"}
KEPT = {"commune-actuelle", "arrondissement-municipal"}
FILES = ("communes.tsv.xz", "areas.tsv", "clues.tsv")
LISTING = """\
name = "communes"
version = "{version}"
licence = "{licence}"

[files]
{files}
"""
LICENCE = "Licence Ouverte 2.0 (names, codes, populations); EUPL-1.2 (clues)"


def unpacked(package: str, folder: Path) -> Path:
    """Return the folder that holds the package's files."""
    done = subprocess.run(
        ["npm", "pack", "--json", "--pack-destination", str(folder), package],
        check=True, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    name = json.loads(done.stdout)[0]["filename"].replace("@", "").replace("/", "-")
    inside = folder / name.removesuffix(".tgz")
    with tarfile.open(folder / name) as archive:
        archive.extractall(inside, filter="data")
    return inside / "package"


def ordinary_words(dictionary: Path) -> set[str]:
    """Return the folded stems written in lower case, with their plain plurals."""
    lines = (dictionary / "index.dic").read_text(encoding="utf-8").splitlines()[1:]
    stems = {line.split("/")[0].split("\t")[0] for line in lines}
    low = {fold(stem) for stem in stems if stem.isalpha() and stem.islower()}
    return low | {f"{stem}{ending}" for stem in low for ending in "sx"}


def commune_lines(data: Path, ordinary: set[str]) -> Iterator[str]:
    rows = json.loads((data / "communes.json").read_text(encoding="utf-8"))
    for row in sorted(rows, key=lambda row: row["code"]):
        if row["type"] in KEPT:
            bare = [word for word in words(fold(row["nom"])) if word not in ARTICLES]
            flag = "o" if "".join(bare) in ordinary else ""
            yield "\t".join((row["code"], row["nom"], str(row.get("population", 0)), flag))


def area_lines(data: Path) -> Iterator[str]:
    """Yield each département and each region with the départements it is made of."""
    parts = json.loads((data / "departements.json").read_text(encoding="utf-8"))
    for part in parts:
        yield f"{part['nom']}\tdepartement\t{part['code']}"
    for region in json.loads((data / "regions.json").read_text(encoding="utf-8")):
        codes = [part["code"] for part in parts if part["region"] == region["code"]]
        codes = codes or [department(f"{region['code']}00")]
        yield f"{region['nom']}\tregion\t{','.join(codes)}"


def seal(out: Path) -> None:
    """The files that lie in `out` are the ones `communes.toml` names."""
    hashes = {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in FILES}
    files = "\n".join(f'"{name}" = "{digest}"' for name, digest in hashes.items())
    version = OFFICIAL.rpartition("@")[2]
    text = LISTING.format(version=version, licence=LICENCE, files=files)
    (out / "communes.toml").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--seal", action="store_true", help="only write communes.toml")
    args = parser.parse_args()
    if not args.seal:
        build(args.out)
    seal(args.out)


def build(out: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        official = unpacked(OFFICIAL, Path(folder)) / "data"
        ordinary = ordinary_words(unpacked(DICTIONARY, Path(folder)))
        lines = list(commune_lines(official, ordinary))
        areas = list(area_lines(official))
    out.mkdir(parents=True, exist_ok=True)
    raw = "".join(f"{line}\n" for line in lines).encode()
    packed = lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME)
    (out / "communes.tsv.xz").write_bytes(packed)
    (out / "areas.tsv").write_text("".join(f"{line}\n" for line in areas), encoding="utf-8")
    print(f"{len(lines)} communes, {len(packed)} bytes; {len(areas)} areas")


if __name__ == "__main__":
    main()
