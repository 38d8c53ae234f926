// forgetful: an LD_PRELOAD library that keeps what a power cut would leave of a folder, and that makes its disk fail.
//
//   FORGETFUL_ROOT     the folder that is watched
//   FORGETFUL_IMAGE    the folder kept as "on the disk"; IMAGE.files beside it belongs to this library
//   FORGETFUL_CONTROL  a file whose first line is `ok`, `enospc`, `eio-write` or `eio-sync`; looked at every few ms
//
// What reaches the image, and when
//   * Bytes and size of a file: at fsync, fdatasync, msync or a global sync of it, and at once when it was opened with
//     O_SYNC or O_DSYNC. sync_file_range that waits brings only bytes inside the size that the image has already: it
//     writes no metadata, so appended bytes stay out of reach.
//   * Names (created, renamed, removed): at fsync of their folder. A file that was itself synced is reachable under the
//     name it has then, with the folders above it, because the journals of ext4 and others commit the creation with it.
//     ext4 would commit all earlier changes of names as well; the image does not rely on that.
//   * A name is kept in the image while it is the only one of a living file: a move between two folders is one
//     transaction on a real disk and never loses the file. A renamed folder is moved in the image at once.
//   * close brings nothing to the disk, so it is left alone. Descriptors are known by the inode behind them, not by
//     number: dup, fork and descriptors that were opened out of sight need no book-keeping.
//   * Memory mapped shared and writable is written out at msync and with each sync of its file; the paths of such files
//     are listed in IMAGE.files/mapped. SQLite's -shm is one. It is never synced, and so comes back empty.
//   * After a sync that failed the changed bytes count as clean, as in Linux: they never reach the image unless they
//     are written again.
//
// IMAGE is made as a copy of ROOT by the first process that finds none, and goes on being kept by later ones. A file
// met for the first time in a process is copied whole at its first sync. One process at a time may watch a folder.
// Files below ROOT only: logs elsewhere, sockets and pipes never fail and are never delayed.
//
// Errors: `enospc` refuses what would make a file longer or takes new blocks, and new folders; overwriting in place and
// new empty files still work, as on a full disk. `eio-write` refuses every write, `eio-sync` every sync.
//
// Threads: `names_mutex` is held while names change, `sync_mutex` while bytes are copied to the image, `nodes_mutex`
// for moments. They are taken in this order.
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { kBuckets = 4096, kMaxRanges = 16, kMaxMappings = 64, kCopyBytes = 1 << 16, kControlEveryNs = 2000000 };

typedef struct Range {
  off_t begin, end;
} Range;

typedef struct Node {  // a file below ROOT that this process has met
  ino_t inode;
  int always_whole;  // written through a FILE*, out of sight
  int count;
  Range dirty[kMaxRanges];  // may touch the same bytes twice, in no order
  struct Node* next;
} Node;

typedef struct Mapping {
  char* address;
  size_t size;
  ino_t inode;
  off_t offset;
  char path[PATH_MAX];  // below ROOT, when it was mapped
} Mapping;

typedef enum Trouble { kNoTrouble, kNoSpace, kWriteError, kSyncError } Trouble;

static char root[PATH_MAX], image[PATH_MAX], files[PATH_MAX + 8], control[PATH_MAX];
static size_t root_size;
static dev_t root_device;
static int active;
static Node* buckets[kBuckets];
static Mapping mappings[kMaxMappings];
static pthread_mutex_t names_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t sync_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t nodes_mutex = PTHREAD_MUTEX_INITIALIZER;
static const Range kWhole = {0, INT64_MAX};

// ---- system calls, past the functions below
// ---------------------------------------------------------------------------

static int sys_open(const char* path, int flags, mode_t mode) {
  return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, mode);
}
static int sys_rename(const char* from, const char* to) {
  return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
static int sys_unlink(const char* path) {
  return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

// The image is the witness of every test that uses it: it must not go wrong silently.
static void fatal(const char* what, const char* path) {
  char line[PATH_MAX + 256];
  const int size = snprintf(line, sizeof(line), "forgetful: cannot %s %s: %s\n", what, path, strerror(errno));
  syscall(SYS_write, STDERR_FILENO, line, size);
  abort();
}

// ---- what is known about files
// ----------------------------------------------------------------------------------------

static Node** slot_of(ino_t inode) {
  Node** at = &buckets[inode % kBuckets];
  while (*at != NULL && (*at)->inode != inode) at = &(*at)->next;
  return at;
}

static Node* make_node(ino_t inode, int known_from_birth) {
  Node** at = slot_of(inode);
  if (*at != NULL) return *at;
  Node* node = calloc(1, sizeof(Node));
  if (node == NULL) fatal("remember", "a file");
  node->inode = inode;
  if (!known_from_birth) node->dirty[node->count++] = kWhole;
  *at = node;
  return node;
}

static void forget_node(ino_t inode) {
  pthread_mutex_lock(&nodes_mutex);
  Node** at = slot_of(inode);
  Node* gone = *at;
  if (gone != NULL) {
    *at = gone->next;
    free(gone);
  }
  pthread_mutex_unlock(&nodes_mutex);
}

static void add_range(Node* node, Range added) {
  for (int i = 0; i < node->count; ++i) {
    Range* have = &node->dirty[i];
    if (added.begin > have->end || added.end < have->begin) continue;
    if (added.begin < have->begin) have->begin = added.begin;
    if (added.end > have->end) have->end = added.end;
    return;
  }
  if (node->count < kMaxRanges) {
    node->dirty[node->count++] = added;
    return;
  }
  Range* last = &node->dirty[kMaxRanges - 1];
  if (added.begin < last->begin) last->begin = added.begin;
  if (added.end > last->end) last->end = added.end;
}

static int is_file_of_root(const struct stat* found) {
  return S_ISREG(found->st_mode) && found->st_dev == root_device && found->st_nlink > 0;
}

// Whether the descriptor is a file that this process has met below ROOT.
static int is_watched(int fd, struct stat* found) {
  if (!active || fstat(fd, found) != 0 || !is_file_of_root(found)) return 0;
  pthread_mutex_lock(&nodes_mutex);
  const int known = *slot_of(found->st_ino) != NULL;
  pthread_mutex_unlock(&nodes_mutex);
  return known;
}

static void mark_dirty(ino_t inode, off_t begin, off_t end) {
  pthread_mutex_lock(&nodes_mutex);
  Node* node = *slot_of(inode);
  if (node != NULL && begin < end) add_range(node, (Range){begin, end});
  pthread_mutex_unlock(&nodes_mutex);
}

// Path of a descriptor relative to ROOT ("" for ROOT itself), or NULL when it is elsewhere or has no name any more.
static const char* path_in_root(int fd, char* buffer, size_t size) {
  char link[64];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, buffer, size - 1);
  if (length < 0) return NULL;
  buffer[length] = '\0';
  if (strncmp(buffer, root, root_size) != 0) return NULL;
  if (buffer[root_size] == '\0') return buffer + root_size;
  return buffer[root_size] == '/' ? buffer + root_size + 1 : NULL;
}

// ---- errors on demand
// -------------------------------------------------------------------------------------------------

static Trouble read_control(void) {
  char word[16] = "";
  const int fd = sys_open(control, O_RDONLY, 0);
  if (fd < 0) return kNoTrouble;
  const ssize_t size = read(fd, word, sizeof(word) - 1);
  syscall(SYS_close, fd);
  word[size > 0 ? strcspn(word, "\r\n") : 0] = '\0';
  if (strcmp(word, "enospc") == 0) return kNoSpace;
  if (strcmp(word, "eio-write") == 0) return kWriteError;
  if (strcmp(word, "eio-sync") == 0) return kSyncError;
  return kNoTrouble;
}

static Trouble trouble(void) {
  static _Atomic int64_t next_look;
  static _Atomic int64_t seen_change;
  static _Atomic int current;
  if (control[0] == '\0') return kNoTrouble;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  const int64_t now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
  if (now_ns < next_look) return (Trouble)current;
  next_look = now_ns + kControlEveryNs;
  struct stat found;
  const int64_t change =
      stat(control, &found) == 0 ? (int64_t)found.st_mtim.tv_sec * 1000000000 + found.st_mtim.tv_nsec : -1;
  if (change != seen_change) {
    current = (int)read_control();
    seen_change = change;
  }
  return (Trouble)current;
}

// The error with which a write of `size` bytes at `offset` fails, or 0.
static int write_trouble(const struct stat* file, off_t offset, off_t size, int is_synced) {
  switch (trouble()) {
    case kNoTrouble:
      return 0;
    case kNoSpace:
      return offset + size > file->st_size ? ENOSPC : 0;
    case kWriteError:
      return EIO;
    case kSyncError:
      return is_synced ? EIO : 0;
  }
  return 0;
}

// ---- the image
// --------------------------------------------------------------------------------------------------------

static void file_of_inode(ino_t inode, char* path, size_t size) {
  snprintf(path, size, "%s/%llu", files, (unsigned long long)inode);
}

static void image_path(const char* relative, char* path, size_t size) {
  if ((size_t)snprintf(path, size, "%s%s%s", image, *relative ? "/" : "", relative) >= size) {
    errno = ENAMETOOLONG;
    fatal("name", relative);
  }
}

static int open_inode_file(ino_t inode) {
  char path[PATH_MAX + 64];
  file_of_inode(inode, path, sizeof(path));
  const int fd = sys_open(path, O_RDWR | O_CREAT, 0600);
  if (fd < 0) fatal("open", path);
  return fd;
}

static void copy_range(int from, int to, Range range) {
  static char buffer[kCopyBytes];  // guarded by sync_mutex
  for (off_t at = range.begin; at < range.end;) {
    const size_t wanted = range.end - at < kCopyBytes ? (size_t)(range.end - at) : kCopyBytes;
    const ssize_t got = pread(from, buffer, wanted, at);
    if (got <= 0) return;  // the file has become shorter
    if (syscall(SYS_pwrite64, to, buffer, got, at) != got) fatal("write", files);
    at += got;
  }
}

static void make_folders_above(const char* relative) {
  char path[PATH_MAX + 64];
  image_path(relative, path, sizeof(path));
  mkdir(image, 0700);
  for (char* slash = path + strlen(image) + 1; (slash = strchr(slash, '/')) != NULL; ++slash) {
    *slash = '\0';
    mkdir(path, 0700);
    *slash = '/';
  }
}

// Makes a name in the image lead to the file of an inode, in place of what it led to.
static void link_in_image(ino_t inode, const char* relative) {
  char content[PATH_MAX + 64], target[PATH_MAX + 64], fresh[PATH_MAX + 64];
  struct stat wanted, there;
  file_of_inode(inode, content, sizeof(content));
  image_path(relative, target, sizeof(target));
  if (stat(content, &wanted) != 0) {
    syscall(SYS_close, open_inode_file(inode));  // named, never synced: it comes back empty
    if (stat(content, &wanted) != 0) fatal("find", content);
  }
  if (lstat(target, &there) == 0 && there.st_ino == wanted.st_ino) return;
  snprintf(fresh, sizeof(fresh), "%s/fresh", files);
  sys_unlink(fresh);
  if (link(content, fresh) != 0) fatal("link", content);
  make_folders_above(relative);
  if (sys_rename(fresh, target) != 0) fatal("rename to", target);
}

static void note_mapped_file(const char* relative) {
  char path[PATH_MAX + 64], line[PATH_MAX + 1];
  snprintf(path, sizeof(path), "%s/mapped", files);
  const int fd = sys_open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (fd < 0) fatal("open", path);
  const int size = snprintf(line, sizeof(line), "%s\n", relative);
  syscall(SYS_write, fd, line, size);
  syscall(SYS_close, fd);
}

static int take_dirty(ino_t inode, Range* taken) {
  pthread_mutex_lock(&nodes_mutex);
  Node* node = make_node(inode, 0);
  const int count = node->count;
  memcpy(taken, node->dirty, sizeof(Range) * (size_t)count);
  node->count = 0;
  if (node->always_whole) node->dirty[node->count++] = kWhole;
  for (int i = 0; i < kMaxMappings; ++i) {
    const Mapping* mapping = &mappings[i];
    if (mapping->address == NULL || mapping->inode != inode) continue;
    add_range(node, (Range){mapping->offset, mapping->offset + (off_t)mapping->size});
  }
  pthread_mutex_unlock(&nodes_mutex);
  return count;
}

// A descriptor to read the file behind `fd` from. The program's own wherever it can read: closing another one would end
// the POSIX locks that the program has on the file, and SQLite lives by those.
static int reader_of(int fd) {
  char link[64];
  if ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_WRONLY) return fd;
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  return sys_open(link, O_RDONLY, 0);
}

static void end_reading(int reader, int fd) {
  if (reader >= 0 && reader != fd) syscall(SYS_close, reader);
}

// Brings bytes, size and name of an open file to the image. The caller has made sure that it is a file below ROOT.
static void sync_file(int fd, ino_t inode) {
  char buffer[PATH_MAX];
  Range dirty[kMaxRanges];
  pthread_mutex_lock(&sync_mutex);
  const char* relative = path_in_root(fd, buffer, sizeof(buffer));
  struct stat found;
  const int from = relative == NULL ? -1 : reader_of(fd);
  if (from >= 0 && fstat(from, &found) == 0 && found.st_nlink > 0) {
    const int count = take_dirty(inode, dirty);
    const int to = open_inode_file(inode);
    if (fstat(from, &found) != 0) fatal("look at", relative);
    for (int i = 0; i < count; ++i) {
      const off_t end = dirty[i].end < found.st_size ? dirty[i].end : found.st_size;
      copy_range(from, to, (Range){dirty[i].begin, end});
    }
    if (syscall(SYS_ftruncate, to, found.st_size) != 0) fatal("size", relative);
    fchmod(to, found.st_mode & 07777);
    syscall(SYS_close, to);
    link_in_image(inode, relative);
  }
  end_reading(from, fd);
  pthread_mutex_unlock(&sync_mutex);
}

static void sync_range(int fd, ino_t inode, Range range) {
  struct stat have;
  pthread_mutex_lock(&sync_mutex);
  const int from = reader_of(fd);
  const int to = open_inode_file(inode);
  if (from >= 0 && fstat(to, &have) == 0) {
    if (range.end > have.st_size) range.end = have.st_size;
    copy_range(from, to, range);
  }
  end_reading(from, fd);
  syscall(SYS_close, to);
  pthread_mutex_unlock(&sync_mutex);
}

static void remove_tree(const char* path) {
  if (sys_unlink(path) == 0 || errno == ENOENT) return;
  DIR* folder = opendir(path);
  if (folder == NULL) return;
  for (struct dirent* entry; (entry = readdir(folder)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    char below[PATH_MAX + 512];
    snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
    remove_tree(below);
  }
  closedir(folder);
  syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}

static void bring_name(const char* real, const char* relative) {
  char target[PATH_MAX + 64], content[PATH_MAX];
  struct stat found;
  if (lstat(real, &found) != 0) return;
  if (S_ISREG(found.st_mode)) {
    link_in_image(found.st_ino, relative);
  } else if (S_ISDIR(found.st_mode)) {
    image_path(relative, target, sizeof(target));
    make_folders_above(relative);
    mkdir(target, found.st_mode & 07777);
  } else if (S_ISLNK(found.st_mode)) {
    image_path(relative, target, sizeof(target));
    const ssize_t size = readlink(real, content, sizeof(content) - 1);
    if (size < 0) return;
    content[size] = '\0';
    sys_unlink(target);
    make_folders_above(relative);
    if (symlink(content, target) != 0) fatal("link", target);
  }  // sockets and pipes have nothing to keep
}

static void drop_name_unless_there(const char* real, const char* in_image) {
  struct stat found;
  if (lstat(real, &found) == 0) return;
  if (lstat(in_image, &found) != 0) return;
  if (S_ISREG(found.st_mode) && found.st_nlink == 2) {
    // One link here and one among IMAGE.files: the inode lives on, and this is the last name the image has for it.
    // Unlinked inodes have lost their link among IMAGE.files at once.
    return;
  }
  remove_tree(in_image);
}

static void each_name(const char* folder, const char* relative, int dropping) {
  DIR* open_folder = opendir(folder);
  if (open_folder == NULL) return;
  for (struct dirent* entry; (entry = readdir(open_folder)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    char below[PATH_MAX], real[PATH_MAX * 2 + 2], target[PATH_MAX + 64];
    snprintf(below, sizeof(below), "%.3000s%s%s", relative, *relative ? "/" : "", entry->d_name);
    snprintf(real, sizeof(real), "%s/%s", root, below);
    image_path(below, target, sizeof(target));
    if (dropping) {
      drop_name_unless_there(real, target);
    } else {
      bring_name(real, below);
    }
  }
  closedir(open_folder);
}

// New names first, so that no moment has less than before or after.
static void sync_folder(const char* relative) {
  char real[PATH_MAX * 2 + 2], in_image[PATH_MAX + 64];
  pthread_mutex_lock(&names_mutex);
  pthread_mutex_lock(&sync_mutex);
  snprintf(real, sizeof(real), "%s/%s", root, relative);
  image_path(relative, in_image, sizeof(in_image));
  make_folders_above(relative);
  mkdir(in_image, 0700);
  each_name(real, relative, 0);
  each_name(in_image, relative, 1);
  pthread_mutex_unlock(&sync_mutex);
  pthread_mutex_unlock(&names_mutex);
}

// Everything below a folder, as sync(2) does it. Files are opened by name, which is why it is not for the common case.
static void sync_tree(const char* relative) {
  char real[PATH_MAX * 2 + 2];
  snprintf(real, sizeof(real), "%s/%s", root, relative);
  DIR* folder = opendir(real);
  if (folder == NULL) return;
  sync_folder(relative);
  for (struct dirent* entry; (entry = readdir(folder)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    char below[PATH_MAX];
    struct stat found;
    snprintf(below, sizeof(below), "%.3000s%s%s", relative, *relative ? "/" : "", entry->d_name);
    snprintf(real, sizeof(real), "%s/%s", root, below);
    if (lstat(real, &found) != 0) continue;
    if (S_ISDIR(found.st_mode)) sync_tree(below);
    if (!S_ISREG(found.st_mode)) continue;
    const int fd = sys_open(real, O_RDONLY, 0);
    if (fd >= 0) sync_file(fd, found.st_ino);
    if (fd >= 0) syscall(SYS_close, fd);
  }
  closedir(folder);
}

static int take_setting(const char* name, char* path) {
  const char* value = getenv(name);
  if (value == NULL || *value == '\0') return 0;
  if (realpath(value, path) != NULL) return 1;
  char folder[PATH_MAX];  // not there yet: its folder must be
  snprintf(folder, sizeof(folder), "%s", value);
  char* slash = strrchr(folder, '/');
  if (slash == NULL || slash == folder) return 0;
  *slash = '\0';
  char above[PATH_MAX];
  if (realpath(folder, above) == NULL) return 0;
  return (size_t)snprintf(path, PATH_MAX, "%.2000s/%.2000s", above, slash + 1) < PATH_MAX;
}

__attribute__((constructor)) static void start(void) {
  struct stat found;
  take_setting("FORGETFUL_CONTROL", control);
  if (!take_setting("FORGETFUL_ROOT", root) || !take_setting("FORGETFUL_IMAGE", image)) return;
  root_size = strlen(root);
  snprintf(files, sizeof(files), "%s.files", image);
  mkdir(root, 0700);
  if (stat(root, &found) != 0) fatal("make", root);
  root_device = found.st_dev;
  active = 1;
  if (mkdir(files, 0700) == 0) {
    sync_tree("");
  } else if (errno != EEXIST) {
    fatal("make", files);
  }
}

// ---- opening
// ----------------------------------------------------------------------------------------------------------

static void forget_inode(ino_t inode) {
  char path[PATH_MAX + 64];
  forget_node(inode);
  file_of_inode(inode, path, sizeof(path));
  pthread_mutex_lock(&sync_mutex);
  sys_unlink(path);
  pthread_mutex_unlock(&sync_mutex);
}

static void meet_file(int fd, int is_new, int is_written_out_of_sight) {
  struct stat found;
  char buffer[PATH_MAX];
  if (fstat(fd, &found) != 0 || !is_file_of_root(&found)) return;
  if (path_in_root(fd, buffer, sizeof(buffer)) == NULL) return;
  if (is_new) forget_inode(found.st_ino);  // the number may have belonged to a file that was removed out of sight
  pthread_mutex_lock(&nodes_mutex);
  Node* node = make_node(found.st_ino, is_new);
  if (is_written_out_of_sight && !node->always_whole) {
    node->always_whole = 1;
    add_range(node, kWhole);
  }
  pthread_mutex_unlock(&nodes_mutex);
}

static int open_file(int folder, const char* path, int flags, mode_t mode) {
  if (!active) return (int)syscall(SYS_openat, folder, path, flags, mode);
  const int may_create = (flags & O_CREAT) != 0;
  const int may_cut = (flags & O_TRUNC) != 0;
  struct stat before;
  int existed = 1;
  if (may_create) pthread_mutex_lock(&names_mutex);
  if (may_create || may_cut) existed = fstatat(folder, path, &before, 0) == 0;
  const int fd = (int)syscall(SYS_openat, folder, path, flags, mode);
  const int error = errno;
  if (fd >= 0) {
    meet_file(fd, !existed, 0);
    if (may_cut && existed) mark_dirty(before.st_ino, 0, before.st_size);
  }
  if (may_create) pthread_mutex_unlock(&names_mutex);
  errno = error;
  return fd;
}

static mode_t mode_of(int flags, va_list arguments) {
  const int has_mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  return has_mode ? va_arg(arguments, mode_t) : 0;
}

EXPORT int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_file(AT_FDCWD, path, flags, mode);
}

EXPORT int openat(int folder, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_file(folder, path, flags, mode);
}

EXPORT int creat(const char* path, mode_t mode) {
  return open_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

// The forms that the compiler puts in where it checks arguments.
EXPORT int __open_2(const char* path, int flags) {
  return open_file(AT_FDCWD, path, flags, 0);
}
EXPORT int __openat_2(int folder, const char* path, int flags) {
  return open_file(folder, path, flags, 0);
}

static FILE* open_stream(const char* symbol, const char* path, const char* mode) {
  FILE* (*real)(const char*, const char*) = (FILE * (*)(const char*, const char*)) dlsym(RTLD_NEXT, symbol);
  if (!active || strpbrk(mode, "wa+") == NULL) return real(path, mode);
  struct stat before;
  pthread_mutex_lock(&names_mutex);
  const int existed = stat(path, &before) == 0;
  FILE* stream = real(path, mode);
  const int error = errno;
  if (stream != NULL) meet_file(fileno(stream), !existed, 1);
  pthread_mutex_unlock(&names_mutex);
  errno = error;
  return stream;
}

EXPORT FILE* fopen(const char* path, const char* mode) {
  return open_stream("fopen", path, mode);
}
EXPORT FILE* fopen64(const char* path, const char* mode) {
  return open_stream("fopen64", path, mode);
}

// ---- writing
// ----------------------------------------------------------------------------------------------------------

typedef struct Write {
  int watched, synced;
  off_t offset;
  struct stat file;
} Write;

// False: the write fails, errno is set. `offset` < 0: at the descriptor's own position.
static int begin_write(Write* write, int fd, off_t offset, off_t size) {
  write->watched = is_watched(fd, &write->file);
  if (!write->watched) return 1;
  const int flags = fcntl(fd, F_GETFL);
  write->synced = (flags & O_DSYNC) != 0;
  write->offset = (flags & O_APPEND) ? write->file.st_size : offset >= 0 ? offset : lseek(fd, 0, SEEK_CUR);
  const int error = write_trouble(&write->file, write->offset, size, write->synced);
  errno = error;
  return error == 0;
}

static ssize_t end_write(const Write* write, int fd, ssize_t written) {
  if (!write->watched || written <= 0) return written;
  const int error = errno;
  struct stat after;
  off_t end = write->offset + written;
  // Others may have appended in between: what came after the old end is all counted as changed.
  if ((fcntl(fd, F_GETFL) & O_APPEND) && fstat(fd, &after) == 0 && after.st_size > end) end = after.st_size;
  mark_dirty(write->file.st_ino, write->offset, end);
  if (write->synced) sync_file(fd, write->file.st_ino);
  errno = error;
  return written;
}

static off_t size_of(const struct iovec* parts, int count) {
  off_t size = 0;
  for (int i = 0; i < count; ++i) size += (off_t)parts[i].iov_len;
  return size;
}

EXPORT ssize_t write(int fd, const void* data, size_t size) {
  Write about;
  if (!begin_write(&about, fd, -1, (off_t)size)) return -1;
  return end_write(&about, fd, syscall(SYS_write, fd, data, size));
}

EXPORT ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  Write about;
  if (!begin_write(&about, fd, offset, (off_t)size)) return -1;
  return end_write(&about, fd, syscall(SYS_pwrite64, fd, data, size, offset));
}

EXPORT ssize_t writev(int fd, const struct iovec* parts, int count) {
  Write about;
  if (!begin_write(&about, fd, -1, size_of(parts, count))) return -1;
  return end_write(&about, fd, syscall(SYS_writev, fd, parts, count));
}

EXPORT ssize_t pwritev(int fd, const struct iovec* parts, int count, off_t offset) {
  Write about;
  if (!begin_write(&about, fd, offset, size_of(parts, count))) return -1;
  return end_write(&about, fd, syscall(SYS_pwritev, fd, parts, count, offset, 0));
}

EXPORT ssize_t pwritev2(int fd, const struct iovec* parts, int count, off_t offset, int flags) {
  Write about;
  if (!begin_write(&about, fd, offset, size_of(parts, count))) return -1;
  about.synced = about.synced || (flags & (RWF_SYNC | RWF_DSYNC)) != 0;
  return end_write(&about, fd, syscall(SYS_pwritev2, fd, parts, count, offset, 0, flags));
}

EXPORT ssize_t sendfile(int to, int from, off_t* offset, size_t size) {
  Write about;
  if (!begin_write(&about, to, -1, (off_t)size)) return -1;
  return end_write(&about, to, syscall(SYS_sendfile, to, from, offset, size));
}

EXPORT ssize_t copy_file_range(int from, off64_t* from_offset, int to, off64_t* to_offset, size_t size,
                               unsigned flags) {
  Write about;
  if (!begin_write(&about, to, to_offset != NULL ? *to_offset : -1, (off_t)size)) return -1;
  return end_write(&about, to, syscall(SYS_copy_file_range, from, from_offset, to, to_offset, size, flags));
}

static int cut_file(const struct stat* before, off_t size, int done) {
  if (done == 0) {
    // What is read between the new end and the old one are zeros from now on.
    const off_t low = size < before->st_size ? size : before->st_size;
    const off_t high = size < before->st_size ? before->st_size : size;
    mark_dirty(before->st_ino, low, high);
  }
  return done;
}

EXPORT int ftruncate(int fd, off_t size) {
  struct stat before;
  if (!is_watched(fd, &before)) return (int)syscall(SYS_ftruncate, fd, size);
  const int error = write_trouble(&before, size, 0, 0);
  if (error != 0) return errno = error, -1;
  return cut_file(&before, size, (int)syscall(SYS_ftruncate, fd, size));
}

EXPORT int truncate(const char* path, off_t size) {
  struct stat before;
  if (!active || stat(path, &before) != 0 || !is_file_of_root(&before)) return (int)syscall(SYS_truncate, path, size);
  const int error = write_trouble(&before, size, 0, 0);
  if (error != 0) return errno = error, -1;
  return cut_file(&before, size, (int)syscall(SYS_truncate, path, size));
}

EXPORT int fallocate(int fd, int mode, off_t offset, off_t size) {
  struct stat before;
  if (!is_watched(fd, &before)) return (int)syscall(SYS_fallocate, fd, mode, offset, size);
  const Trouble now = trouble();
  if (now == kWriteError) return errno = EIO, -1;
  if (now == kNoSpace && !(mode & FALLOC_FL_PUNCH_HOLE)) return errno = ENOSPC, -1;
  const int done = (int)syscall(SYS_fallocate, fd, mode, offset, size);
  if (done == 0 && (mode & ~FALLOC_FL_KEEP_SIZE) != 0) mark_dirty(before.st_ino, 0, INT64_MAX);
  return done;
}

EXPORT int posix_fallocate(int fd, off_t offset, off_t size) {
  const int before = errno;
  const int done = fallocate(fd, 0, offset, size);
  const int error = errno;
  errno = before;
  return done == 0 ? 0 : error;  // it returns its error
}

// ---- names
// ------------------------------------------------------------------------------------------------------------

// The inode whose last name is about to go; 0 when there is none.
static ino_t last_name(int folder, const char* path) {
  struct stat found;
  if (fstatat(folder, path, &found, AT_SYMLINK_NOFOLLOW) != 0 || !is_file_of_root(&found)) return 0;
  return found.st_nlink == 1 ? found.st_ino : 0;
}

static int unlink_name(int folder, const char* path, int flags) {
  if (!active || (flags & AT_REMOVEDIR)) return (int)syscall(SYS_unlinkat, folder, path, flags);
  pthread_mutex_lock(&names_mutex);
  const ino_t dying = last_name(folder, path);
  const int done = (int)syscall(SYS_unlinkat, folder, path, flags);
  const int error = errno;
  if (done == 0 && dying != 0) forget_inode(dying);
  pthread_mutex_unlock(&names_mutex);
  errno = error;
  return done;
}

static int is_folder(int folder, const char* path) {
  struct stat found;
  return fstatat(folder, path, &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(found.st_mode);
}

static int path_of_name(int folder, const char* path, char* real, size_t size) {
  char buffer[PATH_MAX];
  const int fd = (int)syscall(SYS_openat, folder, path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
  if (fd < 0) return 0;
  const char* relative = path_in_root(fd, buffer, sizeof(buffer));
  syscall(SYS_close, fd);
  return relative != NULL && (size_t)snprintf(real, size, "%s/%s", image, relative) < size;
}

static int rename_name(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  if (!active) return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
  char before[PATH_MAX * 2], after[PATH_MAX * 2];
  struct stat source;
  pthread_mutex_lock(&names_mutex);
  const int moves_folder = is_folder(from_folder, from) && path_of_name(from_folder, from, before, sizeof(before));
  ino_t dying = (flags & RENAME_EXCHANGE) ? 0 : last_name(to_folder, to);
  if (fstatat(from_folder, from, &source, AT_SYMLINK_NOFOLLOW) == 0 && source.st_ino == dying) dying = 0;
  const int done = (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
  const int error = errno;
  if (done == 0 && dying != 0) forget_inode(dying);
  if (done == 0 && moves_folder && path_of_name(to_folder, to, after, sizeof(after))) sys_rename(before, after);
  pthread_mutex_unlock(&names_mutex);
  errno = error;
  return done;
}

EXPORT int unlink(const char* path) {
  return unlink_name(AT_FDCWD, path, 0);
}
EXPORT int unlinkat(int folder, const char* path, int flags) {
  return unlink_name(folder, path, flags);
}
EXPORT int remove(const char* path) {
  return unlink_name(AT_FDCWD, path, is_folder(AT_FDCWD, path) ? AT_REMOVEDIR : 0);
}
EXPORT int rename(const char* from, const char* to) {
  return rename_name(AT_FDCWD, from, AT_FDCWD, to, 0);
}
EXPORT int renameat(int from_folder, const char* from, int to_folder, const char* to) {
  return rename_name(from_folder, from, to_folder, to, 0);
}
EXPORT int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  return rename_name(from_folder, from, to_folder, to, flags);
}

EXPORT int mkdirat(int folder, const char* path, mode_t mode) {
  const int done = (int)syscall(SYS_mkdirat, folder, path, mode);
  if (done != 0 || !active || (trouble() != kNoSpace && trouble() != kWriteError)) return done;
  char in_image[PATH_MAX * 2];
  if (!path_of_name(folder, path, in_image, sizeof(in_image))) return done;
  syscall(SYS_unlinkat, folder, path, AT_REMOVEDIR);
  errno = trouble() == kNoSpace ? ENOSPC : EIO;
  return -1;
}
EXPORT int mkdir(const char* path, mode_t mode) {
  return mkdirat(AT_FDCWD, path, mode);
}

// ---- syncing
// ----------------------------------------------------------------------------------------------------------

// A sync of a file or folder below ROOT by the given system call.
static int sync_descriptor(int fd, long number) {
  struct stat found;
  char buffer[PATH_MAX];
  if (!active || fstat(fd, &found) != 0 || found.st_dev != root_device) return (int)syscall(number, fd);
  const char* relative = path_in_root(fd, buffer, sizeof(buffer));
  if (relative == NULL) return (int)syscall(number, fd);
  if (trouble() == kSyncError || trouble() == kWriteError) {
    Range lost[kMaxRanges];
    if (S_ISREG(found.st_mode)) take_dirty(found.st_ino, lost);
    return errno = EIO, -1;
  }
  if (S_ISDIR(found.st_mode)) sync_folder(relative);
  if (S_ISREG(found.st_mode) && found.st_nlink > 0) sync_file(fd, found.st_ino);
  return (int)syscall(number, fd);
}

EXPORT int fsync(int fd) {
  return sync_descriptor(fd, SYS_fsync);
}
EXPORT int fdatasync(int fd) {
  return sync_descriptor(fd, SYS_fdatasync);
}

EXPORT int sync_file_range(int fd, off_t offset, off_t size, unsigned flags) {
  struct stat found;
  const unsigned waits = SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  // Without flags it does nothing, and so cannot fail; RocksDB asks that way whether the call exists.
  if (flags != 0 && is_watched(fd, &found)) {
    if (trouble() == kSyncError || trouble() == kWriteError) return errno = EIO, -1;
    const off_t end = size == 0 || offset > INT64_MAX - size ? INT64_MAX : offset + size;
    if ((flags & waits) == waits) sync_range(fd, found.st_ino, (Range){offset, end});
  }
  return (int)syscall(SYS_sync_file_range, fd, offset, size, flags);
}

EXPORT int syncfs(int fd) {
  struct stat found;
  if (active && fstat(fd, &found) == 0 && found.st_dev == root_device) {
    if (trouble() == kSyncError || trouble() == kWriteError) return errno = EIO, -1;
    sync_tree("");
  }
  return (int)syscall(SYS_syncfs, fd);
}

EXPORT void sync(void) {
  if (active && trouble() != kSyncError && trouble() != kWriteError) sync_tree("");
  syscall(SYS_sync);
}

// ---- mapped memory
// ----------------------------------------------------------------------------------------------------

static void remember_mapping(char* address, size_t size, ino_t inode, off_t offset, const char* path) {
  pthread_mutex_lock(&nodes_mutex);
  int at = 0;
  while (at < kMaxMappings && mappings[at].address != NULL) ++at;
  if (at == kMaxMappings) fatal("remember", "another mapping");
  mappings[at] = (Mapping){address, size, inode, offset, ""};
  snprintf(mappings[at].path, sizeof(mappings[at].path), "%s", path);
  Node* node = make_node(inode, 0);
  add_range(node, (Range){offset, offset + (off_t)size});
  pthread_mutex_unlock(&nodes_mutex);
}

EXPORT void* mmap(void* wanted, size_t size, int protection, int flags, int fd, off_t offset) {
  void* address = (void*)syscall(SYS_mmap, wanted, size, protection, flags, fd, offset);
  if (!active || address == MAP_FAILED || (flags & MAP_ANONYMOUS) || !(protection & PROT_WRITE)) return address;
  const int kind = flags & MAP_TYPE;
  struct stat found;
  char buffer[PATH_MAX];
  if ((kind != MAP_SHARED && kind != MAP_SHARED_VALIDATE) || !is_watched(fd, &found)) return address;
  const char* relative = path_in_root(fd, buffer, sizeof(buffer));
  if (relative == NULL) return address;
  remember_mapping(address, size, found.st_ino, offset, relative);
  note_mapped_file(relative);
  return address;
}

EXPORT int munmap(void* address, size_t size) {
  if (active) {
    pthread_mutex_lock(&nodes_mutex);
    for (int i = 0; i < kMaxMappings; ++i) {
      if (mappings[i].address == (char*)address) mappings[i].address = NULL;
    }
    pthread_mutex_unlock(&nodes_mutex);
  }
  return (int)syscall(SYS_munmap, address, size);
}

// Brings the mapped bytes to the image, from memory: see reader_of.
static void sync_mapping(const Mapping* mapping) {
  char real[PATH_MAX * 2];
  struct stat found;
  snprintf(real, sizeof(real), "%s/%s", root, mapping->path);
  if (stat(real, &found) != 0 || found.st_ino != mapping->inode) return;  // it has lost its name
  pthread_mutex_lock(&sync_mutex);
  const int to = open_inode_file(mapping->inode);
  const off_t inside = found.st_size - mapping->offset;
  const size_t size = inside < 0 ? 0 : inside < (off_t)mapping->size ? (size_t)inside : mapping->size;
  if (syscall(SYS_pwrite64, to, mapping->address, size, mapping->offset) < 0) fatal("write", mapping->path);
  if (syscall(SYS_ftruncate, to, found.st_size) != 0) fatal("size", mapping->path);
  syscall(SYS_close, to);
  link_in_image(mapping->inode, mapping->path);
  pthread_mutex_unlock(&sync_mutex);
}

static int find_mapping(const char* address, Mapping* found) {
  int known = 0;
  pthread_mutex_lock(&nodes_mutex);
  for (int i = 0; i < kMaxMappings; ++i) {
    const Mapping* mapping = &mappings[i];
    if (mapping->address == NULL || address < mapping->address || address >= mapping->address + mapping->size) continue;
    *found = *mapping;
    known = 1;
  }
  pthread_mutex_unlock(&nodes_mutex);
  return known;
}

EXPORT int msync(void* address, size_t size, int flags) {
  Mapping found;
  if (active && (flags & MS_SYNC) && find_mapping(address, &found)) {
    if (trouble() == kSyncError || trouble() == kWriteError) return errno = EIO, -1;
    sync_mapping(&found);
  }
  return (int)syscall(SYS_msync, address, size, flags);
}

// ---- the same functions under the names that programs with 64-bit offsets ask for
// -------------------------------------

_Static_assert(sizeof(off_t) == 8, "the forms with and without 64 are the same here");
#define SAME(name, other) EXPORT extern __typeof__(other) name __attribute__((alias(#other)))
SAME(open64, open);
SAME(openat64, openat);
SAME(creat64, creat);
SAME(__open64_2, __open_2);
SAME(__openat64_2, __openat_2);
SAME(pwrite64, pwrite);
SAME(pwritev64, pwritev);
SAME(pwritev64v2, pwritev2);
SAME(sendfile64, sendfile);
SAME(ftruncate64, ftruncate);
SAME(truncate64, truncate);
SAME(fallocate64, fallocate);
SAME(posix_fallocate64, posix_fallocate);
SAME(mmap64, mmap);
