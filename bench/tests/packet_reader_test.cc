#include "../load/packet_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mooring::bench {
namespace {

struct Recorder {
  std::vector<std::string> seen;
  bool is_closed = false;

  static std::string text(base::ByteView bytes) { return {bytes.begin(), bytes.end()}; }
  void on_packet(std::uint8_t first_byte, base::ByteView body) {
    seen.push_back(std::to_string(first_byte) + ":" + text(body));
  }
  void on_ping(base::ByteView payload) { seen.push_back("ping:" + text(payload)); }
  void on_close() { seen.emplace_back("close"); }
  void on_violation(std::string_view) {
    seen.emplace_back("violation");
    is_closed = true;
  }
  bool closed() const { return is_closed; }
};

base::Bytes packet(std::uint8_t first_byte, std::size_t body_bytes) {
  base::Bytes out{first_byte};
  for (std::size_t left = body_bytes;; left >>= 7) {
    out.push_back(static_cast<std::uint8_t>((left & 0x7F) | (left > 0x7F ? 0x80 : 0)));
    if (left <= 0x7F) break;
  }
  out.insert(out.end(), body_bytes, 'x');
  return out;
}

void frame(base::Bytes& out, std::uint8_t first_byte, base::ByteView payload) {
  out.push_back(first_byte);
  if (payload.size() < 126) {
    out.push_back(static_cast<std::uint8_t>(payload.size()));
  } else {
    out.push_back(126);
    out.push_back(static_cast<std::uint8_t>(payload.size() >> 8));
    out.push_back(static_cast<std::uint8_t>(payload.size() & 0xFF));
  }
  out.insert(out.end(), payload.begin(), payload.end());
}

// Two packets, the second one spread over a binary frame, a ping in between, and a continuation.
base::Bytes conversation() {
  base::Bytes packets = packet(0x30, 5);
  const base::Bytes second = packet(0x32, 300);
  packets.insert(packets.end(), second.begin(), second.end());
  base::Bytes out;
  const base::ByteView all(packets);
  frame(out, 0x02, all.first(100));
  frame(out, 0x89, base::as_bytes("hi"));
  frame(out, 0x80, all.subspan(100));
  frame(out, 0x89, {});
  frame(out, 0x88, {});
  return out;
}

TEST(PacketReader, FindsPacketsHoweverTheStreamIsCut) {
  const base::Bytes stream = conversation();
  const std::vector<std::string> expected{"48:xxxxx", "ping:hi", "50:" + std::string(300, 'x'), "ping:", "close"};
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    PacketReader reader(true);
    Recorder recorder;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      reader.receive(base::ByteView(stream).subspan(at, std::min(piece, stream.size() - at)), recorder);
    }
    EXPECT_EQ(recorder.seen, expected) << "pieces of " << piece;
  }
}

TEST(PacketReader, PlainStreamsTooHoweverTheyAreCut) {
  base::Bytes stream = packet(0x20, 2);
  const base::Bytes second = packet(0x30, 20'000);
  stream.insert(stream.end(), second.begin(), second.end());
  for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{4'097}, stream.size()}) {
    PacketReader reader(false);
    Recorder recorder;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      reader.receive(base::ByteView(stream).subspan(at, std::min(piece, stream.size() - at)), recorder);
    }
    ASSERT_EQ(recorder.seen.size(), 2U) << "pieces of " << piece;
    EXPECT_EQ(recorder.seen[1].size(), 20'003U);
  }
}

TEST(PacketReader, NoticesWhatNoServerMaySend) {
  for (const base::Bytes& bytes :
       {base::Bytes{0x82, 0x81, 1, 2, 3, 4, 5}, base::Bytes{0xC2, 1, 'x'}, base::Bytes{0x81, 1, 'x'},
        base::Bytes{0x89, 126, 0, 200}, base::Bytes{0x82, 6, 0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1}}) {
    PacketReader reader(true);
    Recorder recorder;
    reader.receive(bytes, recorder);
    EXPECT_EQ(recorder.seen, std::vector<std::string>{"violation"});
  }
}

}  // namespace
}  // namespace mooring::bench
