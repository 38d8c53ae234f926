"""The disk that forgets: every promise of forgetful.c, shown with small programs, SQLite and RocksDB."""

import pathlib
import random
import re
import sqlite3
import subprocess
import sys
import time

import pytest

from disk import Disk, build

PRELUDE = """
import ctypes, errno, mmap, os, sys, threading, time
c = ctypes.CDLL(None, use_errno=True)
def put(path, data, flags=os.O_WRONLY | os.O_CREAT, offset=None):
    fd = os.open(path, flags, 0o600)
    os.write(fd, data) if offset is None else os.pwrite(fd, data, offset)
    return fd
def sync(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
def fails(wanted, call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        assert error.errno == wanted, error
        return
    raise AssertionError("it did not fail")
os.chdir(sys.argv[1])
"""


@pytest.fixture
def disk(tmp_path):
    (tmp_path / "data").mkdir()
    return Disk(tmp_path / "data")


def run(disk, program, check=True):
    """A small program on the disk. The file calls of Python are those of libc."""
    command = disk.wrap([sys.executable, "-I", "-S", "-c", PRELUDE + program, str(disk.root)])
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


def image(disk):
    """What is on the disk: path to content, folders as None."""
    return {str(path.relative_to(disk.image)): path.read_bytes() if path.is_file() else None
            for path in disk.image.rglob("*")}


# ---- bytes -----------------------------------------------------------------------------------------------------------


def test_what_was_not_synced_is_not_on_the_disk(disk):
    run(disk, "put('a', b'hello')")
    assert (disk.root / "a").read_bytes() == b"hello"
    assert image(disk) == {}


@pytest.mark.parametrize("call", ["os.fsync(fd)", "os.fdatasync(fd)", "os.sync()", "c.syncfs(fd)"])
def test_a_sync_brings_bytes_and_name(disk, call):
    run(disk, f"fd = put('a', b'hello'); {call}")
    assert image(disk) == {"a": b"hello"}


def test_writes_after_a_sync_wait_for_the_next(disk):
    run(disk, "fd = put('a', b'hello'); os.fsync(fd); os.write(fd, b' again'); os.pwrite(fd, b'J', 0)")
    assert image(disk) == {"a": b"hello"}


def test_only_the_file_that_is_synced_is_brought(disk):
    run(disk, "put('a', b'one'); os.fsync(put('b', b'two'))")
    assert image(disk) == {"b": b"two"}


@pytest.mark.parametrize("write", [
    "os.write(fd, b'12345')",
    "os.pwrite(fd, b'12345', 0)",
    "os.writev(fd, [b'12', b'345'])",
    "os.pwritev(fd, [b'12', b'345'], 0)",
    "os.pwritev(fd, [b'12', b'345'], 0, os.RWF_DSYNC)",
    "c.pwrite64(fd, b'12345', ctypes.c_size_t(5), ctypes.c_long(0))",
    "source = put('source', b'12345'); os.sendfile(fd, os.open('source', os.O_RDONLY), 0, 5)",
    "source = put('source', b'12345'); os.copy_file_range(os.open('source', os.O_RDONLY), fd, 5)",
])
def test_every_way_to_write_is_seen(disk, write):
    run(disk, f"fd = put('a', b'');os.fsync(fd); {write}; os.fsync(fd)")
    assert image(disk)["a"] == b"12345"
    run(disk, "fd = put('b', b'');os.fsync(fd); " + write.replace("'source'", "'other'"))
    assert image(disk)["b"] == (b"12345" if "DSYNC" in write else b"")


@pytest.mark.parametrize("flag", ["os.O_SYNC", "os.O_DSYNC"])
def test_writes_of_a_file_opened_for_synced_writing_are_on_the_disk_at_once(disk, flag):
    run(disk, f"put('a', b'hello', os.O_WRONLY | os.O_CREAT | {flag})")
    assert image(disk) == {"a": b"hello"}


def test_appending_and_second_descriptors_are_seen(disk):
    run(disk, """
fd = put('a', b'1'); os.fsync(fd)
other = os.dup(os.open('a', os.O_WRONLY | os.O_APPEND))
os.write(other, b'2'); os.write(other, b'3'); os.fsync(fd); os.write(other, b'4')
""")
    assert image(disk) == {"a": b"123"}


def test_a_stream_of_libc_is_seen_at_the_sync(disk):
    run(disk, """
c.fopen.restype = c.fopen64.restype = ctypes.c_void_p
for name in (b'a', b'b'):
    stream = ctypes.c_void_p((c.fopen if name == b'a' else c.fopen64)(name, b'w'))
    c.fputs(b'hello', stream); c.fflush(stream); sync(name)
    c.fputs(b' again', stream); c.fflush(stream)
    if name == b'a': sync(name)
""")
    assert image(disk) == {"a": b"hello again", "b": b"hello"}


def test_sync_file_range_brings_bytes_but_no_size(disk):
    run(disk, """
def sync_range(flags): assert c.sync_file_range(fd, ctypes.c_long(0), ctypes.c_long(0), flags) == 0
fd = put('a', b'12345'); os.fsync(fd); os.pwrite(fd, b'xxxxxyyyyy', 0)
sync_range(2)
""")
    assert image(disk) == {"a": b"12345"}, "it did not wait"
    run(disk, "fd = put('a', b'xxxxxyyyyy'); assert c.sync_file_range(fd, ctypes.c_long(0), ctypes.c_long(0), 7) == 0")
    assert image(disk) == {"a": b"xxxxx"}


@pytest.mark.parametrize("cut", ["os.ftruncate(fd, 2)", "os.truncate('a', 2)", "c.ftruncate64(fd, ctypes.c_long(2))"])
def test_truncation_waits_for_the_sync_and_leaves_zeros_behind(disk, cut):
    run(disk, f"fd = put('a', b'12345'); os.fsync(fd); {cut}")
    assert image(disk) == {"a": b"12345"}
    run(disk, f"fd = os.open('a', os.O_RDWR); os.fsync(fd); {cut}; os.ftruncate(fd, 4); os.fsync(fd)")
    assert image(disk) == {"a": b"12\0\0"}


def test_opening_with_truncation_waits_for_the_sync(disk):
    run(disk, "os.fsync(put('a', b'12345')); fd = put('a', b'x', os.O_WRONLY | os.O_TRUNC)")
    assert image(disk) == {"a": b"12345"}
    run(disk, "os.fsync(put('b', b'12345')); os.fsync(put('b', b'x', os.O_WRONLY | os.O_TRUNC))")
    assert image(disk)["b"] == b"x"


def test_preallocation_is_seen(disk):
    run(disk, """
fd = put('a', b'1'); os.posix_fallocate(fd, 0, 3); os.fsync(fd)
fd = put('b', b'12345'); os.fsync(fd)
assert c.fallocate(fd, 3, ctypes.c_long(1), ctypes.c_long(2)) == 0  # a hole
""")
    assert image(disk) == {"a": b"1\0\0", "b": b"12345"}
    run(disk, "sync('b')")
    assert image(disk)["b"] == b"1\0\x0045"


def test_mapped_memory_reaches_the_disk_with_msync_or_a_sync_of_its_file(disk):
    run(disk, """
fd = os.open('a', os.O_RDWR | os.O_CREAT); os.ftruncate(fd, 5); os.fsync(fd)
memory = mmap.mmap(fd, 5); memory[:] = b'12345'
""")
    assert image(disk) == {"a": b"\0" * 5}
    assert disk.mapped_files() == ["a"]
    run(disk, "fd = os.open('a', os.O_RDWR); memory = mmap.mmap(fd, 5); memory[:] = b'abcde'; memory.flush()")
    assert image(disk) == {"a": b"abcde"}
    run(disk, "fd = os.open('a', os.O_RDWR); m = mmap.mmap(fd, 5); os.fsync(fd); m[:] = b'vwxyz'; os.fsync(fd)")
    assert image(disk) == {"a": b"vwxyz"}


# ---- names -----------------------------------------------------------------------------------------------------------


def test_a_synced_folder_has_its_names_and_not_the_bytes(disk):
    run(disk, "put('a', b'hello'); os.mkdir('d'); put('d/b', b'x'); os.symlink('a', 's'); sync('.')")
    assert image(disk) == {"a": b"", "d": None, "s": b""}
    assert (disk.image / "s").is_symlink()


def test_a_synced_file_is_reachable_through_folders_that_were_not_synced(disk):
    run(disk, "os.makedirs('d/e'); os.fsync(put('d/e/a', b'hello'))")
    assert image(disk) == {"d": None, "d/e": None, "d/e/a": b"hello"}


def test_removal_waits_for_the_folder(disk):
    for remove in ("os.unlink('a')", "c.remove(b'a')", "c.unlinkat(-100, b'a', 0)"):
        run(disk, f"os.fsync(put('a', b'hello')); {remove}")
        assert not (disk.root / "a").exists()
        assert image(disk) == {"a": b"hello"}
        run(disk, "sync('.')")
        assert image(disk) == {}


def test_renaming_waits_for_the_folder(disk):
    for rename in ("os.rename('new', 'a')", "c.renameat(-100, b'new', -100, b'a')",
                   "c.renameat2(-100, b'new', -100, b'a', 0)"):
        run(disk, f"os.fsync(put('a', b'old')); os.fsync(put('new', b'newer')); {rename}")
        assert image(disk) == {"a": b"old", "new": b"newer"}
        run(disk, "sync('.')")
        assert image(disk) == {"a": b"newer"}
        run(disk, "os.unlink('a'); sync('.')")


def test_a_file_that_was_renamed_unsynced_is_empty_after_the_cut(disk):
    run(disk, "os.fsync(put('a', b'old')); put('new', b'newer'); os.rename('new', 'a'); sync('.')")
    assert image(disk) == {"a": b""}


def test_a_move_between_folders_never_loses_the_file(disk):
    run(disk, "os.mkdir('d'); sync('.'); os.fsync(put('a', b'x')); os.rename('a', 'd/a'); sync('.')")
    assert image(disk) == {"a": b"x", "d": None}
    run(disk, "sync('d'); sync('.')")
    assert image(disk) == {"d": None, "d/a": b"x"}


def test_a_renamed_folder_keeps_what_is_in_it(disk):
    run(disk, "os.mkdir('d'); os.fsync(put('d/a', b'x')); os.rename('d', 'e'); sync('.')")
    assert image(disk) == {"e": None, "e/a": b"x"}


def test_a_new_file_with_the_number_of_a_removed_one_is_a_new_file(disk):
    run(disk, """
for i in range(200):
    fd = put('a%d' % i, b'old' * 100); os.fsync(fd); os.close(fd); os.unlink('a%d' % i)
    os.close(put('b%d' % i, b'n'))
sync('.')
""")
    assert image(disk) == {f"b{i}": b"" for i in range(200)}


# ---- lives -----------------------------------------------------------------------------------------------------------


def test_what_was_there_before_is_on_the_disk(disk):
    (disk.root / "d").mkdir()
    (disk.root / "d" / "a").write_bytes(b"hello")
    run(disk, "fd = put('d/a', b'HE')")
    assert image(disk) == {"d": None, "d/a": b"hello"}


def test_a_cut_takes_the_folder_back(disk):
    run(disk, "fd = put('a', b'hello'); os.fsync(fd); os.write(fd, b' again'); put('b', b'x')")
    disk.cut_power()
    assert [(p.name, p.read_bytes()) for p in disk.root.iterdir()] == [("a", b"hello")]
    run(disk, "os.fsync(put('b', b'x'))")
    disk.cut_power()
    assert sorted(p.name for p in disk.root.iterdir()) == ["a", "b"]


def test_a_cut_may_leave_a_part_of_what_was_appended(disk):
    seen = set()
    for seed in range(40):
        run(disk, "fd = put('a', b'1234'); os.fsync(fd); os.write(fd, b'5678')") if seed == 0 else None
        if seed == 0:
            saved = image(disk), (disk.root / "a").read_bytes()
        path = disk.image / "a"
        path.write_bytes(saved[0]["a"])
        disk._leak(path, random.Random(seed))
        seen.add(path.read_bytes())
    assert seen == {b"1234", b"12345", b"123456", b"1234567", b"12345678"}


def test_without_the_settings_nothing_happens(tmp_path):
    from disk import library
    done = subprocess.run(["env", f"LD_PRELOAD={library()}", sys.executable, "-I", "-S", "-c",
                           PRELUDE + "os.fsync(put('a', b'x')); os.unlink('a')", str(tmp_path)], timeout=30)
    assert done.returncode == 0 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sanitizer", ["address", "thread"])
def test_programs_with_sanitizers_run_on_it(disk, sanitizer):
    probe = build("rocks_probe.c", f"-fsanitize={sanitizer}", "-lrocksdb")
    assert kill_after(disk, [str(probe), "write", str(disk.root / "db"), "sync"], 20) >= 20
    disk.cut_power()
    assert (disk.root / "db" / "CURRENT").read_bytes().startswith(b"MANIFEST")


# ---- errors ----------------------------------------------------------------------------------------------------------


def test_a_full_disk_refuses_what_grows(disk):
    run(disk, "os.fsync(put('a', b'12345'))")
    disk.set("enospc")
    run(disk, """
fd = os.open('a', os.O_RDWR)
fails(errno.ENOSPC, os.pwrite, fd, b'678', 4)
fails(errno.ENOSPC, os.writev, os.open('a', os.O_WRONLY | os.O_APPEND), [b'6'])
fails(errno.ENOSPC, os.posix_fallocate, fd, 0, 10)
fails(errno.ENOSPC, os.mkdir, 'd')
fails(errno.ENOSPC, put, 'b', b'x')
os.pwrite(fd, b'x', 0); os.fsync(fd)
""")
    assert not (disk.root / "d").exists()
    assert image(disk)["a"] == b"x2345"


def test_a_broken_disk_refuses_writes_or_syncs(disk):
    run(disk, "os.fsync(put('a', b'12345'))")
    disk.set("eio-write")
    run(disk, "fd = os.open('a', os.O_RDWR); fails(errno.EIO, os.write, fd, b'x'); fails(errno.EIO, os.fsync, fd)")
    disk.set("eio-sync")
    run(disk, """
fd = os.open('a', os.O_RDWR); os.write(fd, b'x'); fails(errno.EIO, os.fsync, fd); fails(errno.EIO, os.fdatasync, fd)
fails(errno.EIO, put, 'a', b'x', os.O_WRONLY | os.O_SYNC); fails(errno.EIO, sync, '.')
assert c.sync_file_range(fd, ctypes.c_long(0), ctypes.c_long(0), 7) == -1 and ctypes.get_errno() == errno.EIO
assert c.sync_file_range(fd, ctypes.c_long(0), ctypes.c_long(0), 0) == 0
""")
    assert image(disk) == {"a": b"12345"}


def test_after_a_failed_sync_the_bytes_are_lost_though_the_next_one_succeeds(disk):
    disk.set("eio-sync")
    run(disk, f"""
fd = put('a', b'12345'); fails(errno.EIO, os.fsync, fd)
open({str(disk.control)!r}, 'w').write('ok'); time.sleep(0.05)
os.write(fd, b'678'); os.fsync(fd)
""")
    assert image(disk) == {"a": b"\0\0\0\0\x00678"}


def test_errors_come_and_go_while_the_program_runs(disk):
    out = run(disk, f"""
fd = put('a', b'')
for state in ('enospc', 'ok', 'eio-write', 'ok'):
    open({str(disk.control)!r}, 'w').write(state + '\\n'); time.sleep(0.05)
    try: print(os.write(fd, b'x'))
    except OSError as error: print(errno.errorcode[error.errno])
""")
    assert out.split() == ["ENOSPC", "1", "EIO", "1"]


def test_files_elsewhere_and_pipes_never_fail(disk, tmp_path):
    disk.set("eio-write")
    run(disk, f"os.fsync(put({str(tmp_path / 'log')!r}, b'x')); r, w = os.pipe(); os.write(w, b'x')")
    assert image(disk) == {}


# ---- speed, threads and real stores ----------------------------------------------------------------------------------


def test_threads_that_write_sync_and_rename_at_once(disk):
    run(disk, """
def work(n):
    for i in range(60):
        name = '%d-%d' % (n, i)
        fd = put(name + '.part', b'x' * i); os.write(fd, b'y'); os.fsync(fd); os.close(fd)
        os.rename(name + '.part', name)
        if i % 2: os.unlink(name)
        if i % 7 == 0: sync('.')
threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
[t.start() for t in threads]; [t.join() for t in threads]
sync('.')
""")
    assert image(disk) == {f"{n}-{i}": b"x" * i + b"y" for n in range(6) for i in range(0, 60, 2)}
    assert len([p for p in disk.files.iterdir() if p.name.isdigit()]) == 180


def test_a_long_file_is_not_copied_at_each_sync(disk):
    """64 MB and 300 syncs of a few bytes: 19 GB if the whole file were copied each time."""
    out = run(disk, """
fd = put('a', b'')
for i in range(64): os.write(fd, b'x' * (1 << 20))
os.fsync(fd)
start = time.process_time()
for i in range(300): os.write(fd, b'12345'); os.pwrite(fd, b'y', i * 1000); os.fdatasync(fd)
print(time.process_time() - start)
""")
    assert float(out) < 1.0
    assert (disk.image / "a").read_bytes() == (disk.root / "a").read_bytes()


SQLITE_WRITER = """
import sqlite3
db = sqlite3.connect('r.db', isolation_level=None)
db.execute('PRAGMA journal_mode=%s'); db.execute('PRAGMA synchronous=%s'); db.execute('PRAGMA wal_autocheckpoint=20')
db.execute('CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, x BLOB)')
n = db.execute('SELECT coalesce(max(n), 0) FROM t').fetchone()[0]
while True:
    n += 1
    db.execute('INSERT INTO t VALUES (?, randomblob(300))', (n,))
    print(n, flush=True)
"""


def kill_after(disk, command, lines):
    """Kills a program that prints a number for everything it has stored; returns the last it printed."""
    process = subprocess.Popen(disk.wrap(command), stdout=subprocess.PIPE, text=True)
    try:
        last = 0
        for _ in range(lines):
            line = process.stdout.readline()
            assert line, "the program ended by itself"
            last = int(line)
        process.kill()
        rest = [int(line) for line in process.stdout.read().split("\n")[:-1]]
        return rest[-1] if rest else last
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("journal, level", [("WAL", "FULL"), ("DELETE", "EXTRA")])
def test_sqlite_keeps_what_it_committed(disk, journal, level):
    """With a rollback journal, SQLite promises only at level EXTRA that the removal of the journal is synced too."""
    rng = random.Random(journal)
    for _ in range(4):
        command = [sys.executable, "-I", "-c", PRELUDE + SQLITE_WRITER % (journal, level), str(disk.root)]
        stored = kill_after(disk, command, rng.randint(5, 60))
        assert disk.mapped_files() == (["r.db-shm"] if journal == "WAL" else [])
        disk.cut_power(rng)
        with sqlite3.connect(disk.root / "r.db") as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            count, last = db.execute("SELECT count(*), max(n) FROM t").fetchone()
        db.close()
        assert count == last >= stored


def test_sqlite_without_syncs_loses_what_it_committed(disk):
    command = [sys.executable, "-I", "-c", PRELUDE + SQLITE_WRITER % ("WAL", "OFF"), str(disk.root)]
    stored = kill_after(disk, command, 50)
    disk.cut_power()
    with sqlite3.connect(disk.root / "r.db") as db:
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        kept = db.execute("SELECT count(*) FROM t").fetchone()[0] if tables else 0
    db.close()
    assert kept < stored


def rocks(*arguments):
    return [str(build("rocks_probe.c", "-lrocksdb")), *map(str, arguments)]


def test_rocksdb_keeps_what_it_synced(disk):
    rng = random.Random(7)
    for _ in range(4):
        stored = kill_after(disk, rocks("write", disk.root / "db", "sync"), rng.randint(100, 500))
        disk.cut_power(rng)
        done = subprocess.run(rocks("count", disk.root / "db"), capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) >= stored
    assert disk.mapped_files() == []


def test_rocksdb_without_syncs_loses_what_it_wrote(disk):
    stored = kill_after(disk, rocks("write", disk.root / "db", "nosync"), 200)
    disk.cut_power()
    done = subprocess.run(rocks("count", disk.root / "db"), capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and int(done.stdout) < stored, done
