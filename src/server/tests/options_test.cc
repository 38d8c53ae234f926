#include "server/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "server/config_file.h"
#include "server/option_table.h"

namespace mooring::server {
namespace {

using testing::HasSubstr;

class OptionsTest : public testing::Test {
 protected:
  OptionsTest() {
    folder_ = std::filesystem::temp_directory_path() / ("mooring_options_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  ~OptionsTest() override { std::filesystem::remove_all(folder_); }

  OptionSources file(const std::string& text) {
    const auto path = folder_ / "mooring.toml";
    std::ofstream(path) << text;
    OptionSources sources;
    sources.config_file = path.string();
    return sources;
  }

  static OptionSources sets(std::vector<std::string> values) {
    OptionSources sources;
    sources.sets = std::move(values);
    return sources;
  }

  static std::string problems_of(const OptionSources& sources) {
    const auto options = load_options(sources);
    return options ? "" : describe(options.error());
  }

  std::filesystem::path folder_;
};

TEST_F(OptionsTest, NothingGivenMeansDefaults) {
  const auto options = load_options({});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->server.region, "cn-shanghai");
  EXPECT_EQ(options->server.instance_id, "iot-local");
  ASSERT_EQ(options->listeners.size(), 1U);
  EXPECT_EQ(options->listeners[0].host, "");
  EXPECT_EQ(options->listeners[0].port, 443);
  EXPECT_TRUE(options->listeners[0].legacy_tls);
  EXPECT_EQ(options->limits.connects_per_device_per_minute, 5U);
  EXPECT_EQ(options->limits.refusals_per_address_per_minute, 20U);
  EXPECT_EQ(options->durability.mode, DurabilityMode::kDisk);
  EXPECT_EQ(options->tls.minimum_version, TlsVersion::k12);
  EXPECT_TRUE(options->origins.empty());
  EXPECT_EQ(origin_of(*options, "server.region"), "default");
}

TEST_F(OptionsTest, ReadsEveryKindOfValue) {
  const auto options = load_options(file(R"(
[server]
region = "eu-central-1"
threads = 3
[[listener]]
address = "127.0.0.1:8443"
tls = "required"
legacy_tls = false
[[listener]]
address = "[::1]:0"
proxy_protocol = true
trusted_proxies = ["10.0.0.0/8", "fd00::1"]
[mqtt]
max_queued_bytes = 3000000000
[tls]
certificate = ["a.pem", "b.pem"]
key = ["a.key", "b.key"]
[auth]
keep_alive_over_max = "clamp"
)"));
  ASSERT_TRUE(options) << describe(options.error());
  EXPECT_EQ(options->server.region, "eu-central-1");
  EXPECT_EQ(options->server.threads, 3U);
  ASSERT_EQ(options->listeners.size(), 2U);
  EXPECT_EQ(options->listeners[0].tls, ListenerTls::kRequired);
  EXPECT_FALSE(options->listeners[0].legacy_tls);
  EXPECT_EQ(options->listeners[1].host, "::1");
  EXPECT_EQ(options->listeners[1].port, 0);
  EXPECT_THAT(options->listeners[1].trusted_proxies, testing::ElementsAre("10.0.0.0/8", "fd00::1"));
  EXPECT_EQ(options->mqtt.max_queued_bytes, 3'000'000'000U);
  EXPECT_THAT(options->tls.key, testing::ElementsAre("a.key", "b.key"));
  EXPECT_EQ(options->auth.keep_alive_over_max, KeepAliveOverMax::kClamp);
}

TEST_F(OptionsTest, RemembersWhereAValueCameFrom) {
  OptionSources sources = file("[server]\nregion = \"x\"\nthreads = 2\n[[listener]]\naddress = \":1\"\n");
  sources.sets = {"limits.topic_bytes=256"};
  sources.threads = 7;
  const auto options = load_options(sources);
  ASSERT_TRUE(options);
  EXPECT_THAT(std::string(origin_of(*options, "server.region")), HasSubstr("mooring.toml:2"));
  EXPECT_THAT(std::string(origin_of(*options, "listener[0].address")), HasSubstr("mooring.toml:5"));
  EXPECT_EQ(origin_of(*options, "server.threads"), "--threads");
  EXPECT_EQ(origin_of(*options, "limits.topic_bytes"), "--set");
  EXPECT_EQ(options->server.threads, 7U);
}

TEST_F(OptionsTest, SetWinsOverTheFileAndUnderstandsAllTypes) {
  OptionSources sources = file("[limits]\nconnects_per_device_per_minute = 9\n");
  sources.sets = {"limits.connects_per_device_per_minute=0",
                  "server.region = \"a-b\"",
                  "tls.names=a.example,10.0.0.1",
                  "connect.allowed_origins=[\"https://a.example\", \"https://b.example\"]",
                  "listener.legacy_tls=false",
                  "log.level=debug"};
  const auto options = load_options(sources);
  ASSERT_TRUE(options) << describe(options.error());
  EXPECT_EQ(options->limits.connects_per_device_per_minute, 0U);
  EXPECT_EQ(options->server.region, "a-b");
  EXPECT_THAT(options->tls.names, testing::ElementsAre("a.example", "10.0.0.1"));
  EXPECT_THAT(options->connect.allowed_origins, testing::ElementsAre("https://a.example", "https://b.example"));
  EXPECT_FALSE(options->listeners[0].legacy_tls);
  EXPECT_EQ(options->log.level, base::LogLevel::kDebug);
}

TEST_F(OptionsTest, ListenReplacesTheListenersOfTheFile) {
  OptionSources sources = file("[[listener]]\naddress = \":1\"\ntls = \"off\"\n[[listener]]\naddress = \":2\"\n");
  sources.listens = {"127.0.0.1:0", "[::1]:0", "9000"};
  const auto options = load_options(sources);
  ASSERT_TRUE(options) << describe(options.error());
  ASSERT_EQ(options->listeners.size(), 3U);
  EXPECT_EQ(options->listeners[0].tls, ListenerTls::kAuto);
  EXPECT_EQ(options->listeners[2].port, 9000);
  EXPECT_EQ(origin_of(*options, "listener[1].address"), "--listen");
  EXPECT_EQ(origin_of(*options, "listener[0].tls"), "default");
}

TEST_F(OptionsTest, UnknownOptionNamesPlaceAndSuggestsTheOneMeant) {
  EXPECT_THAT(problems_of(file("[mqtt]\n\nmax_inflight = 5\n")),
              testing::AllOf(HasSubstr("mooring.toml:3: unknown option \"mqtt.max_inflight\""),
                             HasSubstr("did you mean \"mqtt.max_in_flight\"?")));
  EXPECT_THAT(problems_of(file("[serverr]\nregion = \"x\"\n")), HasSubstr("did you mean \"server.region\"?"));
  EXPECT_THAT(problems_of(file("region = \"x\"\n")), HasSubstr("did you mean \"server.region\"?"));
  EXPECT_THAT(problems_of(file("[[listener]]\nadress = \":1\"\n")), HasSubstr("did you mean \"listener.address\"?"));
  EXPECT_THAT(problems_of(sets({"limit.topic_bytes=5"})), HasSubstr("--set: unknown option \"limit.topic_bytes\""));
  EXPECT_THAT(problems_of(sets({"qqqqq.zzzzz=5"})), testing::Not(HasSubstr("did you mean")));
}

TEST_F(OptionsTest, EveryProblemIsReported) {
  const std::string text = problems_of(file("[mqtt]\nmax_in_flight = 0\nfoo = 1\n[log]\nlevel = \"loud\"\n"));
  EXPECT_THAT(text, HasSubstr(":2: mqtt.max_in_flight = 0: expected a number, 1 to 65535"));
  EXPECT_THAT(text, HasSubstr(":3: unknown option"));
  EXPECT_THAT(text, HasSubstr(":5: log.level = \"loud\": expected a word, \"debug\", \"info\""));
}

TEST_F(OptionsTest, WrongTypesAndRangesAreRefused) {
  for (const char* text : {"[mqtt]\nmax_in_flight = \"7\"", "[mqtt]\nmax_in_flight = -1", "[mqtt]\nmax_in_flight = 1.5",
                           "[mqtt]\nmax_in_flight = true", "[[listener]]\nlegacy_tls = 1", "[server]\nregion = 5",
                           "[server]\nregion = \"a b\"", "[tls]\nnames = [1, 2]", "[tls]\nminimum_version = 1.2",
                           "[server]\nregion = 2026-01-01", "[listener]\naddress = \":1\"", "mqtt = 5", "[mqtt"}) {
    EXPECT_NE(problems_of(file(text)), "") << text;
  }
  for (const char* text : {"mqtt.max_in_flight=7x", "mqtt.max_in_flight=", "mqtt.max_in_flight=99999999999999999999",
                           "listener.legacy_tls=yes", "mqtt.max_in_flight", "=5", "", "tls.names=[1", "tls.names=a,,b",
                           "log.level=Info", "listener.address=nowhere"}) {
    EXPECT_NE(problems_of(sets({text})), "") << text;
  }
  EXPECT_THAT(problems_of(sets({"durability.mode=disc"})), HasSubstr("did you mean \"disk\"?"));
}

TEST_F(OptionsTest, OptionsThatContradictEachOtherAreRefused) {
  EXPECT_THAT(problems_of(sets({"mqtt.max_packet_bytes=2000"})), HasSubstr("mqtt.discard_payload_bytes"));
  EXPECT_THAT(problems_of(sets({"auth.keep_alive_min_s=2000"})), HasSubstr("auth.keep_alive_max_s"));
  EXPECT_THAT(problems_of(sets({"tls.certificate=a.pem"})), HasSubstr("each certificate needs its key"));
  EXPECT_THAT(problems_of(sets({"listener.proxy_protocol=true"})), HasSubstr("listener.trusted_proxies"));
  OptionSources twice;
  twice.listens = {":5", "5"};
  EXPECT_THAT(problems_of(twice), HasSubstr("twice"));
}

TEST_F(OptionsTest, AnonymousAccountIsAnAccountsName) {
  const auto guest = load_options(sets({"listener.anonymous_account=guest"}));
  ASSERT_TRUE(guest);
  EXPECT_EQ(guest->listeners[0].anonymous_account, "guest");
  EXPECT_TRUE(load_options(sets({"listener.anonymous_account="})));
  EXPECT_THAT(problems_of(sets({"listener.anonymous_account=a&b"})), HasSubstr("marks a device's user name"));
}

TEST_F(OptionsTest, MissingFileIsAProblem) {
  OptionSources sources;
  sources.config_file = (folder_ / "none.toml").string();
  EXPECT_THAT(problems_of(sources), HasSubstr("cannot be read"));
  sources.config_file = folder_.string();
  EXPECT_THAT(problems_of(sources), HasSubstr("cannot be read"));
}

TEST_F(OptionsTest, OpenProfileChangesTheCapsOfTheAccountOnly) {
  const auto open = load_options(sets({"limits.profile=open"}));
  ASSERT_TRUE(open);
  EXPECT_EQ(open->limits.connects_per_second, 0U);
  EXPECT_EQ(origin_of(*open, "limits.connects_per_second"), "limits.profile");
  EXPECT_EQ(open->limits.connects_per_device_per_minute, 5U);
  const auto own = load_options(sets({"limits.profile=open", "limits.connects_per_second=70"}));
  ASSERT_TRUE(own);
  EXPECT_EQ(own->limits.connects_per_second, 70U);
}

TEST_F(OptionsTest, ListenAddresses) {
  const auto parsed = [](std::string_view text) {
    const auto address = parse_listen_address(text);
    return address ? address->host + "|" + std::to_string(address->port) : std::string("refused");
  };
  EXPECT_EQ(parsed("443"), "|443");
  EXPECT_EQ(parsed(":443"), "|443");
  EXPECT_EQ(parsed("0.0.0.0:65535"), "0.0.0.0|65535");
  EXPECT_EQ(parsed("localhost:0"), "localhost|0");
  EXPECT_EQ(parsed("[::]:1883"), "::|1883");
  for (const char* bad : {"", ":", "a", "a:", ":65536", ":-1", "::1", "::1:443", "[::1]", "[]:1", "[::1:443", "a b:1",
                          "http://x:1", ":4 43"}) {
    EXPECT_EQ(parsed(bad), "refused") << bad;
  }
}

TEST_F(OptionsTest, ReloadTakesOverOnlyWhatCanChangeWhileRunning) {
  const auto before = load_options(sets({"server.region=one"}));
  const auto after = load_options(sets({"server.region=two", "limits.topic_bytes=200", "listener.tls=off"}));
  ASSERT_TRUE(before && after);
  std::set<std::string> names;
  for (const OptionChange& change : changed_options(*before, *after)) {
    names.insert(change.name + (change.reloadable ? " now" : " restart"));
  }
  EXPECT_THAT(names,
              testing::ElementsAre("limits.topic_bytes now", "listener[0].tls restart", "server.region restart"));
  const Options running = with_reloadable(*before, *after);
  EXPECT_EQ(running.server.region, "one");
  EXPECT_EQ(running.limits.topic_bytes, 200U);
  EXPECT_EQ(running.listeners[0].tls, ListenerTls::kAuto);
  EXPECT_EQ(origin_of(running, "limits.topic_bytes"), "--set");
}

TEST_F(OptionsTest, TheDefaultFileIsRightAndChangesNothing) {
  const auto options = load_options(file(default_config_file()));
  ASSERT_TRUE(options) << describe(options.error());
  const auto defaults = load_options({});
  ASSERT_TRUE(defaults);
  EXPECT_TRUE(changed_options(*defaults, *options).empty());
}

// Every line of the default file must also be right when its comment sign is taken away.
TEST_F(OptionsTest, EveryLineOfTheDefaultFileCanBeUsed) {
  std::string text = default_config_file();
  for (std::size_t at = 0; (at = text.find("\n#", at)) != text.npos; ++at) {
    if (text[at + 2] != ' ') text.erase(at + 1, 1);
  }
  const auto parsed = parse_config_text(text, "default");
  ASSERT_TRUE(parsed) << describe(parsed.error());
  EXPECT_EQ(parsed->settings.size(), option_table().size());
  EXPECT_EQ(problems_of(file(text)), "");
}

TEST_F(OptionsTest, TheTableIsComplete) {
  std::set<std::string_view> names;
  Options defaults;
  defaults.server.data = "x";
  defaults.listeners[0].anonymous_account = "";
  for (const OptionRow& row : option_table()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_FALSE(row.text.empty()) << row.name;
    EXPECT_FALSE(row.text.ends_with('.')) << row.name;
    EXPECT_EQ(type_name(row) == "word", !row.words.empty()) << row.name;
    EXPECT_THAT(option_table_markdown(), HasSubstr("`" + std::string(row.name) + "`"));
  }
  for (const char* name :
       {"server.region", "server.instance_id", "server.data", "server.threads", "listener.address",
        "listener.anonymous_account", "listener.tls", "listener.legacy_tls", "listener.proxy_protocol",
        "listener.trusted_proxies", "limits.profile", "limits.connects_per_device_per_minute",
        "limits.refusals_per_address_per_minute", "durability.mode", "tls.certificate", "tls.key"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST_F(OptionsTest, DataFolderOfAService) {
  ::setenv("STATE_DIRECTORY", "/var/lib/mooring:/var/lib/other", 1);
  const auto service = load_options({});
  ::unsetenv("STATE_DIRECTORY");
  const auto plain = load_options({});
  ASSERT_TRUE(service && plain);
  EXPECT_EQ(service->server.data, "/var/lib/mooring");
  EXPECT_EQ(plain->server.data, "./mooring-data");
}

}  // namespace
}  // namespace mooring::server
