"""Carries out the Dockerfile's install steps without Docker: ``python -m release.image_steps``.

What the image copies and runs to install the program is read from the Dockerfile itself and done
in a folder and a virtual environment of its own. Then the installed command has to work there.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_CHECKS = (["--version"], ["--help"], ["selftest", "--json"])


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Keyword and rest of each instruction of the build stage, the first one."""
    whole = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    stages = 0
    for line in filter(None, map(str.strip, whole.splitlines())):
        keyword, _, rest = line.partition(" ")
        stages += keyword.upper() == "FROM"
        if stages == 1:
            yield keyword.upper(), rest.strip()


def carry_out(build: Path, venv: Path) -> None:
    """Every COPY and RUN of the build stage, with its folders in place of the image's.

    Raises:
        subprocess.CalledProcessError, OSError: a step fails.
    """
    build.mkdir()
    for keyword, rest in instructions((ROOT / "Dockerfile").read_text(encoding="utf-8")):
        if keyword == "COPY":
            *sources, target = rest.split()
            for source in sources:
                _copy(ROOT / source, build / target / ("" if target.endswith("/") else "."))
        elif keyword == "RUN":
            command = rest.replace("/venv", str(venv)).replace("python -m", f"{sys.executable} -m")
            _say(f"+ {rest}")
            subprocess.run(command.split(), cwd=build, check=True)  # noqa: S603 - our own file


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Installs as the image does, and tries the command."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        build, venv = Path(folder) / "build", Path(folder) / "venv"
        carry_out(build, venv)
        installed_s = time.monotonic() - began
        shutil.rmtree(build)  # the image's last stage has only the environment
        for arguments in _CHECKS:
            _say(f"+ perphedge {' '.join(arguments)}")
            subprocess.run(  # noqa: S603 - what was just installed
                [str(venv / "bin" / "perphedge"), *arguments],
                cwd=folder,
                check=True,
                stdout=subprocess.DEVNULL,
            )
    _say(f"Installed in {installed_s:.0f} s as the image does; the command works.")


if __name__ == "__main__":
    main()
