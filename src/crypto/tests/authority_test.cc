#include "crypto/authority.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace mooring::crypto {
namespace {

namespace fs = std::filesystem;

constexpr base::WallMs kDayMs = 86'400'000;
constexpr base::WallMs kNow = 1'800'000'000'000;

std::string content(const fs::path& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

mode_t mode_of(const fs::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 0777U : 0;
}

class AuthorityTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "authority-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    home_ = pattern;
    request_ = {home_ / "data" / "tls", {"iot.example.org", "127.0.0.1"}, kNow, false};
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(home_, ignored);
  }

  AuthorityFiles ensure() {
    auto files = ensure_authority(request_);
    EXPECT_TRUE(files) << (files ? "" : files.error().message);
    return files ? *files : AuthorityFiles{};
  }
  base::Error ensure_fails() {
    const auto files = ensure_authority(request_);
    EXPECT_FALSE(files);
    return files ? base::Error{} : files.error();
  }
  fs::path file(const char* name) const { return request_.directory / name; }

  fs::path home_;
  AuthorityRequest request_;
};

TEST_F(AuthorityTest, MakesEverythingOnceAndLeavesItAlone) {
  const AuthorityFiles first = ensure();
  EXPECT_TRUE(first.root.written && first.server_rsa.written && first.server_ecdsa.written);
  for (const char* name : {"root", "server-rsa", "server-ecdsa"}) {
    EXPECT_EQ(mode_of(file((std::string(name) + ".key").c_str())), 0600U) << name;
    EXPECT_EQ(mode_of(file((std::string(name) + ".crt").c_str())), 0644U) << name;
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(request_.directory), {}), 6);
  EXPECT_EQ(first.root.certificate, file("root.crt"));
  EXPECT_TRUE(first.root.info.is_authority);

  const AuthorityFiles second = ensure();
  EXPECT_FALSE(second.root.written || second.server_rsa.written || second.server_ecdsa.written);
  EXPECT_EQ(second.server_rsa.info.sha256_fingerprint, first.server_rsa.info.sha256_fingerprint);
  const auto read = read_authority(request_.directory);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->root.info.sha256_fingerprint, first.root.info.sha256_fingerprint);
}

TEST_F(AuthorityTest, RenewsWhenNamesChange) {
  const AuthorityFiles first = ensure();
  request_.names = {"127.0.0.1", "IOT.example.org"};
  EXPECT_FALSE(ensure().server_rsa.written) << "order and case do not matter";
  request_.names.push_back("10.0.0.1");
  const AuthorityFiles second = ensure();
  EXPECT_TRUE(second.server_rsa.written && second.server_ecdsa.written);
  EXPECT_FALSE(second.root.written);
  EXPECT_EQ(second.root.info.sha256_fingerprint, first.root.info.sha256_fingerprint);
  EXPECT_EQ(second.server_ecdsa.info.ip_addresses, (std::vector<std::string>{"10.0.0.1", "127.0.0.1"}));
}

TEST_F(AuthorityTest, RenewsBeforeTheEnd) {
  ensure();
  request_.now_ms = kNow + (397 - kRenewBeforeDays) * kDayMs;
  EXPECT_FALSE(ensure().server_rsa.written);
  request_.now_ms += kDayMs;
  const AuthorityFiles renewed = ensure();
  EXPECT_TRUE(renewed.server_rsa.written && renewed.server_ecdsa.written);
  EXPECT_EQ(renewed.server_rsa.info.not_after_ms, request_.now_ms + 397 * kDayMs);
}

TEST_F(AuthorityTest, RenewsOnRequest) {
  ensure();
  const std::string root = content(file("root.crt"));
  request_.renew_now = true;
  EXPECT_TRUE(ensure().server_rsa.written);
  EXPECT_EQ(content(file("root.crt")), root);
}

TEST_F(AuthorityTest, RepairsABrokenServerPairOnly) {
  ensure();
  const std::string ecdsa = content(file("server-ecdsa.crt"));
  fs::copy_file(file("server-ecdsa.key"), file("server-rsa.key"), fs::copy_options::overwrite_existing);
  EXPECT_TRUE(ensure().server_rsa.written);
  EXPECT_EQ(content(file("server-ecdsa.crt")), ecdsa);
  std::ofstream(file("server-rsa.crt")) << "damaged";
  EXPECT_TRUE(ensure().server_rsa.written);
  fs::remove(file("server-rsa.key"));
  EXPECT_TRUE(ensure().server_rsa.written);
}

TEST_F(AuthorityTest, NeverReplacesTheRoot) {
  ensure();
  const std::string root = content(file("root.crt"));
  fs::rename(file("root.crt"), home_ / "kept.crt");
  EXPECT_EQ(ensure_fails().code, base::Errc::kCorrupt);
  EXPECT_FALSE(fs::exists(file("root.crt")));
  std::ofstream(file("root.crt")) << "damaged";
  EXPECT_EQ(ensure_fails().code, base::Errc::kCorrupt);
  fs::rename(home_ / "kept.crt", file("root.crt"));
  fs::copy_file(file("server-rsa.key"), file("root.key"), fs::copy_options::overwrite_existing);
  EXPECT_EQ(ensure_fails().code, base::Errc::kCorrupt) << "a key of somebody else";
  EXPECT_EQ(content(file("root.crt")), root);
}

TEST_F(AuthorityTest, RootKeyMayBeKeptElsewhere) {
  ensure();
  fs::rename(file("root.key"), home_ / "root.key");
  EXPECT_FALSE(ensure().server_rsa.written);
  request_.names = {"other.example"};
  const base::Error error = ensure_fails();
  EXPECT_EQ(error.code, base::Errc::kCorrupt);
  EXPECT_NE(error.message.find("root.key"), std::string::npos);
  fs::rename(home_ / "root.key", file("root.key"));
  EXPECT_TRUE(ensure().server_rsa.written);
}

TEST_F(AuthorityTest, FinishesAnInterruptedFirstStart) {
  ensure();
  const std::string key = content(file("root.key"));
  for (const char* name : {"root.crt", "server-rsa.crt", "server-ecdsa.crt", "server-ecdsa.key"})
    fs::remove(file(name));
  std::ofstream(file("root.crt.new")) << "half";
  const AuthorityFiles files = ensure();
  EXPECT_TRUE(files.root.written && files.server_rsa.written && files.server_ecdsa.written);
  EXPECT_EQ(content(file("root.key")), key);
  EXPECT_FALSE(fs::exists(file("root.crt.new")));
}

TEST_F(AuthorityTest, SaysWhatIsWrong) {
  request_.names = {"not a name"};
  EXPECT_EQ(ensure_fails().code, base::Errc::kInvalidArgument);
  request_.names = {"localhost"};
  EXPECT_EQ(read_authority(request_.directory).error().code, base::Errc::kNotFound);
  std::ofstream(home_ / "data") << "a file where the folder should be";
  const base::Error error = ensure_fails();
  EXPECT_EQ(error.code, base::Errc::kIo);
  EXPECT_NE(error.message.find(request_.directory.string()), std::string::npos);
}

}  // namespace
}  // namespace mooring::crypto
