"""The operator's own look: a directory of files that is put over the web container's.

Owns what may lie in the directory and the limits. The files become part of the stack's state, so they are bounded in
size. Does not own where each goes in the container (`stack.services.web`). Reads the disk, and changes no file.

The directory may hold:
- images/, static/, css/, fonts/, sounds/, lang/: put into the front end's folder of that name
- body.html, head.html, base.html, title.html, fonts.html, plugin.head.html, favicon.ico, manifest.json: put beside
  its index.html, which includes the HTML ones
- dynamicBranding.json: as described in Jitsi's handbook; the front end reads it
- config.js, interface_config.js: single settings, appended to the image's own
"""

from __future__ import annotations

import dataclasses
import json
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDERS: Final = ("images", "static", "css", "fonts", "sounds", "lang")
DYNAMIC: Final = "dynamicBranding.json"
CONFIG: Final = "config.js"
INTERFACE_CONFIG: Final = "interface_config.js"
PAGES: Final = (
    "body.html",
    "head.html",
    "base.html",
    "title.html",
    "fonts.html",
    "plugin.head.html",
    "favicon.ico",
    "manifest.json",
    DYNAMIC,
)
MAX_TOTAL: Final = 5 * 1024 * 1024
"""Bytes; what the state file takes without becoming slow."""
MAX_FILES: Final = 200
_JSON: Final = (DYNAMIC, "manifest.json")
_COMMENT: Final = re.compile(r"/\*.*?\*/|(?<![:'\"\\])//[^\n]*", re.DOTALL)
_WHOLE: Final = r"(?P<name>config|interfaceConfig)"
_REPLACING: Final = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        rf"(?:\b(?:window|globalThis|self)\s*(?:\.\s*|\[\s*[\"'`])|(?<![\w$.'\"`-])){_WHOLE}(?:[\"'`]\s*\])?\s*=(?![=>])",
        rf"\b(?:var|let|const)\s+(?:[^;=\n]*,\s*)?{_WHOLE}\s*(?:[;,]|$)",
        rf"\b(?:function\s*\*?|class)\s*{_WHOLE}\b",
    )
)
"""A declaration or assignment of the whole, in the image's own words `var config = {`."""
_CONFIDENTIAL: Final = re.compile(
    r"(?<![\w$])(disableThirdPartyRequests|stunServers|analytics|callStats\w+|gravatar\w*|googleApi\w+|dropbox|"
    r"enableCalendarIntegration|microsoftApi\w+|rtcstats\w*)(?![\w$])",
    re.IGNORECASE,
)
"""Settings of the front end by which it contacts third parties (its config.js)."""
_SERVERS: Final = re.compile(r"(?<![\w$])(hosts|bosh|websocket|serviceUrl|focusUserJid|conferenceRequestUrl)(?![\w$])")
"""Settings that name the stack's own addresses."""
_SHOWN: Final = 3


@dataclass(frozen=True, kw_only=True)
class Branding:
    """What a branding directory holds."""

    files: Mapping[str, bytes]
    """Content by path below the directory, in the order of the paths; all but config.js."""
    config_js: str
    """Content of config.js, empty without one."""

    @property
    def dynamic(self) -> bool:
        """Whether there is a dynamicBranding.json."""
        return DYNAMIC in self.files


@dataclass(frozen=True)
class Fault:
    """Why a directory cannot be used.

    Args:
        allowed: completes the line "allowed: …".
        name: the file or folder below it that has to change, empty for the directory's content as a whole; None where
            the directory itself is at fault.
    """

    allowed: str
    name: str | None = None


class Unusable(Exception):
    """A directory that cannot be used, with every fault."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.allowed for fault in faults))
        self.faults = tuple(faults)


def read(directory: str) -> Branding:
    """What lies in `directory`. Raises Unusable with every fault."""
    root = Path(directory)
    try:
        if not _is_directory(root):
            raise Unusable([Fault("a directory that exists, its path from the project's directory on")])
        faults = list(_unexpected_entries(root))
        if faults and not _in_project(root):  # a directory of something else, whose files are not to be touched
            faults = [dataclasses.replace(fault, name=None) for fault in faults]
        faults = faults or list(_unusable_files(root))
        if faults:
            raise Unusable(faults)
        files = {path.relative_to(root).as_posix(): path.read_bytes() for path in _files(root)}
    except OSError as error:
        raise Unusable([Fault(f"a directory that can be read: {error.strerror}")]) from None
    faults = [Fault(allowed, name) for name, content in files.items() for allowed in _unreadable(name, content)]
    if faults:
        raise Unusable(faults)
    return Branding(config_js=files.pop(CONFIG, b"").decode(), files=files)


def _is_directory(path: Path) -> bool:
    """Raises OSError where that cannot be told: from Python 3.14 on `is_dir` says False then, as for a path too long."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last for a name with a null byte
        return False


def _in_project(path: Path) -> bool:
    """Whether it lies below the project's directory, which relative paths begin at."""
    return path.resolve().is_relative_to(Path.cwd().resolve())


def _unexpected_entries(root: Path) -> Iterator[Fault]:
    """What does not belong beside the folders. Looked at before they are read: `root` may be any directory at all."""
    names = sorted(path.name for path in root.iterdir() if not path.name.startswith("."))
    files = (*PAGES, CONFIG, INTERFACE_CONFIG)
    folders = [name for name in names if (root / name).is_dir() and name not in FOLDERS]
    others = [name for name in names if not (root / name).is_dir() and name not in files]
    if folders:
        yield Fault(f"no folder {_list(folders)}: the folders are {', '.join(FOLDERS)}", folders[0])
    if others:
        allowed = f"no {_list(others)}: besides {', '.join(files[:-1])} and {files[-1]}, files belong in a folder"
        yield Fault(allowed, others[0])


def _unusable_files(root: Path) -> Iterator[Fault]:
    paths = _files(root)
    for path in paths:
        name = path.relative_to(root)
        if not str(name).isprintable():
            yield Fault(f"file names of printable characters: {str(name)!r}", str(name))
        elif path.is_symlink():
            yield Fault(f"files, not symbolic links: {name}", str(name))
        elif path.stat().st_size == 0:
            yield Fault(f"files with content: {name} is empty", str(name))
    total = sum(path.lstat().st_size for path in paths)
    if not paths:
        yield Fault("a directory with at least one file", "")
    if len(paths) > MAX_FILES or total > MAX_TOTAL:
        there = f"found {len(paths)} files, {total} bytes"
        yield Fault(f"at most {MAX_FILES} files and {MAX_TOTAL // 1024 // 1024} MiB in all; {there}", "")


def _files(root: Path) -> list[Path]:
    """Every file, without hidden ones such as .DS_Store, in a fixed order."""
    paths = (path for path in root.rglob("*") if path.is_file() or path.is_symlink())
    return sorted(path for path in paths if not any(part.startswith(".") for part in path.relative_to(root).parts))


def _list(names: list[str]) -> str:
    """The first few names, safe to show."""
    shown = [name if name.isprintable() else repr(name) for name in names[:_SHOWN]]
    return ", ".join(shown) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _unreadable(name: str, content: bytes) -> Iterator[str]:
    """What keeps the front end from reading a file as it is meant."""
    if name not in (CONFIG, INTERFACE_CONFIG, *_JSON):
        return
    try:
        text = content.decode("utf-8-sig" if name in _JSON else "utf-8")
    except UnicodeDecodeError:
        yield f"{name} in UTF-8"
        return
    if name in _JSON:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            where = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else "too deep"
            yield f"{name} in JSON; {where}"
            return
        if not isinstance(value, dict):
            yield f"{name} with a JSON object, in {{}}"
    elif variable := _replaced(_code(text)):
        yield (
            f"{name} with single settings, such as {variable}.NAME = VALUE: it is read after the image's own, and this "
            f"one replaces the whole {variable} (its addresses, and no third party)"
        )


def _code(text: str) -> str:
    return _COMMENT.sub(" ", text)


def _replaced(code: str) -> str:
    """The variable that is replaced as a whole, empty for none."""
    found = (match["name"] for pattern in _REPLACING if (match := pattern.search(code)))
    return next(found, "")


def third_parties(config_js: str) -> list[str]:
    """Settings in a config.js by which the front end may contact others, however they are written there."""
    return list(dict.fromkeys(_CONFIDENTIAL.findall(_code(config_js))))


def own_addresses(config_js: str) -> list[str]:
    """Settings in a config.js that the image sets to the stack's own addresses."""
    return list(dict.fromkeys(_SERVERS.findall(_code(config_js))))
