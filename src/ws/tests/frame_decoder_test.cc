#include "ws/frame_decoder.h"

#include <gtest/gtest.h>

#include "ws/frame_encoder.h"
#include "ws/tests/decoder_harness.h"

namespace mooring::ws::test {
namespace {

constexpr std::uint8_t kText = 0x81, kBinary = 0x82, kClose = 0x88, kPing = 0x89, kPong = 0x8A;
constexpr std::uint8_t kTextStart = 0x01, kBinaryStart = 0x02, kMore = 0x00, kLast = 0x80;

FrameDecoder::Options text_options(Role role) {
  FrameDecoder::Options options;
  options.role = role;
  options.accept_text = true;
  return options;
}

// One case of the conformance tables: what goes in and which events come out, in both roles.
struct Case {
  std::string name;
  std::vector<Frame> frames;
  std::vector<std::string> expected;
};

void run(const std::vector<Case>& cases, const FrameDecoder::Options& base_options = text_options(Role::kServer)) {
  for (const Case& c : cases) {
    for (const Role role : {Role::kServer, Role::kClient}) {
      SCOPED_TRACE(c.name + (role == Role::kServer ? ", server" : ", client"));
      FrameDecoder::Options options = base_options;
      options.role = role;
      expect_lines(options, to_wire(c.frames, role), c.expected);
    }
  }
}

std::string close_payload(std::uint16_t code, std::string_view reason = {}) {
  std::string out;
  append_number(out, code, 2);
  return out.append(reason);
}

// ---- 1 framing ------------------------------------------------------------------------------------------------------

TEST(FrameDecoderFraming, PayloadsOfEverySizeClass) {
  std::vector<Case> cases;
  for (const std::size_t size : {1U, 2U, 7U, 8U, 9U, 124U, 125U, 126U, 127U, 128U, 65535U, 65536U, 70001U}) {
    const std::string payload(size, '*');
    cases.push_back({"text of " + std::to_string(size), {{kText, payload}}, {"text " + payload, "end text"}});
    const std::string bytes(size, '\xFE');
    cases.push_back({"binary of " + std::to_string(size), {{kBinary, bytes}}, {"binary " + bytes, "end binary"}});
  }
  run(cases);
}

TEST(FrameDecoderFraming, EmptyMessages) {
  run({{"text", {{kText, ""}}, {"end text"}},
       {"binary", {{kBinary, ""}}, {"end binary"}},
       {"both, then a full one",
        {{kText, ""}, {kBinary, ""}, {kBinary, "x"}},
        {"end text", "end binary", "binary x", "end binary"}}});
}

TEST(FrameDecoderFraming, ManyFramesInOneRead) {
  run({{"three",
        {{kBinary, "one"}, {kText, "two"}, {kBinary, "three"}},
        {"binary one", "end binary", "text two", "end text", "binary three", "end binary"}}});
}

TEST(FrameDecoderFraming, ExampleOfTheSpecification) {  // RFC 6455 section 5.7
  const std::string masked = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
  expect_lines(text_options(Role::kServer), masked, {"text Hello", "end text"});
  expect_lines(text_options(Role::kClient), "\x81\x05Hello", {"text Hello", "end text"});
}

TEST(FrameDecoderFraming, LengthHasToBeMinimal) {
  std::vector<Case> cases;
  for (const std::size_t size : {0U, 1U, 125U}) {
    cases.push_back({"16 bits for " + std::to_string(size), {{kBinary, std::string(size, 'x'), 16}}, {"error 1002"}});
  }
  for (const std::size_t size : {0U, 125U, 126U, 65535U}) {
    cases.push_back({"64 bits for " + std::to_string(size), {{kBinary, std::string(size, 'x'), 64}}, {"error 1002"}});
  }
  run(cases);
}

TEST(FrameDecoderFraming, LengthHasSixtyThreeBits) {
  run({{"highest bit", {{kBinary, "", 64, std::uint64_t{1} << 63}}, {"error 1002"}},
       {"all bits", {{kBinary, "", 64, ~std::uint64_t{0}}}, {"error 1002"}},
       {"largest, payload only begun", {{kBinary, "abc", 64, ~std::uint64_t{0} >> 1}}, {"binary abc"}}});
}

TEST(FrameDecoderFraming, MaskRule) {
  run({{"data", {{kBinary, "hello", 0, {}, true}}, {"error 1002"}},
       {"empty data", {{kBinary, "", 0, {}, true}}, {"error 1002"}},
       {"ping", {{kPing, "hello", 0, {}, true}}, {"error 1002"}},
       {"close", {{kClose, close_payload(1000), 0, {}, true}}, {"error 1002"}},
       {"after a good one", {{kBinary, "a"}, {kBinary, "b", 0, {}, true}}, {"binary a", "end binary", "error 1002"}}});
}

// ---- 2 pings and pongs ----------------------------------------------------------------------------------------------

TEST(FrameDecoderPing, PayloadsUpTo125) {
  const std::string most(125, '\xFE');
  run({{"empty", {{kPing, ""}}, {"ping "}},
       {"short", {{kPing, "Hello, world!"}}, {"ping Hello, world!"}},
       {"binary", {{kPing, std::string("\x00\xFF\xFE\xFD", 4)}}, {"ping " + std::string("\x00\xFF\xFE\xFD", 4)}},
       {"125", {{kPing, most}}, {"ping " + most}},
       {"pong unasked", {{kPong, "x"}}, {"pong x"}},
       {"pong, ping", {{kPong, "x"}, {kPing, "y"}}, {"pong x", "ping y"}}});
}

TEST(FrameDecoderPing, LongerIsAnError) {
  const std::string payload(126, 'x');
  run({{"ping of 126", {{kPing, payload}}, {"error 1002"}},
       {"pong of 126", {{kPong, payload}}, {"error 1002"}},
       {"close of 126", {{kClose, payload}}, {"error 1002"}},
       {"64 bits", {{kPing, std::string(3, 'x'), 64}}, {"error 1002"}},
       {"16 bits", {{kPing, std::string(3, 'x'), 16}}, {"error 1002"}}});
}

TEST(FrameDecoderPing, TenInARow) {
  std::vector<Frame> frames;
  std::vector<std::string> expected;
  for (int i = 0; i < 10; ++i) {
    frames.push_back({kPing, "payload-" + std::to_string(i)});
    expected.push_back("ping payload-" + std::to_string(i));
  }
  run({{"ten", frames, expected}});
}

// ---- 3 reserved bits ------------------------------------------------------------------------------------------------

TEST(FrameDecoderReservedBits, AnyIsAnError) {
  std::vector<Case> cases;
  for (int rsv = 1; rsv < 8; ++rsv) {
    for (const std::uint8_t first : {kText, kBinary, kPing, kPong, kClose}) {
      const auto byte = static_cast<std::uint8_t>(first | rsv << 4);
      cases.push_back({"first byte " + std::to_string(byte),
                       {{kBinary, "good"}, {byte, "bad"}, {kPing, "never seen"}},
                       {"binary good", "end binary", "error 1002"}});
    }
  }
  run(cases);
}

// ---- 4 opcodes ------------------------------------------------------------------------------------------------------

TEST(FrameDecoderOpcodes, ReservedIsAnError) {
  std::vector<Case> cases;
  for (const int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
    for (const int fin : {0x00, 0x80}) {
      const auto byte = static_cast<std::uint8_t>(fin | opcode);
      cases.push_back({"alone " + std::to_string(byte), {{byte, ""}}, {"error 1002"}});
      cases.push_back({"with payload, after data " + std::to_string(byte),
                       {{kText, "ok"}, {byte, "payload"}, {kPing, ""}},
                       {"text ok", "end text", "error 1002"}});
      cases.push_back({"inside a message " + std::to_string(byte),
                       {{kTextStart, "ok"}, {byte, "payload"}},
                       {"text ok", "error 1002"}});
    }
  }
  run(cases);
}

TEST(FrameDecoderOpcodes, TextRefusedWhereOnlyBinaryIsAllowed) {
  FrameDecoder::Options options;  // as MQTT wants it
  run({{"text", {{kText, "hello"}}, {"error 1003"}},
       {"empty text", {{kText, ""}}, {"error 1003"}},
       {"start of a text", {{kTextStart, "hel"}}, {"error 1003"}},
       {"after binary", {{kBinary, "a"}, {kText, "b"}}, {"binary a", "end binary", "error 1003"}},
       {"inside a binary message is the other error", {{kBinaryStart, "a"}, {kText, "b"}}, {"binary a", "error 1002"}},
       {"binary need not be UTF-8", {{kBinary, "\xFF\xC0"}}, {"binary \xFF\xC0", "end binary"}}},
      options);
}

// ---- 5 fragmentation ------------------------------------------------------------------------------------------------

TEST(FrameDecoderFragmentation, MessagesInPieces) {
  run({{"two", {{kTextStart, "frag1"}, {kLast, "frag2"}}, {"text frag1frag2", "end text"}},
       {"three binary", {{kBinaryStart, "a"}, {kMore, "b"}, {kLast, "c"}}, {"binary abc", "end binary"}},
       {"empty ones", {{kTextStart, ""}, {kMore, ""}, {kLast, ""}}, {"end text"}},
       {"empty at both ends", {{kTextStart, ""}, {kMore, "middle"}, {kLast, ""}}, {"text middle", "end text"}},
       {"two messages",
        {{kBinaryStart, "a"}, {kLast, "b"}, {kTextStart, "c"}, {kLast, "d"}},
        {"binary ab", "end binary", "text cd", "end text"}}});
}

TEST(FrameDecoderFragmentation, ControlFramesInBetween) {
  run({{"ping", {{kTextStart, "a"}, {kPing, "p"}, {kLast, "b"}}, {"text a", "ping p", "text b", "end text"}},
       {"every kind after every fragment",
        {{kBinaryStart, "a"}, {kPing, ""}, {kMore, "b"}, {kPong, "q"}, {kMore, "c"}, {kClose, close_payload(1000)}},
        {"binary a", "ping ", "binary b", "pong q", "binary c", "close 1000 "}}});
}

TEST(FrameDecoderFragmentation, ControlFramesAreNotFragmented) {
  for (const std::uint8_t opcode : std::initializer_list<std::uint8_t>{0x08, 0x09, 0x0A}) {
    run({{"opcode " + std::to_string(opcode), {{opcode, "a"}, {kLast, "b"}}, {"error 1002"}}});
  }
}

TEST(FrameDecoderFragmentation, OutOfOrder) {
  run({{"continuation first", {{kMore, "a"}, {kLast, "b"}}, {"error 1002"}},
       {"final continuation first", {{kLast, "a"}}, {"error 1002"}},
       {"continuation after the end",
        {{kTextStart, "a"}, {kLast, "b"}, {kLast, "c"}},
        {"text ab", "end text", "error 1002"}},
       {"continuation after a whole message", {{kBinary, "a"}, {kMore, "b"}}, {"binary a", "end binary", "error 1002"}},
       {"new text inside", {{kTextStart, "a"}, {kText, "b"}}, {"text a", "error 1002"}},
       {"new binary inside", {{kTextStart, "a"}, {kBinary, "b"}}, {"text a", "error 1002"}},
       {"new start inside", {{kBinaryStart, "a"}, {kBinaryStart, "b"}}, {"binary a", "error 1002"}},
       {"inside an empty start", {{kBinaryStart, ""}, {kBinary, "b"}}, {"error 1002"}}});
}

// ---- 6 UTF-8 --------------------------------------------------------------------------------------------------------

TEST(FrameDecoderUtf8, ValidText) {
  std::vector<Case> cases;
  for (const std::string text :
       {"Hello-\xC2\xB5@\xC3\x9F\xC3\xB6\xC3\xA4\xC3\xBC\xC3\xA0\xC3\xA1-UTF-8!!",
        "\xCE\xBA\xCF\x8C\xCF\x83\xCE\xBC\xCE\xB5", "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF",
        "\xED\x9F\xBF", "\xEE\x80\x80", "\xE0\xA0\x80", "\x7F", "\xC2\x80", "\xEF\xBF\xBD", "\xEF\xBB\xBF"}) {
    cases.push_back({text, {{kText, text}}, {"text " + text, "end text"}});
    std::vector<Frame> by_byte{{kTextStart, ""}};
    for (const char c : text) by_byte.push_back({kMore, std::string(1, c)});
    by_byte.push_back({kLast, ""});
    cases.push_back({text + " in fragments of a byte", by_byte, {"text " + text, "end text"}});
  }
  run(cases);
}

TEST(FrameDecoderUtf8, InvalidTextFailsAtTheFirstBadByte) {
  struct Bad {
    std::string good, rest;
  };
  std::vector<Case> cases;
  for (const Bad& bad : std::vector<Bad>{{"\xCE\xBA\xCF\x8C\xCF\x83\xCE\xBC\xCE\xB5\xED",
                                          "\xA0\x80"
                                          "edited"},
                                         {"ab", "\x80"},
                                         {"", "\xBF"},
                                         {"", "\xC0\xAF"},
                                         {"x", "\xC1\xBF"},
                                         {"\xE0", "\x9F\xBF"},
                                         {"\xF0", "\x8F\xBF\xBF"},
                                         {"\xF4", "\x90\x80\x80"},
                                         {"", "\xF5\x80\x80\x80"},
                                         {"", "\xF8\x88\x80\x80\x80"},
                                         {"", "\xFE"},
                                         {"", "\xFF"},
                                         {"\xC3", "("},
                                         {"\xE2\x82", "("},
                                         {"\xF0\x9F\x98", "("},
                                         {"12345678",
                                          "\xFF"
                                          "12345678"}}) {
    std::vector<std::string> expected{"error 1007"};
    if (!bad.good.empty()) expected.insert(expected.begin(), "text " + bad.good);
    cases.push_back({bad.good + bad.rest, {{kText, bad.good + bad.rest}}, expected});
    cases.push_back({"in fragments: " + bad.good + bad.rest, {{kTextStart, bad.good}, {kLast, bad.rest}}, expected});
  }
  run(cases);
}

TEST(FrameDecoderUtf8, FailsBeforeTheFrameIsComplete) {
  run({{"bad byte early in a long frame", {{kText, "ok\xFF", 0, 100000}}, {"text ok", "error 1007"}}});
}

TEST(FrameDecoderUtf8, TextThatEndsWithinACharacter) {
  run({{"two bytes", {{kText, "a\xC3"}}, {"text a\xC3", "error 1007"}},
       {"three bytes", {{kTextStart, "\xE2"}, {kLast, "\x82"}}, {"text \xE2\x82", "error 1007"}},
       {"four bytes, empty last", {{kTextStart, "\xF0\x9F\x98"}, {kLast, ""}}, {"text \xF0\x9F\x98", "error 1007"}}});
}

TEST(FrameDecoderUtf8, PingInsideACharacter) {
  run({{"split euro",
        {{kTextStart, "\xE2\x82"}, {kPing, "\xFF"}, {kLast, "\xAC"}},
        {"text \xE2\x82", "ping \xFF", "text \xAC", "end text"}}});
}

// ---- 7 close --------------------------------------------------------------------------------------------------------

TEST(FrameDecoderClose, CodeAndReason) {
  const std::string longest(123, '*');
  run({{"empty", {{kClose, ""}}, {"close none "}},
       {"code alone", {{kClose, close_payload(1000)}}, {"close 1000 "}},
       {"with reason", {{kClose, close_payload(1001, "Hello World!")}}, {"close 1001 Hello World!"}},
       {"longest reason", {{kClose, close_payload(1000, longest)}}, {"close 1000 " + longest}},
       {"reason of 124", {{kClose, close_payload(1000, longest + "*")}}, {"error 1002"}},
       {"half a code", {{kClose, "\x03"}}, {"error 1002"}},
       {"reason not UTF-8", {{kClose, close_payload(1000, "\xCE\xBA\xED\xA0\x80")}}, {"error 1007"}},
       {"reason cut within a character", {{kClose, close_payload(1000, "a\xC3")}}, {"error 1007"}}});
}

TEST(FrameDecoderClose, Codes) {
  std::vector<Case> cases;
  for (const int code :
       {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999}) {
    cases.push_back({std::to_string(code),
                     {{kClose, close_payload(static_cast<std::uint16_t>(code))}},
                     {"close " + std::to_string(code) + " "}});
  }
  for (const int code : {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535}) {
    cases.push_back(
        {std::to_string(code), {{kClose, close_payload(static_cast<std::uint16_t>(code))}}, {"error 1002"}});
  }
  run(cases);
}

TEST(FrameDecoderClose, NothingAfterIt) {
  run({{"data", {{kClose, ""}, {kText, "x"}}, {"close none "}},
       {"ping", {{kClose, close_payload(1000)}, {kPing, "x"}}, {"close 1000 "}},
       {"second close", {{kClose, ""}, {kClose, ""}}, {"close none "}},
       {"garbage", {{kClose, ""}, {0xFF, "x"}}, {"close none "}},
       {"after an error", {{0xFF, "x"}, {kClose, ""}, {kText, "x"}}, {"error 1002"}}});
}

// ---- 9 limits -------------------------------------------------------------------------------------------------------

TEST(FrameDecoderLimits, FrameCheckedAtItsHeader) {
  FrameDecoder::Options options;
  options.max_frame_bytes = 1000;
  run({{"at the limit", {{kBinary, std::string(1000, 'x')}}, {"binary " + std::string(1000, 'x'), "end binary"}},
       {"above, no payload sent", {{kBinary, "", 0, 1001}}, {"error 1009"}},
       {"far above", {{kBinary, "", 0, std::uint64_t{1} << 62}}, {"error 1009"}},
       {"fragments each below",
        {{kBinaryStart, std::string(900, 'x')}, {kLast, std::string(900, 'x')}},
        {"binary " + std::string(1800, 'x'), "end binary"}}},
      options);
}

// Whole messages of one frame are taken in one go; next to one that is not, and at the limits, they are nothing else.
TEST(FrameDecoderLimits, WholeMessagesAmongOthers) {
  for (const std::size_t size : {1U, 124U, 125U, 126U, 127U, 300U}) {
    const std::string payload(size, '\x7F');
    const std::string line = "binary " + payload;
    FrameDecoder::Options options = text_options(Role::kServer);
    options.max_frame_bytes = size;
    run({{"whole", {{kBinary, payload}, {kBinary, payload}}, {line, "end binary", line, "end binary"}},
         {"one byte too many", {{kBinary, payload}, {kBinary, payload + "x"}}, {line, "end binary", "error 1009"}},
         {"a message begun before", {{kBinaryStart, "a"}, {kBinary, payload}}, {"binary a", "error 1002"}},
         {"behind fragments",
          {{kBinaryStart, payload}, {kPing, "p"}, {kLast, payload}, {kBinary, payload}},
          {line, "ping p", line, "end binary", line, "end binary"}},
         {"a length too long", {{kBinary, payload, size < 126 ? 16 : 64}}, {"error 1002"}},
         {"unmasked", {{kBinary, payload, 0, {}, true}}, {"error 1002"}}},
        options);
    options.max_frame_bytes = 1000;
    options.max_message_bytes = size - 1;
    run({{"message limit", {{kBinary, payload}}, {"error 1009"}}}, options);
  }
}

TEST(FrameDecoderLimits, MessageCountsItsFragments) {
  FrameDecoder::Options options;
  options.max_message_bytes = 10;
  run({{"at the limit", {{kBinaryStart, "12345"}, {kLast, "67890"}}, {"binary 1234567890", "end binary"}},
       {"above in one", {{kBinary, "", 0, 11}}, {"error 1009"}},
       {"above together",
        {{kBinaryStart, "12345"}, {kPing, "123456789012"}, {kLast, "", 0, 6}},
        {"binary 12345", "ping 123456789012", "error 1009"}},
       {"sum beyond 64 bits",
        {{kBinaryStart, "12345"}, {kLast, "", 0, ~std::uint64_t{0} >> 1}},
        {"binary 12345", "error 1009"}},
       {"starts anew with each message",
        {{kBinary, "1234567890"}, {kBinary, "1234567890"}},
        {"binary 1234567890", "end binary", "binary 1234567890", "end binary"}}},
      options);
}

TEST(FrameDecoderLimits, ZeroAllowsOnlyEmptyMessages) {
  FrameDecoder::Options options;
  options.max_message_bytes = 0;
  run({{"empty", {{kBinary, ""}}, {"end binary"}}, {"one byte", {{kBinary, "x"}}, {"error 1009"}}}, options);
}

TEST(FrameDecoderLimits, EmptyFragmentsInARow) {
  FrameDecoder::Options options;
  options.max_empty_fragments = 2;
  run({{"as many as allowed", {{kBinaryStart, ""}, {kMore, ""}, {kLast, ""}}, {"end binary"}},
       {"one more", {{kBinaryStart, ""}, {kMore, ""}, {kMore, ""}, {kLast, "x"}}, {"error 1008"}},
       {"pings do not excuse them",
        {{kBinaryStart, ""}, {kMore, ""}, {kPing, ""}, {kMore, ""}},
        {"ping ", "error 1008"}},
       {"payload does",
        {{kBinaryStart, ""}, {kMore, ""}, {kMore, "x"}, {kMore, ""}, {kMore, ""}, {kLast, "y"}},
        {"binary xy", "end binary"}},
       {"so does the end",
        {{kBinaryStart, ""}, {kMore, ""}, {kLast, ""}, {kBinaryStart, ""}, {kMore, ""}, {kLast, ""}},
        {"end binary", "end binary"}}},
      options);
}

// ---- the object itself ----------------------------------------------------------------------------------------------

base::Bytes bytes_of(std::string_view text) {
  return {text.begin(), text.end()};
}

TEST(FrameDecoder, HandsPayloadOnWhereItLies) {
  base::Bytes wire = bytes_of(to_wire({{kBinary, "payload"}}, Role::kServer));
  FrameDecoder decoder({});
  Recorder recorder;
  decoder.receive(wire, recorder);
  EXPECT_EQ(recorder.last_piece().data(), wire.data() + 6);
  EXPECT_EQ(recorder.pieces(), 1U);
}

TEST(FrameDecoder, MaskKeepsStepOverEveryCutAndAddress) {
  std::string payload;
  for (int i = 0; i < 61; ++i) payload.push_back(static_cast<char>(i * 7));
  const std::string wire = to_wire({{kBinary, payload}}, Role::kServer);
  for (std::size_t shift = 0; shift < 9; ++shift) {
    for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
      base::Bytes shifted(shift, 0xAA);
      shifted.insert(shifted.end(), wire.begin(), wire.end());
      const base::MutableBytes all = base::MutableBytes(shifted).subspan(shift);
      FrameDecoder decoder({});
      Recorder recorder;
      decoder.receive(all.first(cut), recorder);
      decoder.receive(all.subspan(cut), recorder);
      ASSERT_EQ(recorder.lines(), (std::vector<std::string>{"binary " + payload, "end binary"}));
    }
  }
}

// Pauses in every event.
class PausingRecorder : public Recorder {
 public:
  explicit PausingRecorder(FrameDecoder& decoder) : decoder_(decoder) {}
  void on_data(base::MutableBytes piece, bool text) override {
    Recorder::on_data(piece, text);
    decoder_.pause();
  }
  void on_message_end(bool text) override {
    Recorder::on_message_end(text);
    decoder_.pause();
  }
  void on_ping(base::ByteView payload) override {
    Recorder::on_ping(payload);
    decoder_.pause();
  }

 private:
  FrameDecoder& decoder_;
};

TEST(FrameDecoder, PauseReturnsAfterThePieceAndResumeGoesOn) {
  base::Bytes wire =
      bytes_of(to_wire({{kBinary, "one"}, {kPing, "two"}, {kBinary, ""}, {kBinary, "four"}}, Role::kServer));
  FrameDecoder decoder({});
  PausingRecorder recorder(decoder);
  base::MutableBytes rest = wire;
  const auto step = [&](std::size_t expected_bytes) {
    EXPECT_EQ(decoder.receive(rest, recorder), expected_bytes);
    rest = rest.subspan(expected_bytes);
    EXPECT_TRUE(decoder.paused());
    EXPECT_EQ(decoder.receive(rest, recorder), 0U) << "takes nothing while paused";
    decoder.resume();
  };
  step(9);
  EXPECT_EQ(recorder.lines(), (std::vector<std::string>{"binary one", "end binary"}));
  step(9);
  EXPECT_EQ(recorder.lines().back(), "ping two");
  step(6);
  EXPECT_EQ(recorder.lines().back(), "end binary");
  step(10);
  EXPECT_EQ(recorder.lines(), (std::vector<std::string>{"binary one", "end binary", "ping two", "end binary",
                                                        "binary four", "end binary"}));
  EXPECT_TRUE(rest.empty());
}

TEST(FrameDecoder, PauseDoesNotHideAnErrorInThePiece) {
  base::Bytes wire = bytes_of(to_wire({{kText,
                                        "ok\xFF"
                                        "more"}},
                                      Role::kServer));
  FrameDecoder decoder(text_options(Role::kServer));
  PausingRecorder recorder(decoder);
  EXPECT_EQ(decoder.receive(wire, recorder), wire.size());
  EXPECT_EQ(recorder.lines(), (std::vector<std::string>{"text ok", "error 1007"}));
  EXPECT_TRUE(decoder.finished());
}

class StoppingRecorder : public Recorder {
 public:
  explicit StoppingRecorder(FrameDecoder& decoder) : decoder_(decoder) {}
  void on_data(base::MutableBytes piece, bool text) override {
    Recorder::on_data(piece, text);
    decoder_.stop();
  }

 private:
  FrameDecoder& decoder_;
};

TEST(FrameDecoder, NothingFollowsStop) {
  for (const auto& [first_byte, payload] : {std::pair(kText, "ok"), {kText, "ok\xFF"}, {kBinary, "ok"}}) {
    base::Bytes wire = bytes_of(to_wire({{first_byte, payload}, {kPing, "x"}}, Role::kServer));
    FrameDecoder decoder(text_options(Role::kServer));
    StoppingRecorder recorder(decoder);
    EXPECT_EQ(decoder.receive(wire, recorder), wire.size());
    EXPECT_EQ(recorder.lines(), (std::vector<std::string>{first_byte == kText ? "text ok" : "binary ok"}));
    EXPECT_TRUE(decoder.finished());
  }
}

TEST(FrameDecoder, StopWithinAControlFrameThatIsCutInTwo) {
  base::Bytes wire = bytes_of(to_wire({{kPing, "payload"}}, Role::kServer));
  FrameDecoder decoder({});
  Recorder recorder;
  decoder.receive(base::MutableBytes(wire).first(9), recorder);
  decoder.stop();
  EXPECT_EQ(decoder.receive(base::MutableBytes(wire).subspan(9), recorder), wire.size() - 9);
  EXPECT_TRUE(recorder.lines().empty());
}

TEST(FrameDecoder, EmptyInputChangesNothing) {
  FrameDecoder decoder({});
  Recorder recorder;
  EXPECT_EQ(decoder.receive({}, recorder), 0U);
  EXPECT_FALSE(decoder.finished());
  EXPECT_TRUE(recorder.lines().empty());
}

// What our encoder writes, our decoder reads: random messages, fragments, masks and cuts.
TEST(FrameDecoder, ReadsWhatTheEncoderWrites) {
  constexpr unsigned kSeed = 7;
  std::mt19937 random(kSeed);
  const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  for (int round = 0; round < 300; ++round) {
    const Role role = round % 2 == 0 ? Role::kServer : Role::kClient;
    std::string wire;
    std::vector<std::string> expected;
    std::string message;
    const std::size_t fragments = 1 + below(5);
    for (std::size_t f = 0; f < fragments; ++f) {
      std::string payload(below(10) == 0 ? 65500 + below(100) : below(300), '\0');
      for (char& c : payload) c = static_cast<char>(random());
      message += payload;
      MaskKey key;
      for (std::uint8_t& k : key) k = static_cast<std::uint8_t>(random());
      std::uint8_t header[kMaxClientHeaderBytes];
      const Opcode opcode = f == 0 ? Opcode::kBinary : Opcode::kContinuation;
      const bool fin = f + 1 == fragments;
      const std::size_t size = role == Role::kServer ? encode_masked_header(header, opcode, payload.size(), key, fin)
                                                     : encode_header(header, opcode, payload.size(), fin);
      wire.append(reinterpret_cast<const char*>(header), size);
      base::Bytes body = bytes_of(payload);
      if (role == Role::kServer) apply_mask(body, key);
      wire.append(body.begin(), body.end());
    }
    if (!message.empty()) expected.push_back("binary " + message);
    expected.push_back("end binary");
    FrameDecoder::Options options;
    options.role = role;
    ASSERT_EQ(decode(options, wire, random_cuts(wire.size(), random)), expected) << "round " << round;
  }
}

}  // namespace
}  // namespace mooring::ws::test
