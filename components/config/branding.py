"""The operator's own look: a directory of files that is put over the web container's.

Owns what may lie in the directory, where each file goes, and the limits. The files become part of the stack's
state, so they are bounded in size. Nothing here changes a file.

The directory may hold:
- images/, static/, css/, fonts/, sounds/, lang/: put into the front end's folder of that name
- body.html, head.html, base.html, title.html, fonts.html, plugin.head.html, favicon.ico, manifest.json: put beside
  its index.html, which includes the HTML ones
- dynamicBranding.json: as described in Jitsi's handbook; the front end is told where it is
- config.js, interface_config.js: appended to the image's own
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from components.stack import topology
from components.stack.spec import FileSpec

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
_SHOWN: Final = 3


@dataclass(frozen=True, kw_only=True)
class Branding:
    """What a branding directory comes to."""

    files: tuple[FileSpec, ...]
    config: str
    """Lines for custom-config.js."""
    dynamic: bool
    """Whether there is a dynamicBranding.json."""


def faults(directory: str) -> list[str]:
    """What keeps `directory` from being used, each as the words behind "allowed:"."""
    root = Path(directory)
    try:
        if not root.is_dir():
            return ["a directory that exists, its path from the project's directory on"]
        return list(_strangers(root)) or list(_faults(root))
    except OSError as error:
        return [f"a directory that can be read: {error.strerror}"]


def _strangers(root: Path) -> Iterator[str]:
    """What does not belong beside the folders. Looked at before they are read: `root` may be any directory at all."""
    names = sorted(path.name for path in root.iterdir() if not path.name.startswith("."))
    files = (*PAGES, CONFIG, INTERFACE_CONFIG)
    folders = [name for name in names if (root / name).is_dir() and name not in FOLDERS]
    others = [name for name in names if not (root / name).is_dir() and name not in files]
    if folders:
        yield f"no folder {_list(folders)}: the folders are {', '.join(FOLDERS)}"
    if others:
        yield f"no {_list(others)}: besides {', '.join(files[:-1])} and {files[-1]}, files belong in a folder"


def _faults(root: Path) -> Iterator[str]:
    paths = _files(root)
    for path in paths:
        name = path.relative_to(root)
        if not str(name).isprintable():
            yield f"file names of printable characters: {str(name)!r}"
        elif path.is_symlink():
            yield f"files, not symbolic links: {name}"
        elif path.stat().st_size == 0:
            yield f"files with content: {name} is empty"
    for script in (root / CONFIG, root / INTERFACE_CONFIG):
        if script in paths and not _is_text(script):
            yield f"{script.name} in UTF-8"
    total = sum(path.lstat().st_size for path in paths)
    if not paths:
        yield "a directory with at least one file"
    if len(paths) > MAX_FILES or total > MAX_TOTAL:
        found = f"found {len(paths)} files, {total} bytes"
        yield f"at most {MAX_FILES} files and {MAX_TOTAL // 1024 // 1024} MiB in all; {found}"


@cache
def read(directory: str) -> Branding:
    """The files of a directory that has no faults."""
    root = Path(directory)
    files = []
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        if name == INTERFACE_CONFIG:
            files.append(FileSpec(path=topology.WEB_CUSTOM_INTERFACE_CONFIG, content=path.read_bytes()))
        elif name != CONFIG:
            files.append(FileSpec(path=f"{topology.WEB_ROOT}/{name}", content=path.read_bytes()))
    config = root / CONFIG
    return Branding(
        files=tuple(files),
        config=config.read_text(encoding="utf-8") if config.is_file() else "",
        dynamic=(root / DYNAMIC).is_file(),
    )


def _files(root: Path) -> list[Path]:
    """Every file, without hidden ones such as .DS_Store, in a fixed order."""
    found = (path for path in root.rglob("*") if path.is_file() or path.is_symlink())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(root).parts))


def _list(names: list[str]) -> str:
    """The first few names, safe to show."""
    shown = [name if name.isprintable() else repr(name) for name in names[:_SHOWN]]
    return ", ".join(shown) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _is_text(path: Path) -> bool:
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    return True
