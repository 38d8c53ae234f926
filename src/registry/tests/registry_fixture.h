// What the registry's tests share: a folder that goes away, a clock that obeys, repeatable randomness.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <random>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "registry/sqlite_registry.h"

namespace mooring::registry {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "registry-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

class FakeClock final : public base::Clock {
 public:
  base::MonoMs mono_ms() const override { return now_ms; }
  base::WallMs wall_ms() const override { return now_ms; }
  std::atomic<base::WallMs> now_ms{1'700'000'000'000};
};

class SeededRandom final : public base::Random {
 public:
  void fill(base::MutableBytes out) override {
    const std::lock_guard lock(mutex_);
    for (auto& byte : out) byte = static_cast<std::uint8_t>(engine_());
  }

 private:
  std::mutex mutex_;
  std::mt19937 engine_{1};
};

// An open SQLite registry in a folder of its own.
struct SqliteFixture {
  std::unique_ptr<Registry> open() {
    auto registry = open_sqlite_registry({.file = folder / "registry.db"}, random, clock);
    if (!registry) {
      ADD_FAILURE() << registry.error().message;
      return nullptr;
    }
    return std::move(*registry);
  }
  TemporaryFolder folder;
  FakeClock clock;
  SeededRandom random;
};

}  // namespace mooring::registry
