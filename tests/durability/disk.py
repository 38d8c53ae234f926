"""A disk that forgets and fails: builds forgetful.c and runs programs on it.

The C files are built once for each content, into a folder of the system's temporary folder, by the C compiler `cc`.
"""

import functools
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
CONTROL_IS_SEEN_AFTER_S = 0.02  # the library looks every few milliseconds


@functools.lru_cache(maxsize=None)
def build(source, *options):
    """Path of what a C file was built into."""
    text = (HERE / source).read_bytes()
    digest = hashlib.sha256(text + repr(options).encode()).hexdigest()[:16]
    folder = pathlib.Path(tempfile.gettempdir(), f"mooring-durability-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    assert folder.stat().st_uid == os.getuid(), f"{folder} belongs to somebody else"
    made = folder / f"{pathlib.Path(source).stem}-{digest}"
    if not made.exists():
        part = made.with_suffix(f".{os.getpid()}")
        command = ["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(part), str(HERE / source)]
        command += options
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
        part.rename(made)
    return made


def library():
    return build("forgetful.c", "-shared", "-fPIC", "-fvisibility=hidden", "-pthread", "-ldl")


@functools.lru_cache(maxsize=None)
def first_libraries(program):
    """What a program with a sanitizer insists on finding before any other library."""
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True, timeout=30)
    paths = [line.split()[2] for line in done.stdout.splitlines() if "=>" in line and len(line.split()) > 2]
    return [p for p in paths if pathlib.Path(p).name.startswith(("libasan.", "libtsan."))]


class Disk:
    """A watched folder, its image beside it, and the switch for errors.

    `root` is the folder that programs use. Whatever runs under `wrap` is watched, one process at a time.
    """

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.image = self.root.with_name(self.root.name + ".image")
        self.files = pathlib.Path(str(self.image) + ".files")
        self.control = self.root.with_name(self.root.name + ".control")
        self.set("ok", wait=False)

    def environment(self, program):
        before = [*first_libraries(str(program)), str(library())]
        return {"LD_PRELOAD": " ".join(before), "FORGETFUL_ROOT": str(self.root), "FORGETFUL_IMAGE": str(self.image),
                "FORGETFUL_CONTROL": str(self.control)}

    def wrap(self, command):
        """The command, run on this disk. `env` becomes the program: the process id is the program's."""
        words = [f"{name}={value}" for name, value in self.environment(command[0]).items()]
        return ["env", *words, *map(str, command)]

    def set(self, state, wait=True):
        """From the return on every call of the program meets the new state."""
        part = self.control.with_suffix(".part")
        part.write_text(state + "\n")
        os.utime(part, ns=(time.time_ns(), time.time_ns()))
        part.rename(self.control)
        if wait:
            time.sleep(CONTROL_IS_SEEN_AFTER_S)

    def mapped_files(self):
        """Files that were mapped shared and writable, by their paths below the root."""
        path = self.files / "mapped"
        return sorted(set(path.read_text().splitlines())) if path.exists() else []

    def cut_power(self, rng=None):
        """Replaces the folder by what was on the disk. The program must have been killed before.

        With a random generator, files that grew may keep a part of what was appended and never synced: a kernel
        writes back when it likes, and the cut may fall into the middle of it.
        """
        if rng is not None:
            for path in sorted(p for p in self.image.rglob("*") if p.is_file() and not p.is_symlink()):
                self._leak(path, rng)
        shutil.rmtree(self.root)
        self.image.rename(self.root)
        shutil.rmtree(self.files)

    def _leak(self, path, rng):
        now = self.root / path.relative_to(self.image)
        if not now.is_file() or rng.random() < 0.5:
            return
        known_as = self.files / str(now.stat().st_ino)
        if not known_as.exists() or known_as.stat().st_ino != path.stat().st_ino:
            return  # another file has the name by now
        have, more = path.stat().st_size, now.stat().st_size
        if more <= have:
            return
        with open(now, "rb") as source, open(path, "r+b") as target:
            source.seek(have)
            target.seek(have)
            target.write(source.read(rng.randint(1, more - have)))
