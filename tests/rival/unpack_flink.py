"""Unpacks Flink's PyPI packages into the layout of its binary distribution. Nothing is installed.

usage: unpack_flink.py TARGET PACKAGE...   (wheels hold pyflink/<folder>/…, sdists <name>/{pyflink,deps}/<folder>/…)
"""

import os
import sys
import tarfile
import zipfile

FOLDERS = ("bin", "conf", "lib", "opt", "plugins")


def wheel_entries(path):
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.startswith("pyflink/") and not name.endswith("/"):
                yield name.split("/", 1)[1], archive.read(name)


def sdist_entries(path):
    with tarfile.open(path) as archive:
        for member in archive:
            parts = member.name.split("/", 2)
            if member.isfile() and len(parts) == 3 and parts[1] in ("pyflink", "deps"):
                yield parts[2], archive.extractfile(member).read()


def main(target, packages):
    for package in packages:
        entries = wheel_entries if package.endswith(".whl") else sdist_entries
        for name, content in entries(package):
            if name.split("/")[0] in FOLDERS:
                path = os.path.join(target, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(content)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
