#include "ws/frame_encoder.h"

#include <gtest/gtest.h>

#include <string>

#include "base/text.h"

namespace mooring::ws {
namespace {

constexpr MaskKey kKey{0x37, 0xFA, 0x21, 0x3D};

std::string hex(const std::uint8_t* data, std::size_t size) {
  return base::to_hex({data, size});
}

TEST(FrameEncoder, ServerHeaders) {
  struct Row {
    std::uint64_t payload_bytes;
    std::string expected;
  };
  for (const Row& row : {Row{0, "8200"}, Row{1, "8201"}, Row{125, "827d"}, Row{126, "827e007e"}, Row{65535, "827effff"},
                         Row{65536, "827f0000000000010000"}, Row{0x7FFFFFFFFFFFFFFF, "827f7fffffffffffffff"}}) {
    std::uint8_t out[kMaxServerHeaderBytes];
    const std::size_t size = encode_header(out, Opcode::kBinary, row.payload_bytes);
    EXPECT_EQ(hex(out, size), row.expected);
    EXPECT_EQ(size, header_bytes(row.payload_bytes));
  }
}

TEST(FrameEncoder, ClientHeaders) {
  for (const std::uint64_t payload_bytes : {0U, 125U, 126U, 65535U, 65536U}) {
    std::uint8_t out[kMaxClientHeaderBytes];
    std::uint8_t plain[kMaxServerHeaderBytes];
    const std::size_t size = encode_masked_header(out, Opcode::kBinary, payload_bytes, kKey);
    const std::size_t plain_size = encode_header(plain, Opcode::kBinary, payload_bytes);
    ASSERT_EQ(size, plain_size + 4);
    EXPECT_EQ(size, header_bytes(payload_bytes, true));
    EXPECT_EQ(out[1], plain[1] | 0x80);
    EXPECT_EQ(hex(out + 2, plain_size - 2), hex(plain + 2, plain_size - 2));
    EXPECT_EQ(hex(out + plain_size, 4), "37fa213d");
  }
}

TEST(FrameEncoder, Fragments) {
  std::uint8_t out[kMaxServerHeaderBytes];
  encode_header(out, Opcode::kText, 5, false);
  EXPECT_EQ(out[0], 0x01);
  encode_header(out, Opcode::kContinuation, 5, false);
  EXPECT_EQ(out[0], 0x00);
  encode_header(out, Opcode::kContinuation, 5);
  EXPECT_EQ(out[0], 0x80);
}

TEST(FrameEncoder, MaskOfEveryLengthOffsetAndAddress) {
  for (std::size_t size = 0; size < 40; ++size) {
    for (std::size_t offset = 0; offset < 5; ++offset) {
      for (std::size_t address = 0; address < 8; ++address) {
        base::Bytes block(address + size + 1, 0x5A);
        apply_mask({block.data() + address, size}, kKey, offset);
        for (std::size_t i = 0; i < size; ++i) {
          ASSERT_EQ(block[address + i], 0x5A ^ kKey[(offset + i) % 4]) << size << " " << offset << " " << address;
        }
        EXPECT_EQ(block[address + size], 0x5A) << "written behind the end";
      }
    }
  }
}

TEST(FrameEncoder, ExampleOfTheSpecification) {  // RFC 6455 section 5.7
  std::uint8_t out[kMaxControlFrameBytes];
  EXPECT_EQ(hex(out, encode_control(out, Opcode::kPing, base::as_bytes("Hello"))), "890548656c6c6f");
  EXPECT_EQ(hex(out, encode_control(out, Opcode::kPong, base::as_bytes("Hello"), kKey)), "8a8537fa213d7f9f4d5158");
}

TEST(FrameEncoder, Close) {
  std::uint8_t out[kMaxControlFrameBytes];
  EXPECT_EQ(hex(out, encode_close(out, CloseCode::kNormal, "")), "880203e8");
  EXPECT_EQ(hex(out, encode_close(out, CloseCode::kMessageTooBig, "big")), "880503f1626967");
  EXPECT_EQ(hex(out, encode_close(out, std::nullopt, "not sent")), "8800");
  EXPECT_EQ(hex(out, encode_close(out, std::optional<std::uint16_t>(4000), "")), "88020fa0");
  EXPECT_EQ(hex(out, encode_close(out, CloseCode::kNormal, "", kKey)), "888237fa213d3412");
}

TEST(FrameEncoder, CloseReasonIsCutBeforeACharacter) {
  std::uint8_t out[kMaxControlFrameBytes];
  EXPECT_EQ(encode_close(out, CloseCode::kNormal, std::string(200, 'x'), kKey), kMaxControlFrameBytes);
  const std::string euros = std::string(122, 'x') + "\xE2\x82\xAC";
  const std::size_t size = encode_close(out, CloseCode::kNormal, euros);
  EXPECT_EQ(size, 2U + 2 + 122);
  EXPECT_EQ(out[1], 124);
  const std::string exact = std::string(120, 'x') + "\xE2\x82\xAC";
  EXPECT_EQ(encode_close(out, CloseCode::kNormal, exact), 2U + 2 + 123);
}

TEST(FrameEncoderDeathTest, RefusesFramesThatNobodyMayRead) {
  std::uint8_t out[kMaxClientHeaderBytes];
  EXPECT_DEATH(encode_header(out, Opcode::kPing, 126), "");
  EXPECT_DEATH(encode_header(out, Opcode::kPing, 1, false), "");
  EXPECT_DEATH(encode_header(out, Opcode::kBinary, std::uint64_t{1} << 63), "");
  EXPECT_DEATH(encode_close(out, CloseCode::kNoStatus, ""), "");
}

}  // namespace
}  // namespace mooring::ws
