// Packs a folder into one file that the program embeds: each file as it is and compressed, so that serving it costs
// nothing.
//
//   pack_files FOLDER OUTPUT
//
// The output begins with a line for each file, "PATH ETAG SIZE COMPRESSED_SIZE", sorted, then an empty line, then the
// contents in that order, each plain and compressed (0: compressing gains nothing). No folder: no files.
#include <zlib.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string compressed(std::string plain) {
  z_stream stream{};
  constexpr int kGzip = 15 + 16;
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kGzip, 9, Z_DEFAULT_STRATEGY) != Z_OK) return {};
  std::string out(deflateBound(&stream, static_cast<uLong>(plain.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(plain.data());
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int done = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return done == Z_STREAM_END && out.size() < plain.size() ? out : std::string();
}

std::string etag(const std::string& plain) {
  const auto sum = crc32(0, reinterpret_cast<const Bytef*>(plain.data()), static_cast<uInt>(plain.size()));
  char text[32];
  std::snprintf(text, sizeof text, "%08lx-%zx", sum, plain.size());
  return text;
}

int pack(const fs::path& folder, const fs::path& output) {
  std::vector<fs::path> files;
  if (fs::is_directory(folder)) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      const bool hidden = entry.path().filename().native().starts_with('.');
      if (entry.is_regular_file() && !hidden) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::string head, contents;
  for (const fs::path& file : files) {
    const std::string name = file.lexically_relative(folder).generic_string();
    if (name.find_first_of(" \n") != std::string::npos) {
      std::fprintf(stderr, "pack_files: a blank in the name '%s'\n", name.c_str());
      return 1;
    }
    const std::string plain = read(file), small = compressed(plain);
    head += name + ' ' + etag(plain) + ' ' + std::to_string(plain.size()) + ' ' + std::to_string(small.size()) + '\n';
    contents += plain + small;
  }
  std::ofstream out(output, std::ios::binary);
  out << head << '\n' << contents;
  out.close();
  return out ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "pack_files FOLDER OUTPUT\n");
    return 2;
  }
  return pack(argv[1], argv[2]);
}
