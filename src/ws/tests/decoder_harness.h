// Feeds a FrameDecoder a scripted byte stream in many cuts and writes down what comes out.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "ws/frame_decoder.h"

namespace mooring::ws::test {

inline std::string name_of(CloseCode code) {
  return std::to_string(to_number(code));
}

// One line per event; neighbouring pieces of a message are joined, so that the lines do not depend on the cuts.
class Recorder : public Events {
 public:
  void on_data(base::MutableBytes piece, bool text) override {
    EXPECT_FALSE(over_);
    EXPECT_FALSE(piece.empty());
    EXPECT_TRUE(pending_.empty() || pending_is_text_ == text);
    pending_.append(base::as_text(piece));
    pending_is_text_ = text;
    ++pieces_;
    last_piece_ = piece;
  }
  void on_message_end(bool text) override { line(text ? "end text" : "end binary"); }
  void on_ping(base::ByteView payload) override { line("ping " + std::string(base::as_text(payload))); }
  void on_pong(base::ByteView payload) override { line("pong " + std::string(base::as_text(payload))); }
  void on_close(std::optional<std::uint16_t> code, std::string_view reason) override {
    line("close " + (code ? std::to_string(*code) : "none") + " " + std::string(reason));
    over_ = true;
  }
  void on_error(CloseCode code, std::string_view why) override {
    EXPECT_FALSE(why.empty());
    line("error " + name_of(code));
    over_ = true;
  }

  std::vector<std::string> lines() {
    flush();
    return lines_;
  }
  std::size_t pieces() const { return pieces_; }
  base::MutableBytes last_piece() const { return last_piece_; }

 protected:
  void line(std::string text) {
    EXPECT_FALSE(over_) << text;
    flush();
    lines_.push_back(std::move(text));
  }

 private:
  void flush() {
    if (!pending_.empty()) lines_.push_back((pending_is_text_ ? "text " : "binary ") + pending_);
    pending_.clear();
  }

  std::vector<std::string> lines_;
  std::string pending_;
  bool pending_is_text_ = false;
  bool over_ = false;
  std::size_t pieces_ = 0;
  base::MutableBytes last_piece_;
};

// A frame as the test wants it on the wire, right or wrong. Written by hand on purpose, not with our encoder.
struct Frame {
  std::uint8_t first_byte = 0x82;
  std::string payload = {};
  int length_bits = 0;                               // 7, 16 or 64; 0: the shortest
  std::optional<std::uint64_t> declared_bytes = {};  // instead of the payload's size
  bool wrong_mask = false;                           // masked where it must not be, and the other way round
};

inline void append_number(std::string& out, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i) & 0xFF));
}

inline std::string to_wire(const Frame& frame, Role receiver, std::uint32_t mask_seed) {
  const bool masked = (receiver == Role::kServer) != frame.wrong_mask;
  const std::uint64_t size = frame.declared_bytes.value_or(frame.payload.size());
  const int shortest = size < 126 ? 7 : size <= 0xFFFF ? 16 : 64;
  const int bits = frame.length_bits != 0 ? frame.length_bits : shortest;
  std::string out(1, static_cast<char>(frame.first_byte));
  append_number(out, (masked ? 0x80U : 0U) | (bits == 7 ? size : bits == 16 ? 126U : 127U), 1);
  if (bits != 7) append_number(out, size, bits / 8);
  if (!masked) return out + frame.payload;
  std::string key;
  append_number(key, mask_seed, 4);
  out += key;
  for (std::size_t i = 0; i < frame.payload.size(); ++i) {
    out.push_back(static_cast<char>(frame.payload[i] ^ key[i % 4]));
  }
  return out;
}

inline std::string to_wire(const std::vector<Frame>& frames, Role receiver) {
  std::string out;
  std::uint32_t mask_seed = 0x37FA213D;
  for (const Frame& frame : frames) {
    out += to_wire(frame, receiver, mask_seed);
    mask_seed = mask_seed * 1664525 + 1013904223;
  }
  return out;
}

// Feeds `wire` in pieces that end at `cuts` (ascending). Each piece is a heap block of its own, so that the sanitizers
// see every step outside.
inline std::vector<std::string> decode(const FrameDecoder::Options& options, std::string_view wire,
                                       const std::vector<std::size_t>& cuts) {
  FrameDecoder decoder(options);
  Recorder recorder;
  std::size_t from = 0;
  const auto feed = [&](std::size_t to) {
    base::Bytes piece(wire.begin() + static_cast<std::ptrdiff_t>(from), wire.begin() + static_cast<std::ptrdiff_t>(to));
    EXPECT_EQ(decoder.receive(piece, recorder), piece.size());
    from = to;
  };
  for (const std::size_t cut : cuts) feed(cut);
  feed(wire.size());
  return recorder.lines();
}

inline std::vector<std::size_t> random_cuts(std::size_t size, std::mt19937& random) {
  std::vector<std::size_t> cuts(std::uniform_int_distribution<std::size_t>(1, 12)(random));
  for (std::size_t& cut : cuts) cut = std::uniform_int_distribution<std::size_t>(0, size)(random);
  std::sort(cuts.begin(), cuts.end());
  return cuts;
}

// The stream at once, a byte at a time, in two parts at every place and in random cuts: always the same lines.
inline void expect_lines(const FrameDecoder::Options& options, std::string_view wire,
                         const std::vector<std::string>& expected) {
  ASSERT_EQ(decode(options, wire, {}), expected);
  std::vector<std::size_t> everywhere(wire.size());
  for (std::size_t i = 0; i < wire.size(); ++i) everywhere[i] = i;
  ASSERT_EQ(decode(options, wire, everywhere), expected) << "a byte at a time";
  for (std::size_t i = 0; wire.size() <= 600 && i < wire.size(); ++i) {
    ASSERT_EQ(decode(options, wire, {i}), expected) << "cut at " << i;
  }
  constexpr unsigned kSeed = 20260;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 30; ++round) {
    ASSERT_EQ(decode(options, wire, random_cuts(wire.size(), random)), expected) << "random cuts, round " << round;
  }
}

}  // namespace mooring::ws::test
